"""One edit judged on many pictures: by the image predictors before and after, and by the true counterfactual.

Everything here is arrays in, figures out; which pictures, and where the counterfactuals come from, is the command's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engines.editing.family import DIRECTIONS, EditFamily
from engines.editing.painting import with_style_shifts
from engines.evaluation.judges import BATCH, Judges
from engines.evaluation.metrics import (
    attribute_preservation,
    bootstrap_interval,
    squared_difference,
    target_change,
    target_change_of_each,
)
from engines.evaluation.setting import Subjects
from engines.packs.manifest import Manifest

__all__ = [
    "SWEEP_ALPHAS",
    "Edit",
    "Sources",
    "Verdict",
    "edit_values",
    "judge",
    "mean_figures",
    "mean_over_edits",
    "other_attributes",
    "sources_of",
    "sweep",
]

SWEEP_ALPHAS = tuple(0.25 * step for step in range(1, 11))
"""Ten strengths, from a quarter of "changed" to two and a half times it: the same for every edit and family. Those of Doubinsky
et al. 2023, section 4.2, from d to 2d, are in :mod:`engines.evaluation.family_curves`; this sweep is what d is found by."""

_WITH_INTERVAL = ("target_change", "attribute_preservation", "identity", "class_kept", "counterfactual_distance")
_NOT_AVERAGED = ("alpha", "n", "n_changeable", *(f"{key}_interval" for key in _WITH_INTERVAL))


@dataclass(frozen=True, eq=False)
class Sources:
    """Held-out pictures, their codes, and what the predictors say before any edit."""

    subjects: Subjects
    codes: np.ndarray
    """float32 [n, L, D]."""
    reconstructions: np.ndarray
    """uint8 [n, R, R, 3]."""
    probabilities: np.ndarray
    """[n, K] of the reconstructions."""
    probabilities_of_pictures: np.ndarray
    """[n, K] of the pictures themselves."""


@dataclass(frozen=True, eq=False)
class Edit:
    """One attribute changed one way by one edit family."""

    maps: EditFamily
    attribute: str
    direction: str
    layers: tuple[int, int] | None = None
    """(first, end): the style layers ``first <= l < end`` that it may change; None for all."""

    @torch.no_grad()
    def codes(self, w_plus: np.ndarray, alpha: float) -> np.ndarray:
        """Codes [n, L, D] after the edit; `alpha` > 0 is the strength in the edit's own direction."""
        batches = torch.from_numpy(np.ascontiguousarray(w_plus)).to(self.maps.scale.device).split(BATCH)
        return torch.cat([self.maps.edit(batch, self._signed(alpha), self.layers) for batch in batches]).cpu().numpy()

    def pictures(self, judges: Judges, w_plus: np.ndarray, alpha: float) -> np.ndarray:
        """Codes [n, L, D] to edited pictures uint8 [n, R, R, 3]."""
        painter = with_style_shifts(judges.pack.generator, self.maps.style_shifts(self._signed(alpha), self.layers))
        return judges.pictures(self.codes(w_plus, alpha), painter)

    def _signed(self, alpha: float) -> dict[str, float]:
        return {self.attribute: alpha if self.direction == "add" else -alpha}


@dataclass(frozen=True, eq=False)
class Verdict:
    """The figures of one edit at the judged strength, and over the sweep of strengths."""

    attribute: str
    direction: str
    family: str
    figures: dict[str, Any]
    sweep: list[dict[str, float]]
    example: tuple[np.ndarray, ...]
    """One of the pictures: source, reconstruction, edited, true counterfactual; uint8 [R, R, 3] each."""


def sources_of(judges: Judges, subjects: Subjects, codes: np.ndarray) -> Sources:
    reconstructions = judges.pictures(codes)
    predictions = (judges.probabilities(pictures) for pictures in (reconstructions, subjects.pictures))
    return Sources(subjects, codes, reconstructions, *predictions)


