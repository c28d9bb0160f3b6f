"""The report of ``evaluate edits``: tables, curves, and one row of pictures an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.editing.family import DIRECTIONS
from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.edit_verdicts import Verdict, mean_figures
from engines.evaluation.family_curves import EditCurve, best_match, curve_rows, family_means
from engines.evaluation.report import ReportFolder, flat
from engines.evaluation.setting import Setting
from engines.imaging.grids import picture_grid

__all__ = ["family_charts", "write_edit_report"]

_EXAMPLE_LABELS = ("picture", "reconstruction", "edited", "truth")
"""The first one gives way to the edit's name."""

_SHOWN = (
    "target_change",
    "attribute_preservation",
    "identity",
    "class_kept",
    "counterfactual_distance",
    "unedited_distance",
    "reconstruction_distance",
    "true_target_change",
    "true_attribute_preservation",
    "n",
)


def write_edit_report(
    setting: Setting,
    verdicts: Sequence[Verdict],
    curves: Sequence[EditCurve] = (),
    *,
    families: Sequence[str],
    without_pictures: Sequence[str],
) -> dict[str, Any]:
    """Writes everything; returns {A: {direction: {family: figures}}} with `mean` in the same form.

    With `curves` the figures of an edit have a `curve` and its best strength, those of `mean`, `both` also `over_strengths`.
    """
    report = setting.report("What edits change, keep, and how near they come to the truth")
    means = {family: mean_figures(verdicts, family) for family in families}
    result: dict[str, Any] = {}
    for verdict in verdicts:
        result.setdefault(verdict.attribute, {}).setdefault(verdict.direction, {})[verdict.family] = verdict.figures
    for family, directions in means.items():
        for direction, figures in directions.items():
            result.setdefault("mean", {}).setdefault(direction, {})[family] = figures
    rows = [_row(v.attribute, v.direction, v.family, v.figures) for v in verdicts]
    mean_rows = [_row("mean", d, family, figures) for family in families for d, figures in means[family].items()]

    report.table([_shown(row) for row in mean_rows])
    report.text(_EXPLANATION)
    if without_pictures:
        report.text(f"No picture among those judged could be edited for: {', '.join(without_pictures)}.")
    if tied := _tied(setting):
        report.text(f"Tied attributes, left out of `attribute_preservation`: {tied}.")
    if curves:
        _comparison(report, curves, result, seed=setting.provenance.seed)
    report.heading("Every edit")
    report.table([_shown(row) for row in rows])
    _curves(report, verdicts, families)
    _examples(report, verdicts, families)
    return report.write([*rows, *mean_rows], result)


def _comparison(report: ReportFolder, curves: Sequence[EditCurve], result: dict[str, Any], *, seed: int) -> None:
    """Figure 4 and Table 1: into the report, ``curves.csv`` and ``families.csv``, and into `result`."""
    rows, table = curve_rows(curves, seed=seed), family_means(curves, seed=seed)
    report.further_table("curves", [flat(row) for row in rows])
    report.further_table("families", [flat(row) for row in table])
    report.heading("Families compared over ten strengths from d to 2d")
    report.table([{key.replace("_interval", " 95 %"): value for key, value in row.items()} for row in table])
    report.text(_COMPARISON)
    charts = family_charts(rows)
    report.picture("families", draw_charts(charts, columns=2, panel_px=360), "Families from d to 2d, mean over all edits.")
    for row in table:
        figures = {key: value for key, value in row.items() if key != "family"}
        result["mean"]["both"][row["family"]]["over_strengths"] = figures
    for curve in curves:
        own = [row for row in rows if all(row[key] == getattr(curve, key) for key in ("attribute", "direction", "family"))]
        points = [{key: row[key] for key in row if key not in ("attribute", "direction", "family")} for row in own]
        best = points[best_match(curve)]
        result[curve.attribute][curve.direction][curve.family] |= {
            "best_alpha": best["alpha"],
            "best_distance": best["counterfactual_distance"],
            "best_distance_interval": best["counterfactual_distance_interval"],
            "curve": points,
        }


