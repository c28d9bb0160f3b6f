"""The whole state of an edit, and what it paints: a picture is a pure function of the state."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.editing.families import DEFAULT_FAMILY
from engines.session.object_edit import AS_IT_IS, ObjectEdit

__all__ = ["EditState", "EditStep", "Frame", "unknown_name"]


@dataclass(frozen=True)
class EditStep:
    """One edit of a sequence, which sees what the edits before it have left."""

    attribute: str
    alpha: float
    layers: tuple[int, int] | None = None
    """(first, end): the style layers ``first <= l < end`` that it may change; None for all."""
    family: str | None = None
    """The edit family that it is of; None for that of the state."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", _strength(self.attribute, self.alpha))
        object.__setattr__(self, "layers", _whole(self.layers))


@dataclass(frozen=True)
class EditState:
    """Which picture, edited how. States that paint the same are equal: neither zeros nor the order of `alphas` count."""

    pack_id: str
    inversion_id: str
    alphas: tuple[tuple[str, float], ...] = ()
    """(attribute id, strength), sorted by id, no zeros; positive adds the attribute, negative removes it."""
    layers: tuple[int, int] | None = None
    """(first, end): the style layers ``first <= l < end`` that edits may change; None for all."""
    tuned_id: str | None = None
    """The inversion whose weights paint it: itself where the generator was tuned to its picture, None for the pack's own."""
    family: str = DEFAULT_FAMILY
    """The edit family of `alphas`."""
    steps: tuple[EditStep, ...] = ()
    """Edits made after `alphas`, one after the other in this order; without zeros, each with its family."""
    object_edit: ObjectEdit = AS_IT_IS
    """What is changed of the object as a whole; in part before `alphas`, in part after all."""
    as_needed: bool = False
    """Whether edits go only as far as the unedited picture calls for: :mod:`engines.session.need`."""

    def __post_init__(self) -> None:
        pairs = [(str(name), _strength(name, alpha)) for name, alpha in self.alphas]
        if len({name for name, _ in pairs}) != len(pairs):
            raise OptionError("the same attribute is set twice.")
        object.__setattr__(self, "alphas", tuple(sorted((name, alpha) for name, alpha in pairs if alpha)))
        object.__setattr__(self, "layers", _whole(self.layers))
        named = (dataclasses.replace(step, family=step.family or self.family) for step in self.steps if step.alpha)
        object.__setattr__(self, "steps", tuple(named))
        if not self.alphas:
            object.__setattr__(self, "family", DEFAULT_FAMILY)
        object.__setattr__(self, "as_needed", bool(self.as_needed and (self.alphas or self.steps)))

    @property
    def edited(self) -> bool:
        return bool(self.alphas or self.steps or self.object_edit.edited)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Of every edit, those of `alphas` first."""
        return (*(name for name, _ in self.alphas), *(step.attribute for step in self.steps))

    def with_edits(self, places: Iterable[int]) -> EditState:
        """The state with these edits alone, named by their places in `attributes`; their order stays."""
        chosen = set(places)
        alphas = tuple(pair for place, pair in enumerate(self.alphas) if place in chosen)
        steps = tuple(step for place, step in enumerate(self.steps, start=len(self.alphas)) if place in chosen)
        return dataclasses.replace(self, alphas=alphas, steps=steps)

    def in_full(self) -> EditState:
        """The state with every edit at strength 1 in its direction."""
        alphas = tuple((name, math.copysign(1.0, alpha)) for name, alpha in self.alphas)
        steps = tuple(dataclasses.replace(step, alpha=math.copysign(1.0, step.alpha)) for step in self.steps)
        return dataclasses.replace(self, alphas=alphas, steps=steps)

    def canonical(self) -> dict[str, Any]:
        """JSON of the state, the same for equal states; what was added to it later only where it is not the usual."""
        facts = {
            "pack": self.pack_id,
            "inversion": self.inversion_id,
            "alphas": dict(self.alphas),
            "layers": None if self.layers is None else list(self.layers),
            "tuned": self.tuned_id,
        }
        if self.family != DEFAULT_FAMILY:
            facts["family"] = self.family
        if self.steps:
            facts["steps"] = [dataclasses.asdict(step) for step in self.steps]
        if self.object_edit.edited:
            facts["object"] = self.object_edit.canonical()
        if self.as_needed:
            facts["as_needed"] = True
        return facts


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
    classes: Mapping[str, float] = field(default_factory=dict)
    """Class id -> calibrated probability in `image`, of sum 1; empty where the pack has no class predictor."""


def _strength(name: str, alpha: float) -> float:
    if not math.isfinite(alpha):
        raise OptionError(f"{name}={alpha}: the strength must be a finite number.")
    return float(alpha)


def _whole(layers: tuple[int, int] | None) -> tuple[int, int] | None:
    if layers is None:
        return None
    first, end = (int(layer) for layer in layers)
    return first, end


def unknown_name(what: str, name: str, known: Iterable[str]) -> OptionError:
    """The error for a name that is none of `known`: lists the close ones, or all where none is close."""
    names = list(known)
    by_fold = {other.casefold(): other for other in names}
    close = [by_fold[match] for match in difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(names) or 'none'}."
    return OptionError(f"unknown {what} {name!r}: {hint}")
