"""Several edits after one another: by families that may differ, each on layers of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from engines.editing.family import EditFamily

__all__ = ["Applied", "Edited", "composed"]


@dataclass(frozen=True, eq=False)
class Applied:
    """One edit: a family, strengths that it takes together, and the layers that may change."""

    family: EditFamily
    alphas: Mapping[str, float]
    layers: tuple[int, int] | None = None
    """(first, end): rows ``first <= l < end`` of W+; None for all."""


@dataclass(frozen=True, eq=False)
class Edited:
    """What a generator paints."""

    w_plus: Tensor
    """[N, L, D]"""
    style_shifts: Mapping[str, Tensor]
    """What is added to styles, by the name of an affine bias; see :func:`engines.editing.painting.with_style_shifts`."""


def composed(w_plus: Tensor, edits: Iterable[Applied], encoded: Tensor | None = None) -> Edited:
    """Codes [N, L, D] after the edits in the order given: each sees the codes that those before it left.

    encoded: what the encoder gives of the pictures of `w_plus`; families that hold for such codes alone are asked about these,
    moved by the edits before, and what they say is done to `w_plus`. None where `w_plus` is such codes itself.

    Affine maps do not commute, so that another order gives another picture; shifts of styles add up in any order.
    """
    shifts: dict[str, Tensor] = {}
    beside = None if encoded is None else encoded - w_plus
    for edit in edits:
        if beside is not None and edit.family.reads_encoded:
            asked = w_plus + beside
            w_plus = w_plus + (edit.family.edit(asked, edit.alphas, edit.layers) - asked)
        else:
            w_plus = edit.family.edit(w_plus, edit.alphas, edit.layers)
        for name, shift in edit.family.style_shifts(edit.alphas, edit.layers).items():
            shifts[name] = shifts[name] + shift if name in shifts else shift
    return Edited(w_plus, shifts)