def family_charts(rows: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """What families keep against what they change, from the lines of ``mean`` among `rows` (see `curve_rows`)."""
    means = [row for row in rows if row["attribute"] == "mean"]
    charts = []
    for measure in ("attribute_preservation", "identity"):
        lines = []
        for family in dict.fromkeys(row["family"] for row in means):
            own = [mean for mean in means if mean["family"] == family]
            lines.append(Line(family, [mean["target_change"] for mean in own], [mean[measure] for mean in own]))
        if any(np.isfinite(line.y).any() for line in lines):
            charts.append(Chart("mean over attributes", "target change", measure.replace("_", " "), lines))
    return charts


def _row(attribute: str, direction: str, family: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the table."""
    return {"attribute": attribute, "direction": direction, "family": family, **flat(figures)}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: row[key] for key in ("attribute", "direction", "family")}
    for key in _SHOWN:
        shown[key] = row[key]
        if key == "target_change" and f"{key}_low" in row:
            shown["95 %"] = [row[f"{key}_low"], row[f"{key}_high"]]
    return shown


def _tied(setting: Setting) -> str:
    listed = [(entry.id, entry.exclusive) for entry in setting.pack.manifest.attributes if entry.exclusive]
    return "; ".join(f"{name} with {', '.join(exclusive)}" for name, exclusive in listed)


def _curves(report: ReportFolder, verdicts: Sequence[Verdict], families: Sequence[str]) -> None:
    if not any(verdict.sweep for verdict in verdicts):
        return
    summary = []
    measured = [m for m in ("attribute_preservation", "identity") if _measured(verdicts, m)]
    for measure in measured:
        lines = []
        for family in families:
            for direction in DIRECTIONS:
                sweeps = [v.sweep for v in verdicts if (v.family, v.direction) == (family, direction) and v.sweep]
                if sweeps:
                    points = (_over_alpha(sweeps, key) for key in ("target_change", measure))
                    lines.append(Line(f"{family} {direction}", *points))
        summary.append(Chart("mean over attributes", "target change", measure.replace("_", " "), lines))
    caption = "What is kept against what is changed, one point a strength, mean over attributes."
    if summary:
        report.picture("curves", draw_charts(summary, columns=2, panel_px=360), caption)
    single = []
    for attribute in dict.fromkeys(verdict.attribute for verdict in verdicts):
        lines = [
            Line(f"{v.family} {v.direction}", [p["alpha"] for p in v.sweep], [p["target_change"] for p in v.sweep])
            for v in verdicts
            if v.attribute == attribute and v.sweep
        ]
        single.append(Chart(attribute, "strength", "target change", lines))
    report.picture("curves-by-attribute", draw_charts(single, columns=min(6, len(single))), "Target change by strength.")


def _measured(verdicts: Sequence[Verdict], measure: str) -> bool:
    """Whether a measure has any value: a pack without an identity network has no identity, one attribute alone no others."""
    return any(np.isfinite(point[measure]) for verdict in verdicts for point in verdict.sweep)


def _over_alpha(sweeps: Sequence[Sequence[Mapping[str, float]]], key: str) -> list[float]:
    """Mean of a measure over attributes, one value a strength; attributes where nothing could change are left out."""
    table = np.array([[point[key] for point in points] for points in sweeps])
    return [float(np.nanmean(column)) if np.isfinite(column).any() else float("nan") for column in table.T]


def _examples(report: ReportFolder, verdicts: Sequence[Verdict], families: Sequence[str]) -> None:
    for family in families:
        shown = {(v.attribute, v.direction): v.example for v in verdicts if v.family == family}
        if not shown:
            continue
        attributes = list(dict.fromkeys(attribute for attribute, _ in shown))
        blank = (np.full_like(next(iter(shown.values()))[0], 255),) * len(_EXAMPLE_LABELS)
        rows = [[picture for d in DIRECTIONS for picture in shown.get((a, d), blank)] for a in attributes]
        labels = [[text for d in DIRECTIONS for text in _labels(a, d, (a, d) in shown)] for a in attributes]
        caption = (
            f"{family}, one row an attribute, left half adding, right half removing: picture, reconstruction, edited, "
            "true counterfactual. Unselected."
        )
        # An asterisk, as in LW*, may not be part of every file system's names.
        report.picture(f"edits-{family.replace('*', '-star')}", picture_grid(rows, labels=labels), caption)


def _labels(attribute: str, direction: str, shown: bool) -> list[str]:
    if not shown:
        return [""] * len(_EXAMPLE_LABELS)
    return [f"{'+' if direction == 'add' else '-'} {attribute}", *_EXAMPLE_LABELS[1:]]


_COMPARISON = """
`d`: the strength at which a family's edits change the share `--rate` of pictures in the mean, so that families of other units
are compared at comparable change. Measures are means over the strengths, the edits that all families have, and people.
`best_distance`: distance to the true counterfactual at that of the ten strengths where it is least, chosen for every edit on
the same pictures (`best_alpha`: its mean), which flatters all families alike; `unedited_distance` is what no edit at all has.
`…_less_first`: difference to the first family over the same people. Intervals: 95 %, bootstrap over people. Every edit's curve
is in curves.csv.
"""

_EXPLANATION = """
Pictures are held-out renders; an edit is applied to the codes of those that by their exact label lack (add) or have
(remove) the attribute. `target_change`: share whose prediction crosses 0.5 to the wanted side, among those
(`n_changeable`) whose reconstruction is predicted on the other side. `attribute_preservation`: mean share of the other
attributes' predictions at 0.5 that stay, without those that are logically tied to the edited one (blond hair ends grey
hair); `attribute_preservation_with_tied` in table.csv counts them too. `identity`: cosine of identity features of
reconstruction and edited picture, a dash for packs without an identity network. `class_kept`: share of which the class
predictor says the same as of the reconstruction, a dash for packs without classes. `counterfactual_distance`: mean squared
difference in [-1, 1], over the whole picture, of the edited picture and a render of the same record with that attribute
flipped; `unedited_distance`: the same for the unedited reconstruction, so an edit helps where the former is the smaller
one; `reconstruction_distance`: reconstruction against its own picture, the part of both that is not the edit's fault.
Perceptual distances are in table.csv. `true_…`: what the same predictors say of the render and its true counterfactual, the
most that an edit can be asked for. Intervals: 95 %, bootstrap over pictures. Means over attributes are unweighted.
"""
