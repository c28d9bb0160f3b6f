"""What tuning a generator for one picture does to everything else it can paint: edits of that picture, and other pictures.

Everything here takes generators as functions of codes, so that the pack's own and tuned ones are judged alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.evaluation.edit_verdicts import other_attributes
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import attribute_preservation, rate_ratio, squared_difference

__all__ = ["EditTally", "Paint", "edit_figures", "random_change", "tallied"]

Paint = Callable[[np.ndarray], np.ndarray]
"""Codes float32 [n, L, D] -> pictures uint8 [n, R, R, 3] of one generator."""


@dataclass(frozen=True, eq=False)
class EditTally:
    """What one generator made of K edits of one picture, in the order of the attributes."""

    could: np.ndarray
    """bool [K]: the unedited picture's prediction is on the side that the edit leads away from."""
    changed: np.ndarray
    """bool [K]: it could, and the edited picture's prediction is on the other side."""
    kept: np.ndarray
    """[K] share of the attributes not tied to the edited one whose predictions stay; NaN where all are tied."""

    def to_json(self) -> list[list[float | None]]:
        """Three lists of K numbers."""
        kept = [None if np.isnan(share) else float(share) for share in self.kept]
        return [self.could.astype(int).tolist(), self.changed.astype(int).tolist(), kept]

    @classmethod
    def from_json(cls, value: Sequence[Sequence[float | None]]) -> EditTally:
        could, changed, kept = (np.array(row, float) for row in value)
        return cls(could > 0, changed > 0, kept)


def tallied(
    judges: Judges, paint: Paint, code: np.ndarray, edited: np.ndarray, attributes: Sequence[str], wanted: np.ndarray
) -> EditTally:
    """Judges edits of one picture.

    Args:
        code: float32 [L, D], the picture's.
        edited: float32 [K, L, D], codes after an edit each.
        attributes: [K], which attribute each edit is about.
        wanted: bool [K], whether it adds it.
    """
    pictures = paint(np.concatenate([code[None], edited]))
    probabilities = judges.probabilities(pictures)
    before, after = probabilities[:1], probabilities[1:]
    columns = [judges.attributes.index(name) for name in attributes]
    had, has = before[0, columns] > 0.5, after[np.arange(len(columns)), columns] > 0.5
    untied = [other_attributes(judges.pack.manifest, judges.attributes, name)[0] for name in attributes]
    kept = [attribute_preservation(before, after[k : k + 1], mask)[0] for k, mask in enumerate(untied)]
    return EditTally(had != wanted, (had != wanted) & (has == wanted), np.array(kept))


def edit_figures(tuned: Sequence[EditTally], shared: Sequence[EditTally], *, seed: int) -> dict[str, Any]:
    """Target change and attribute preservation on tuned generators and on the shared one, for the same n pictures."""
    changes = [np.array([t.changed.sum() for t in x]) for x in (tuned, shared)]
    chances = [np.array([t.could.sum() for t in x]) for x in (tuned, shared)]
    kept = [np.array([np.nansum(t.kept) for t in x]) for x in (tuned, shared)]
    judged = [np.array([np.isfinite(t.kept).sum() for t in x]) for x in (tuned, shared)]
    figures: dict[str, Any] = {}
    for name, hits, tries in (("target_change", changes, chances), ("attribute_preservation", kept, judged)):
        ratio, interval = rate_ratio(hits[0], tries[0], hits[1], tries[1], seed=seed)
        for key, index in ((name, 0), (f"{name}_shared", 1)):
            total = tries[index].sum()
            figures[key] = float(hits[index].sum() / total) if total else float("nan")
        figures |= {f"{name}_ratio": ratio, f"{name}_ratio_interval": interval}
    return {**figures, "edits": int(judged[0].sum())}


def random_change(tuned: np.ndarray, shared: np.ndarray) -> dict[str, float]:
    """How far pictures of random codes moved, by how far random pictures are from each other.

    tuned, shared: uint8 [m, R, R, 3] of the same codes. `random_change`: ratio of the mean distances, the distance of two
    pictures being the root of their mean squared difference; `random_change_squared`: of the mean squared differences.
    """
    moved, apart = squared_difference(tuned, shared), squared_difference(shared, np.roll(shared, 1, axis=0))
    return {
        "random_change": float(np.sqrt(moved).mean() / np.sqrt(apart).mean()),
        "random_change_squared": float(moved.mean() / apart.mean()),
    }
