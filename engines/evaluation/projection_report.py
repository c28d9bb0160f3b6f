"""The report of ``evaluate projection``: the table, what was varied beside, ratios, and sheets of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engines.evaluation.projection_runs import Case, Subject
from engines.evaluation.projection_table import Table
from engines.evaluation.report import ReportFolder, flat
from engines.imaging.grids import picture_grid
from engines.losses.lpips_distance import PerceptualKind, alexnet_weights

__all__ = ["shown_cases", "write_projection_report"]

_LEAST_PX = 128
"""Smaller pictures are enlarged on sheets, so that labels fit."""


def shown_cases(main: Sequence[Case]) -> list[Case]:
    """Those of which the sheets show pictures: all methods with the last transform and start, all transforms with the last
    method and start."""
    return list(dict.fromkeys([*_varying(main, "method"), *_varying(main, "transform")]))


def _varying(main: Sequence[Case], name: str) -> list[Case]:
    """The cases that differ from the last one in this at most."""
    last = main[-1]
    return [case for case in main if replace(case, **{name: getattr(last, name)}) == last]


def write_projection_report(
    report: ReportFolder,
    table: Table,
    subjects: Sequence[Subject],
    main: Sequence[Case],
    ablations: Sequence[Case],
    pictures: Mapping[Case, Sequence[np.ndarray]],
    detector: Mapping[str, float],
    *,
    by_steps: bool,
) -> dict[str, Any]:
    """Writes it; returns `rows`, `ablations` and `ratios` as in their tables, and the detector's figures.

    by_steps: whether it is the number of gradient steps that is the same for all runs.
    pictures: of every one of :func:`shown_cases`, what was put back for the first of its pictures, uint8 [R, R, 3] each.
    """
    seed = report.provenance.seed
    rows = [table.row(case, seed=seed) for case in main]
    report.table(rows)
    budget = _SAME_STEPS if by_steps else _SAME_EVALUATIONS
    kind: PerceptualKind = "pack" if alexnet_weights() is None else "lpips-alex"
    known = {name: f"{value:.3f}" for name, value in detector.items()}
    report.text(_EXPLANATION.format(budget=budget, perceptual=_PERCEPTUAL[kind], **known))
    varied = [table.ablation_row(case, seed=seed) for case in (main[-1], *ablations)] if ablations else []
    if varied:
        report.heading("The class vector, and what lies outside the mask")
        report.text(_ABLATIONS)
        report.table(varied)
        report.further_table("ablations", [flat(row) for row in varied])
    ratios = table.ratios(main, seed=seed)
    if ratios:
        report.heading("Ratios")
        report.text(_RATIOS)
        report.table(ratios)
        report.further_table("ratios", [flat(row) for row in ratios])
    _sheets(report, table, subjects, main, pictures)
    result = {"rows": rows, "ablations": varied, "ratios": ratios, **detector}
    return report.write([flat(row) for row in rows], result)


def _sheets(
    report: ReportFolder,
    table: Table,
    subjects: Sequence[Subject],
    main: Sequence[Case],
    pictures: Mapping[Case, Sequence[np.ndarray]],
) -> None:
    last = main[-1]
    crops = [subjects[i].crop for i in table.blocks[last].pictures[: len(pictures[last])]]
    sheets = {
        "methods": ("method", _varying(main, "method")),
        "transforms": ("transform", _varying(main, "transform")),
    }
    for name, (varied, cases) in sheets.items():
        columns = [pictures[case] for case in cases]
        rows = [[_enlarged(picture) for picture in row] for row in zip(crops, *columns, strict=True)]
        labels = [["picture", *(getattr(case, varied) for case in cases)]] + [[""] * len(row) for row in rows[1:]]
        kept = {"method": last.method, "transform": last.transform}
        fixed = ", ".join(f"{key} {value}" for key, value in kept.items() if key != varied)
        start = "the encoder's" if last.encoder else "the mean"
        caption = f"The first pictures, unselected, and what the first seed put back: {fixed}, from {start} latent."
        report.picture(name, picture_grid(rows, labels=labels), caption)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    times = max(1, _LEAST_PX // picture.shape[0])
    return picture.repeat(times, axis=0).repeat(times, axis=1)


_SAME_EVALUATIONS = "pictures from\nthe generator (`evaluations`; a method ends with its batch)"
_SAME_STEPS = "gradient\nsteps, which a population makes together as if they were one"

_PERCEPTUAL: Mapping[PerceptualKind, str] = {
    "pack": "that of the pack's\nown network, not comparable with figures of other projects",
    "lpips-alex": "LPIPS (AlexNet)",
}

_EXPLANATION = """
Objects lie anywhere, in any size and light; their true rectangles are known. Every run gets the same number of {budget},
the mask of the pack's box detector (mean IoU with the true
rectangles {detector_iou_mean}, nine in ten have at least {detector_iou_worst_tenth}) and, where the transform is searched, a
first transform that brings this rectangle to where the generator paints its objects. `l1` and `l2` (mean absolute and squared
difference in [-1, 1]) and `perceptual` are taken inside the true rectangle, of the rounded picture after the inverse
transform; what it does not reach counts as grey. `mean`: over pictures and seeds; `best`: of the best seed of each picture,
figure by figure. The perceptual distance, in the table and in what is minimised, is {perceptual}.
`box_iou`: the detector's rectangle in the generator's picture, brought back, with the true one. `class_right`: how often the
search began with the true class. Adam and L-BFGS from the encoder's latent, where no transform is searched, draw nothing: one
run of theirs counts for every seed. Rows of the same start have the same pictures (`n`) and seeds in common, those of another
start may have others. Intervals: 95 %, bootstrap over pictures.
"""

_ABLATIONS = """
The last case of the table with one thing changed: the class vector of the predicted class kept instead of searched, and the
weight of pixels outside the mask.
"""

_RATIOS = """
Mean perceptual distances by those of the same case with one thing changed, on the pictures and seeds that both have; below 1
where the case named first is nearer.
Intervals: 95 %, paired bootstrap over pictures.
"""
