"""The table of edit families: what each is called and which component of a pack holds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["DEFAULT_FAMILY", "FAMILIES", "FamilyRow", "offered_families"]

DEFAULT_FAMILY = "LW"


@dataclass(frozen=True)
class FamilyRow:
    """One family."""

    name: str
    """As commands, reports and the page spell it."""
    kind: str
    """The pack component that holds it."""
    title: str
    """For people."""


_ROWS = (
    FamilyRow("LW", "edit_maps", "Latent Wasserstein"),
    FamilyRow("LW*", "edits_lw_star", "Latent Wasserstein without attribute cost and weights"),
    FamilyRow("LW-affine", "edits_lw_affine", "Latent Wasserstein by affine maps, where LW's have a hidden layer"),
    FamilyRow("LT", "edits_lt", "Latent Transformer"),
    FamilyRow("LT*", "edits_lt_star", "Latent Transformer without regularisation"),
    FamilyRow("InterFaceGAN", "edits_interfacegan", "InterFaceGAN: normal of a linear classifier"),
    FamilyRow("GANSpace", "edits_ganspace", "GANSpace: principal components of W"),
    FamilyRow("SeFa", "edits_sefa", "SeFa: eigenvectors of the style weights"),
    FamilyRow("StyleSpace", "edits_stylespace", "StyleSpace: single style channels"),
)

FAMILIES: dict[str, FamilyRow] = {row.name: row for row in _ROWS}
"""Name -> row, in the order in which families are listed."""


def offered_families(kinds: Iterable[str]) -> tuple[str, ...]:
    """Names of the families whose component is among `kinds`."""
    there = set(kinds)
    return tuple(row.name for row in _ROWS if row.kind in there)
