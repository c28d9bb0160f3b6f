"""The whole state of an edit, and what it paints: a picture is a pure function of the state."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.core.errors import OptionError

__all__ = ["EditState", "Frame", "unknown_name"]


@dataclass(frozen=True)
class EditState:
    """Which picture, edited how. States that paint the same picture are equal: neither order nor zeros count."""

    pack_id: str
    inversion_id: str
    alphas: tuple[tuple[str, float], ...] = ()
    """(attribute id, strength), sorted by id, no zeros; positive adds the attribute, negative removes it."""
    layers: tuple[int, int] | None = None
    """(first, end): the style layers ``first <= l < end`` that edits may change; None for all."""
    tuned_id: str | None = None
    """The inversion whose weights paint it: itself where the generator was tuned to its picture, None for the pack's own."""

    def __post_init__(self) -> None:
        pairs = [(str(name), float(alpha)) for name, alpha in self.alphas]
        for name, alpha in pairs:
            if not math.isfinite(alpha):
                raise OptionError(f"{name}={alpha}: the strength must be a finite number.")
        if len({name for name, _ in pairs}) != len(pairs):
            raise OptionError("the same attribute is set twice.")
        object.__setattr__(self, "alphas", tuple(sorted((name, alpha) for name, alpha in pairs if alpha)))
        if self.layers is not None:
            first, end = (int(layer) for layer in self.layers)
            object.__setattr__(self, "layers", (first, end))

    @property
    def edited(self) -> bool:
        return bool(self.alphas)

    def canonical(self) -> dict[str, Any]:
        """JSON of the state, the same for equal states."""
        return {
            "pack": self.pack_id,
            "inversion": self.inversion_id,
            "alphas": dict(self.alphas),
            "layers": None if self.layers is None else list(self.layers),
            "tuned": self.tuned_id,
        }


@dataclass(frozen=True, eq=False)
class Frame:
    """A painted state and what the pack's predictors say about it."""

    state: EditState
    image: np.ndarray
    """uint8 RGB [R, R, 3], read-only."""
    attributes: Mapping[str, float]
    """Attribute id -> probability in `image`, 0..1."""
    identity_similarity: float | None
    """Cosine of the identity features of `image` and of the reconstruction; 1 is the same person. None for packs of other
    things than persons: there is no identity to compare."""
    render_ms: float


def unknown_name(what: str, name: str, known: Iterable[str]) -> OptionError:
    """The error for a name that is none of `known`: lists the close ones, or all where none is close."""
    names = list(known)
    by_fold = {other.casefold(): other for other in names}
    close = [by_fold[match] for match in difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(names) or 'none'}."
    return OptionError(f"unknown {what} {name!r}: {hint}")
