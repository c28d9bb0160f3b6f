"""The report of ``evaluate inversion``: one table and one sheet of pictures a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.evaluation.inversion_trials import Trial, with_ratios
from engines.evaluation.photos import credits_of, missing_packages
from engines.evaluation.picture_sets import PictureSet
from engines.evaluation.report import flat
from engines.evaluation.setting import Setting
from engines.imaging.grids import picture_grid

__all__ = ["Shown", "Tried", "write_inversion_report"]


@dataclass(frozen=True, eq=False)
class Shown:
    """A row of the sheet."""

    label: str
    """``best``, ``median`` or ``worst`` by the error of the last method."""
    crop: np.ndarray
    """uint8 [R, R, 3]."""
    made: Sequence[tuple[np.ndarray, float]]
    """What every method made of it, uint8 [R, R, 3], and its error."""


@dataclass(frozen=True, eq=False)
class Tried:
    """What all methods made of one set, or of its degraded pictures."""

    name: str
    trials: Sequence[Trial]
    shown: Sequence[Shown]


def write_inversion_report(
    setting: Setting, sets: Sequence[PictureSet], tried: Sequence[Tried], *, left: int
) -> dict[str, Any]:
    """Writes everything, with the first of `tried` as the report's own. left: inversions that are still to be made.

    Returns {method: figures} of the first, all as `sets`, and `left`.
    """
    report = setting.report("How well pictures are inverted")
    figures = {each.name: with_ratios(each.trials, seed=setting.provenance.seed) for each in tried}
    rows = []
    if left:
        report.text(f"Not whole yet: {left} inversions are still to be made.")
    if len(tried) > 1:
        report.heading("All sets")
        report.text("Median error (`mse_median`) of every method, and the number of pictures; all figures are below.")
        report.table([_overview_row(name, methods) for name, methods in figures.items()])
    for each in tried:
        if len(tried) > 1:
            report.heading(each.name)
        report.table([{"method": method, **row} for method, row in figures[each.name].items()])
        own = f"-{each.name}" if each is not tried[0] else ""
        report.picture("-".join(row.label for row in each.shown) + own, *_sheet(each))
        rows += [{"set": each.name, "method": method, **flat(row)} for method, row in figures[each.name].items()]
    report.heading("What the figures mean")
    report.text(_EXPLANATION)
    if photos := [photo for each in sets for photo in each.photos]:
        report.text(credits_of(photos))
        if missing := missing_packages():
            report.text(f"More photographs come with packages that are not installed here: {', '.join(missing)}.")
    return report.write(rows, {**figures[tried[0].name], "sets": figures, "left": left})


def _overview_row(name: str, methods: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    number = next(iter(methods.values()))["n"]
    return {"set": name, "n": number, **{method: row["mse_median"] for method, row in methods.items()}}


def _sheet(tried: Tried) -> tuple[np.ndarray, str]:
    """All methods side by side, and the caption."""
    methods = [trial.method for trial in tried.trials]
    rows, labels = [], []
    for row in tried.shown:
        rows.append([row.crop, *(picture for picture, _ in row.made)])
        labels.append([row.label, *(f"{m} {mse:.4f}" for m, (_, mse) in zip(methods, row.made, strict=True))])
    *others, last = (row.label for row in tried.shown)
    which = (f"{', '.join(others)} and {last}" if others else last).capitalize()
    caption = f"{which} picture by the error of {methods[-1]}: the picture, then every method with its error."
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

The networks that judge take part elsewhere too. The encoder was trained with the pack's perceptual and identity networks;
`encoder-refine` and `fine-tune` minimise the perceptual distance, and so do methods that search, unless LPIPS lies on the
machine, which they take then. Clone's own loss has neither network; its codes are those of `encoder-refine`.

Degradations: `shifted` moves the aligned picture by 6 % of its side; `darkened` leaves 30 to 50 % of its light; `recompressed`
saves it as a JPEG of quality 12 to 25 with colours at half resolution.
"""
