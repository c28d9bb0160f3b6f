"""The report of ``evaluate ablations``: variants at their calibrated strength and over strengths, how they were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engines.evaluation.curves import draw_charts
from engines.evaluation.edit_report import family_charts
from engines.evaluation.family_curves import EditCurve, curve_rows, family_means
from engines.evaluation.report import flat, split_differences
from engines.evaluation.setting import Setting
from engines.experiments.variants import Variant
from engines.imaging.grids import picture_grid

__all__ = ["Confounding", "Training", "write_ablation_report"]


@dataclass(frozen=True)
class Training:
    """How a variant's maps were trained: means over them, and the seconds of all together, calibration included."""

    steps: float
    best_step: float
    loss_first: float
    loss_best: float
    scale: float
    """Of the maps' own units, strength 1 has so many."""
    seconds: float


@dataclass(frozen=True)
class Confounding:
    """What goes with an attribute in the training labels."""

    attribute: str
    by: tuple[tuple[str, float], ...]
    """The attributes that weigh the samples, with their absolute correlation."""
    missing: int
    """Combinations of these that only one side of the attribute has: their samples have no mass."""


def write_ablation_report(
    setting: Setting,
    variants: Sequence[Variant],
    trainings: Mapping[str, Training],
    calibrated: Sequence[EditCurve],
    curves: Sequence[EditCurve],
    *,
    confounding: Sequence[Confounding],
    agreement: Mapping[str, float],
    examples: Sequence[tuple[str, Sequence[np.ndarray]]],
    without_pictures: Sequence[str],
) -> dict[str, Any]:
    """Writes everything; see :func:`engines.experiments.ablations.run` for the result."""
    seed = setting.provenance.seed
    report = setting.report("What each part of Latent Wasserstein does")
    means = {row["family"]: _named(row) for row in family_means(calibrated, seed=seed)}
    rows = [_as_variant(flat(row)) for row in curve_rows(calibrated, seed=seed)]
    described = {variant.name: {**variant.described(), **asdict(trainings[variant.name])} for variant in variants}
    report.heading("At the calibrated strength")
    for shown in split_differences(list(means.values())):
        report.table(shown)
    report.text(_EXPLANATION)
    if without_pictures:
        report.text(f"No picture among those judged could be edited for: {', '.join(without_pictures)}.")
    result: dict[str, Any] = {"variants": {name: {**means.get(name, {}), **described[name]} for name in described}}
    if curves:
        over, points = family_means(curves, seed=seed), curve_rows(curves, seed=seed)
        report.heading("Over ten strengths from d to 2d")
        for shown in split_differences([_as_variant(row) for row in over]):
            report.table(shown)
        report.text(_OVER_STRENGTHS)
        caption = "Variants from d to 2d, mean over all edits."
        report.picture("curves", draw_charts(family_charts(points), columns=2, panel_px=400), caption)
        report.further_table("curves", [_as_variant(flat(row)) for row in points])
        for row in over:
            result["variants"][row["family"]]["over_strengths"] = {key: row[key] for key in row if key != "family"}
    report.heading("The variants and their training")
    report.table([{"variant": name, **row} for name, row in described.items()])
    report.text(_TRAINING)
    report.heading("What goes together in the training labels")
    report.table([_confounding_row(entry) for entry in confounding])
    if agreement:
        report.heading("Costs against the perceptual distance")
        report.table([{"cost": name, "rank_correlation": value} for name, value in agreement.items()])
        report.text(_AGREEMENT)
    if examples:
        names = [variant.name for variant in variants]
        labels = [[edit, "reconstruction", *names, "truth"] for edit, _ in examples]
        caption = "One person an edit, unselected, at the calibrated strength; last the true counterfactual."
        report.picture("variants", picture_grid([list(pictures) for _, pictures in examples], labels=labels), caption)
    result |= {
        "attributes": {entry.attribute: {"weighted_by": dict(entry.by), "missing": entry.missing} for entry in confounding},
        "cost_agreement": dict(agreement),
        "rows": rows,
    }
    return report.write(rows, result)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of one strength: nothing was chosen, its distance is the plain one."""
    kept = {key.replace("best_distance", "counterfactual_distance"): value for key, value in row.items()}
    return _as_variant({key: value for key, value in kept.items() if key not in ("d", "best_alpha")})


def _as_variant(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"variant" if key == "family" else key: value for key, value in row.items()}


def _confounding_row(entry: Confounding) -> dict[str, Any]:
    by = ", ".join(f"{name} ({gamma:.2f})" for name, gamma in entry.by)
    return {"attribute": entry.attribute, "weighted by (correlation)": by, "combinations on one side only": entry.missing}


_EXPLANATION = """
Every variant differs from the base (target-matched weights, lambda 1, early stopping, Euclidean cost) in one thing. All are
trained on the same codes and calibrated alike, so that strength 1 means "changed" to the image predictor; each is judged there
on the same held-out people, those that by their exact label lack (add) or have (remove) the attribute. `target_change`,
`attribute_preservation`, `identity`, `counterfactual_distance`, `unedited_distance`: as in `evaluate edits`.
`confounder_preservation`: preservation of those attributes alone by which the samples are weighted: where weights help, they
help there. `…_less_first`: difference to the base over the same people. Intervals: 95 %, bootstrap over people; they do not
hold how much another training would differ.
"""

_OVER_STRENGTHS = """
As in `evaluate edits --families`: `d` is where a variant's mean target change reaches `--rate`; measures are means over the ten
strengths, `best_distance` is the distance to the true counterfactual at that of them where it is least.
"""

_TRAINING = """
Means over the maps of a variant. `best_step`: the step whose map was kept. Losses are held-out ones, in each variant's own
units: they compare a training with its beginning, not variants. `scale`: how many of the maps' own units strength 1 is.
"""

_AGREEMENT = """
Spearman's rank correlation of squared distances of held-out codes with the pack's perceptual distance of their pictures, over
pairs of people. The perceptual cost is the quadratic form of codes that best predicts perceptual features linearly; the
Euclidean one is what the base is trained with.
"""
