"""The report of ``evaluate inversion``: one table and one sheet of pictures a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.evaluation.inversion_trials import Trial
from engines.evaluation.photos import missing_packages
from engines.evaluation.picture_sets import PictureSet
from engines.evaluation.report import flat
from engines.evaluation.setting import Setting
from engines.imaging.grids import picture_grid

__all__ = ["write_inversion_report"]

_ROWS = (("best", 0.0), ("median", 0.5), ("worst", 1.0))


def write_inversion_report(
    setting: Setting,
    sets: Sequence[PictureSet],
    trials: Mapping[str, Sequence[Trial]],
    figures: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> dict[str, Any]:
    """Writes everything; `trials` and `figures` are by set and its degradation, the first of which is the report's own."""
    report = setting.report("How well pictures are inverted")
    rows = []
    if len(figures) > 1:
        report.heading("All sets")
        report.text("Median error (`mse_median`) of every method, and the number of pictures; all figures are below.")
        report.table([_overview_row(variant, methods) for variant, methods in figures.items()])
    for variant, methods in figures.items():
        if len(figures) > 1:
            report.heading(variant)
        report.table([{"method": method, **row} for method, row in methods.items()])
        picture, caption = _best_median_worst(trials[variant])
        name = "best-median-worst" if variant == next(iter(figures)) else f"best-median-worst-{variant}"
        report.picture(name, picture, caption)
        rows += [{"set": variant, "method": method, **flat(row)} for method, row in methods.items()]
    report.heading("What the figures mean")
    report.text(_EXPLANATION)
    if credits := [f"- {photo.shows}: {photo.licence}; {photo.source}" for each in sets for photo in each.photos]:
        report.text("Photographs:\n\n" + "\n".join(credits))
        if missing := missing_packages():
            report.text(f"More photographs come with packages that are not installed here: {', '.join(missing)}.")
    first = next(iter(figures.values()))
    return report.write(rows, {**first, "sets": figures})


def _overview_row(variant: str, methods: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    number = next(iter(methods.values()))["n"]
    return {"set": variant, "n": number, **{method: row["mse_median"] for method, row in methods.items()}}


def _best_median_worst(trials: Sequence[Trial]) -> tuple[np.ndarray, str]:
    """All methods side by side on three pictures, chosen by the error of the last method."""
    last = trials[-1]
    order = np.argsort(last.mse, kind="stable")
    rows, labels = [], []
    for name, share in _ROWS:
        index = order[round(share * (len(order) - 1))]
        rows.append([last.crops[index], *(trial.reconstructions[index] for trial in trials)])
        labels.append([name, *(f"{trial.method} {trial.mse[index]:.4f}" for trial in trials)])
    caption = f"Best, median and worst picture by the error of {last.method}: the picture, then every method with its error."
    return picture_grid(rows, labels=labels), caption


_EXPLANATION = """
`mse`: mean squared difference in [-1, 1] between the picture that was given (degraded, where the set says so) and its
reconstruction; `mse_to_best_fixed`: its mean by that of the best method that leaves the generator as it is;
`perceptual`: distance of the pack's own perceptual network; `identity_mean`: cosine of the identity features of picture and
reconstruction; `attributes_kept`: share of the attribute predictions at 0.5 that the reconstruction leaves unchanged;
`twice_identity`: cosine of the identity features of the reconstructions of two uploads of one picture, the second cut by up
to 8 % at each side and rescaled by 0.8 to 1.25, both found and aligned anew (`twice_n` pictures); `seam_worst`: the gradient
across the border of a reconstruction that is blended into its photograph, by the photograph's own, less 1, of the photograph
where it is furthest from 0; `evaluations`: pictures that the generator made on the way. Intervals: 95 %, bootstrap over
pictures. Renders are held out; photographs are harder.

Degradations: `shifted` moves the aligned picture by 6 % of its side; `darkened` leaves 30 to 50 % of its light; `recompressed`
saves it as a JPEG of quality 12 to 25 with colours at half resolution.
"""
