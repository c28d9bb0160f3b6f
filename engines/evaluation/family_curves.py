"""Edit families compared as in Figure 4 and Table 1 of Doubinsky et al. 2023: ten strengths from d to 2d, d a family's own.

A family's d is the strength at which its edits change a given share of pictures, so that families with other units meet at
comparable change. All intervals resample people, the same people for every family: they are right for differences between
families too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from engines.evaluation.edit_verdicts import Edit, Sources, other_attributes
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import attribute_preservation, bootstrap_counts, squared_difference

__all__ = [
    "MEASURES",
    "EditCurve",
    "best_match",
    "curve_rows",
    "edit_curve",
    "family_means",
    "first_strength",
    "interval",
    "means_over_edits",
    "strengths",
]

MEASURES = ("target_change", "attribute_preservation", "identity", "counterfactual_distance")
_STEPS = 10
_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class EditCurve:
    """One edit of one family at S strengths; ten of them for Figure 4."""

    attribute: str
    direction: str
    family: str
    alphas: tuple[float, ...]
    values: Mapping[str, np.ndarray]
    """Measure -> [S, P] over all P sources; NaN where a source is not judged."""
    unedited_distance: np.ndarray | None = None
    """Distance [P] of the unedited reconstruction to the truth, NaN alike; None where no truth is known."""


def first_strength(sweeps: Sequence[Sequence[Mapping[str, float]]], rate: float) -> float:
    """d: where the mean target change over the edits' sweeps first reaches `rate`, by linear interpolation.

    The sweep's first strength where it is above the rate from the start, the last one where it never gets there.
    """
    points = [points for points in sweeps if points and np.isfinite([point["target_change"] for point in points]).all()]
    if not points:
        return 1.0
    alphas = [point["alpha"] for point in points[0]]
    change = np.mean([[point["target_change"] for point in sweep] for sweep in points], axis=0)
    reached = np.flatnonzero(change >= rate)
    if not len(reached):
        return float(alphas[-1])
    j = int(reached[0])
    if j == 0:
        return float(alphas[0])
    share = (rate - change[j - 1]) / (change[j] - change[j - 1])
    return float(alphas[j - 1] + share * (alphas[j] - alphas[j - 1]))


def strengths(first: float) -> tuple[float, ...]:
    """Ten strengths from d to 2d."""
    return tuple(float(alpha) for alpha in np.linspace(first, 2 * first, _STEPS))


def edit_curve(
    judges: Judges,
    sources: Sources,
    edit: Edit,
    chosen: np.ndarray,
    truths: np.ndarray,
    family: str,
    alphas: Sequence[float],
    groups: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> EditCurve:
    """What the edit does to the sources `chosen` [m] at every strength; truths uint8 [m, R, R, 3].

    groups: further measures, the preservation of these attributes bool [K] alone.
    """
    k, wanted = judges.attributes.index(edit.attribute), edit.direction == "add"
    untied, _ = other_attributes(judges.pack.manifest, judges.attributes, edit.attribute)
    before, reconstruction = sources.probabilities[chosen], sources.reconstructions[chosen]
    values = {measure: np.full((len(alphas), len(sources.codes)), np.nan) for measure in (*MEASURES, *groups)}
    changeable = (before[:, k] > 0.5) != wanted
    for row, alpha in enumerate(alphas):
        edited = edit.pictures(judges, sources.codes[chosen], alpha)
        after = judges.probabilities(edited)
        values["target_change"][row, chosen] = np.where(changeable, (after[:, k] > 0.5) == wanted, np.nan)
        values["attribute_preservation"][row, chosen] = attribute_preservation(before, after, untied)
        values["identity"][row, chosen] = judges.identity_similarity(reconstruction, edited)
        values["counterfactual_distance"][row, chosen] = squared_difference(edited, truths)
        for name, others in groups.items():
            values[name][row, chosen] = attribute_preservation(before, after, others)
    unedited = np.full(len(sources.codes), np.nan)
    unedited[chosen] = squared_difference(reconstruction, truths)
    return EditCurve(edit.attribute, edit.direction, family, tuple(alphas), values, unedited)


def means_over_edits(values: np.ndarray, *, seed: int, resamples: int = _RESAMPLES) -> np.ndarray:
    """Mean over edits of the mean over people of `values` [E, P] (NaN: not judged): [1 + resamples].

    The first one is that of all people, the others are bootstrap means over people; the same seed and number of people
    draw the same people for any values.
    """
    people = values.shape[1]
    weights = np.vstack([np.ones(people), bootstrap_counts(people, seed, resamples)])  # [1 + R, P]
    judged = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        per_edit = (weights @ np.where(judged, values, 0).T) / (weights @ judged.T)  # [1 + R, E]
    there = np.isfinite(per_edit)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(there, per_edit, 0).sum(axis=1) / there.sum(axis=1)


def best_match(curve: EditCurve) -> int:
    """Index of the strength whose pictures are nearest to the truth in the mean."""
    return int(np.nanmean(curve.values["counterfactual_distance"], axis=1).argmin())


def curve_rows(curves: Sequence[EditCurve], *, seed: int) -> list[dict[str, Any]]:
    """One line an edit, family and strength, with intervals, and the lines of ``mean`` over the edits of a family."""
    measures = tuple(curves[0].values) if curves else ()
    rows = []
    for curve in curves:
        for j, alpha in enumerate(curve.alphas):
            line = {"attribute": curve.attribute, "direction": curve.direction, "family": curve.family, "alpha": alpha}
            rows.append(line | _figures({m: curve.values[m][j][None] for m in measures}, seed))
    for family in dict.fromkeys(curve.family for curve in curves):
        own = [curve for curve in curves if curve.family == family]
        for j, alpha in enumerate(own[0].alphas):
            line = {"attribute": "mean", "direction": "both", "family": family, "alpha": alpha}
            rows.append(line | _figures({m: np.stack([c.values[m][j] for c in own]) for m in measures}, seed))
    return rows


def family_means(curves: Sequence[EditCurve], *, seed: int) -> list[dict[str, Any]]:
    """Table 1: a family's means over edits and strengths, the distance at the best strength of every edit, and differences.

    ``x_less_first``: the paired difference to the first family, with its interval.
    """
    families: dict[str, list[EditCurve]] = {}
    for curve in curves:
        families.setdefault(curve.family, []).append(curve)
    drawn = {family: _drawn_means(own, seed) for family, own in families.items()}
    first = next(iter(drawn.values()), {})
    rows = []
    for family, own in families.items():
        best_alpha = float(np.mean([curve.alphas[best_match(curve)] for curve in own]))
        row: dict[str, Any] = {"family": family, "d": own[0].alphas[0], "best_alpha": best_alpha, "edits": len(own)}
        for name, means in drawn[family].items():
            row[name], row[f"{name}_interval"] = float(means[0]), interval(means)
        for name in (name for name in drawn[family] if name != "unedited_distance"):
            less = drawn[family][name] - first[name]
            row[f"{name}_less_first"], row[f"{name}_less_first_interval"] = float(less[0]), interval(less)
        rows.append(row)
    return rows


def _drawn_means(curves: Sequence[EditCurve], seed: int) -> dict[str, np.ndarray]:
    """Bootstrap means over the edits of one family: of the measures over all strengths, and of the distances."""
    rates = [measure for measure in curves[0].values if measure != "counterfactual_distance"]
    tables = {measure: np.stack([curve.values[measure].mean(axis=0) for curve in curves]) for measure in rates}
    tables["best_distance"] = np.stack([curve.values["counterfactual_distance"][best_match(curve)] for curve in curves])
    unknown = np.full(tables["best_distance"].shape[1], np.nan)
    distances = [unknown if curve.unedited_distance is None else curve.unedited_distance for curve in curves]
    tables["unedited_distance"] = np.stack(distances)
    return {name: means_over_edits(table, seed=seed) for name, table in tables.items()}


def _figures(tables: Mapping[str, np.ndarray], seed: int) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for name, table in tables.items():
        means = means_over_edits(table, seed=seed)
        line[name], line[f"{name}_interval"] = float(means[0]), interval(means)
    return line


def interval(means: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of the resampled ones; (NaN, NaN) where there are none."""
    drawn = means[1:][np.isfinite(means[1:])]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
