"""The report of ``evaluate realism``: families at comparable target change, curves over strengths, and growing edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.family_curves import EditCurve, curve_rows, interval, means_over_edits
from engines.evaluation.metrics import bootstrap_interval
from engines.evaluation.report import ReportFolder, flat, split_differences
from engines.evaluation.setting import Setting
from engines.imaging.grids import picture_grid

__all__ = ["TESTS", "comparable_rows", "write_realism_report"]

TESTS = ("normal", "neighbours", "discriminator")
"""What says whether a code is out of distribution."""

_OUTSIDE = tuple(f"outside_{test}" for test in TESTS)
_COMPARED = ("target_change", "norm_share", *_OUTSIDE, "attribute_preservation", "identity")


def write_realism_report(
    setting: Setting,
    curves: Sequence[EditCurve],
    unedited: Mapping[str, np.ndarray],
    *,
    limits: Mapping[str, float],
    spread: float,
    share: float,
    rate: float,
    components: int | None,
    examples: Sequence[tuple[str, Sequence[np.ndarray]]],
    shown_alphas: Sequence[float],
    without_pictures: Sequence[str],
) -> dict[str, Any]:
    """Writes everything; see :func:`engines.evaluation.realism.run` for the result.

    unedited: measure -> [n] of the test codes as they are. examples: a name and its pictures, source and reconstruction first.
    """
    seed = setting.provenance.seed
    report = setting.report("How far edits go from real codes")
    compared = comparable_rows(curves, rate, seed=seed)
    rows = curve_rows(curves, seed=seed)
    real = {
        "limits": dict(limits),
        "spread": spread,
        "components": components,
        "n": len(next(iter(unedited.values()))),
        "unedited": {
            measure: {"mean": float(values.mean()), "interval": bootstrap_interval(values, seed=seed)}
            for measure, values in unedited.items()
            if np.isfinite(values).all()
        },
    }
    report.heading("Families at comparable target change")
    for rows_shown in split_differences(compared):
        report.table(rows_shown)
    report.further_table("families", [flat(row) for row in compared])
    report.text(_EXPLANATION.format(share=share, rate=rate, components=components))
    report.heading("Held-out real codes")
    report.table([{"measure": m, "mean": f["mean"], "95 %": f["interval"]} for m, f in real["unedited"].items()])
    report.text(
        f"Test codes as they are, for comparison: limits come from other held-out codes, so that about {share:g} of these "
        f"lie outside by each test. Root-mean-square distance of real codes from their mean: {spread:.4g}."
    )
    if without_pictures:
        report.text(f"No picture among those judged could be edited for: {', '.join(without_pictures)}.")
    if not np.isfinite(limits["discriminator"]):
        report.text("The discriminator was not asked: the pack has none, or its scores depend on a class.")
    _charts(report, [row for row in rows if row["attribute"] == "mean"], share)
    if examples:
        _examples(report, examples, shown_alphas)
    return report.write(
        [flat(row) for row in rows],
        {"real": real, "families": {row["family"]: row for row in compared}, "rows": [flat(row) for row in rows]},
    )


def comparable_rows(curves: Sequence[EditCurve], rate: float, *, seed: int) -> list[dict[str, Any]]:
    """Every family at the weakest of its strengths where the mean target change is at least `rate`, or else at its last one.

    ``x_less_first``: the difference to the first family over the same people, with its interval.
    """
    families: dict[str, list[EditCurve]] = {}
    for curve in curves:
        families.setdefault(curve.family, []).append(curve)
    rows, first = [], None
    for family, own in families.items():
        changes = [means_over_edits(_stack(own, "target_change", j), seed=seed)[0] for j in range(len(own[0].alphas))]
        reached = [j for j, change in enumerate(changes) if change >= rate]
        place = reached[0] if reached else len(changes) - 1
        drawn = {measure: means_over_edits(_stack(own, measure, place), seed=seed) for measure in _COMPARED}
        first = first or drawn
        row: dict[str, Any] = {"family": family, "alpha": own[0].alphas[place], "reached": bool(reached), "edits": len(own)}
        for measure, means in drawn.items():
            row[measure], row[f"{measure}_interval"] = float(means[0]), interval(means)
        for measure in ("norm_share", *_OUTSIDE):
            less = drawn[measure] - first[measure]
            row[f"{measure}_less_first"], row[f"{measure}_less_first_interval"] = float(less[0]), interval(less)
        rows.append(row)
    return rows


def _stack(curves: Sequence[EditCurve], measure: str, place: int) -> np.ndarray:
    return np.stack([curve.values[measure][place] for curve in curves])


def _charts(report: ReportFolder, means: Sequence[Mapping[str, Any]], share: float) -> None:
    """Out-of-distribution shares and norms over strengths, and again over what the edits change."""
    families = list(dict.fromkeys(row["family"] for row in means))
    charts = []
    for x_label, x_key in (("strength", "alpha"), ("target change", "target_change")):
        for measure in (*_OUTSIDE, "norm_share"):
            lines = []
            for family in families:
                # With no edit there is no target change: that point has no place on the second row's axis but 0.
                own = [row for row in means if row["family"] == family]
                x = [row[x_key] if np.isfinite(row[x_key]) else 0.0 for row in own]
                ends = [row[f"{measure}_interval"] for row in own]
                band = ([low for low, _ in ends], [high for _, high in ends])
                lines.append(Line(family, x, [row[measure] for row in own], band))
            if any(np.isfinite(line.y).any() for line in lines):
                outside = measure != "norm_share"
                if outside:
                    end = max((max(line.x) for line in lines), default=1.0)
                    lines.append(Line("real codes", [0.0, end], [share, share]))
                title = "norm of the edit" if not outside else f"out of distribution: {measure.removeprefix('outside_')}"
                y_label = "share of the codes' spread" if not outside else "share of edited codes"
                charts.append(Chart(title, x_label, y_label, lines, "share" if outside else "plain"))
    caption = (
        "Mean over all edits; shades are 95 % intervals over people. Above over strength, below over what the edits change."
    )
    report.picture("curves", draw_charts(charts, columns=len(charts) // 2), caption)


def _examples(report: ReportFolder, examples: Sequence[tuple[str, Sequence[np.ndarray]]], alphas: Sequence[float]) -> None:
    labels = [[name, "reconstruction", *(f"{alpha:g}" for alpha in alphas)] for name, _ in examples]
    caption = "One person a row, unselected: picture, reconstruction, and edits of growing strength."
    report.picture("strengths", picture_grid([list(pictures) for _, pictures in examples], labels=labels), caption)


_EXPLANATION = """
Every family at the weakest of the judged strengths where its edits change the share {rate:g} of pictures in the mean
(`reached`: whether any does; else the last one). `norm_share`: length of the change of the code, divided by the
root-mean-square distance of real codes from their mean. `outside_normal`: share of edited codes less likely than the share
{share:g} of held-out real codes is, by a normal density with {components} principal components and isotropic rest, fitted on
the codes of training pictures; `outside_neighbours`: the same by the distance to the fifth nearest training code;
`outside_discriminator`: the same by the discriminator's score of the pictures that the codes give, each picture a batch of its
own. The density cannot see a code that is wrong in a direction where real codes vary, the discriminator cannot see what the
generator always does wrong, and all edits of a rare attribute lead to rarer codes: compare families, and with the codes
as they are. A family that moves styles and not codes has norm 0. `…_less_first`: difference to the first family over the
same people. Intervals: 95 %, bootstrap over people. Strength 0 in table.csv: the same people's codes without any edit.
"""