def edit_values(
    judges: Judges, sources: Sources, edit: Edit, chosen: np.ndarray, truths: np.ndarray, *, alpha: float
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What an edit at strength `alpha` does to every picture, and the edited pictures uint8 [m, R, R, 3].

    chosen: indices [m] into `sources`; truths: uint8 [m, R, R, 3], renders of the same records with the attribute flipped.
    Returns measure -> [m]; `target_change` is NaN where the reconstruction is predicted on the wanted side already.
    """
    k, wanted = judges.attributes.index(edit.attribute), edit.direction == "add"
    untied, others = other_attributes(judges.pack.manifest, judges.attributes, edit.attribute)
    before, source, reconstruction = (
        x[chosen] for x in (sources.probabilities, sources.subjects.pictures, sources.reconstructions)
    )
    edited = edit.pictures(judges, sources.codes[chosen], alpha)
    after = judges.probabilities(edited)
    values = {
        "target_change": target_change_of_each(before[:, k], after[:, k], wanted=wanted),
        "attribute_preservation": attribute_preservation(before, after, untied),
        "attribute_preservation_with_tied": attribute_preservation(before, after, others),
        "identity": judges.identity_similarity(reconstruction, edited),
        "class_kept": judges.class_kept(reconstruction, edited),
        "counterfactual_distance": squared_difference(edited, truths),
        "unedited_distance": squared_difference(reconstruction, truths),
        "reconstruction_distance": squared_difference(reconstruction, source),
        "counterfactual_perceptual": judges.perceptual(edited, truths),
        "unedited_perceptual": judges.perceptual(reconstruction, truths),
    }
    return values, edited


def judge(
    judges: Judges, sources: Sources, edit: Edit, chosen: np.ndarray, truths: np.ndarray, *, alpha: float, seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Figures of an edit at strength `alpha`, and the edited pictures; `chosen` and `truths` as for :func:`edit_values`.

    Rates over no picture at all are NaN.
    """
    k, wanted = judges.attributes.index(edit.attribute), edit.direction == "add"
    untied, _ = other_attributes(judges.pack.manifest, judges.attributes, edit.attribute)
    pictured, true_after = sources.probabilities_of_pictures[chosen], judges.probabilities(truths)
    per_picture, edited = edit_values(judges, sources, edit, chosen, truths, alpha=alpha)
    per_picture["target_change"] = per_picture["target_change"][np.isfinite(per_picture["target_change"])]
    # What the same predictors say of the render itself and its true counterfactual: the best an edit can get.
    per_picture |= {
        "true_target_change": target_change(pictured[:, k], true_after[:, k], wanted=wanted),
        "true_attribute_preservation": attribute_preservation(pictured, true_after, untied),
        "true_identity": judges.identity_similarity(sources.subjects.pictures[chosen], truths),
    }
    figures: dict[str, Any] = {key: _mean(values) for key, values in per_picture.items()}
    figures |= {f"{key}_interval": bootstrap_interval(per_picture[key], seed=seed) for key in _WITH_INTERVAL}
    return {**figures, "alpha": alpha, "n": len(chosen), "n_changeable": len(per_picture["target_change"])}, edited


def sweep(judges: Judges, sources: Sources, edit: Edit, chosen: np.ndarray) -> list[dict[str, float]]:
    """Target change, preservation and identity of the pictures `chosen` at every one of SWEEP_ALPHAS."""
    k, wanted = judges.attributes.index(edit.attribute), edit.direction == "add"
    untied, _ = other_attributes(judges.pack.manifest, judges.attributes, edit.attribute)
    before, reconstruction = sources.probabilities[chosen], sources.reconstructions[chosen]
    rows = []
    for alpha in SWEEP_ALPHAS:
        edited = edit.pictures(judges, sources.codes[chosen], alpha)
        after = judges.probabilities(edited)
        rows.append(
            {
                "alpha": alpha,
                "target_change": _mean(target_change(before[:, k], after[:, k], wanted=wanted)),
                "attribute_preservation": _mean(attribute_preservation(before, after, untied)),
                "identity": _mean(judges.identity_similarity(reconstruction, edited)),
            }
        )
    return rows


def other_attributes(manifest: Manifest, attributes: Sequence[str], attribute: str) -> tuple[np.ndarray, np.ndarray]:
    """Masks [K] over `attributes`: those free to stay as they are when `attribute` changes, and all but `attribute`.

    Tied, and so not free, is what either one's list of exclusions names: who becomes blond stops being grey.
    """
    tied = {attribute}
    for entry in manifest.attributes:
        if entry.id == attribute:
            tied |= set(entry.exclusive)
        elif attribute in entry.exclusive:
            tied.add(entry.id)
    return np.array([name not in tied for name in attributes]), np.array([name != attribute for name in attributes])


def mean_figures(verdicts: Sequence[Verdict], family: str) -> dict[str, dict[str, Any]]:
    """Unweighted means over the attributes for each direction, and over all edits for ``both``; `n` is summed."""
    means: dict[str, dict[str, Any]] = {}
    selections: dict[str, Callable[[Verdict], bool]] = {d: lambda v, d=d: v.direction == d for d in DIRECTIONS}
    for direction, selected in {**selections, "both": lambda _: True}.items():
        rows = [verdict.figures for verdict in verdicts if verdict.family == family and selected(verdict)]
        if rows:
            averages = {key: _mean([row[key] for row in rows]) for key in rows[0] if key not in _NOT_AVERAGED}
            means[direction] = {**averages, "alpha": rows[0]["alpha"], "n": sum(row["n"] for row in rows)}
    return means


def mean_over_edits(rows: Sequence[Mapping[str, Any]], *, seed: int) -> dict[str, Any]:
    """Unweighted means of figures, with intervals, over those rows that have them; numbers of pictures, ``n…``, are summed."""
    means: dict[str, Any] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = np.array([row[key] for row in rows if key in row], float)
        if key.startswith("n"):
            means[key] = int(values.sum())
        else:
            means |= {key: float(values.mean()), f"{key}_interval": bootstrap_interval(values, seed=seed)}
    return means


def _mean(values: Sequence[float] | np.ndarray) -> float:
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if len(finite) else float("nan")
