"""The report of ``evaluate architectures``: figures at the last check and on the way there, and unselected samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.setting import Setting
from engines.experiments.competitor import Competitor
from engines.generators.labels import one_hot
from engines.imaging.grids import picture_grid

__all__ = ["write_architecture_report"]

_COLUMNS = 10
_PANEL_PX = 380


def write_architecture_report(
    setting: Setting, competitors: Sequence[Competitor], rows: Sequence[Mapping[str, Any]], *, by_steps: bool
) -> dict[str, Any]:
    """Writes everything; returns architecture -> its figures at the last check, its sizes among them.

    by_steps: whether the budget was one of steps: curves run over these then.
    """
    report = setting.report("Class-conditional generators for the same processor time")
    last = {row["architecture"]: row for row in rows}
    result = {}
    for competitor in competitors:
        name, (generator, discriminator) = competitor.architecture.name, competitor.parameters
        sizes = {"generator_parameters": generator, "discriminator_parameters": discriminator}
        recipe = {"loss": competitor.architecture.loss, "generator_rate": competitor.architecture.rate}
        result[name] = {**last[name], **sizes, **recipe}
    report.table(list(result.values()))
    report.text("\n".join(f"- {row.architecture.name}: {row.architecture.described}." for row in competitors))
    report.text(_EXPLANATION)
    report.heading("On the way there")
    report.table(rows)
    report.picture("curves", draw_charts(_charts(rows, by_steps=by_steps), columns=2, panel_px=_PANEL_PX), _CURVES)
    for competitor in competitors:
        name = competitor.architecture.name
        grid = _grid(competitor, len(setting.pack.manifest.classes), seed=setting.provenance.seed)
        caption = f"{name}: the first {_COLUMNS} samples of every class, a class a row, unselected."
        report.picture(f"samples-{name.lower()}", grid, caption)
    return report.write(rows, result)


def _charts(rows: Sequence[Mapping[str, Any]], *, by_steps: bool) -> list[Chart]:
    names = list(dict.fromkeys(row["architecture"] for row in rows))
    label = "steps" if by_steps else "minutes of processor time"

    def lines(figure: str) -> list[Line]:
        return [_line(name, [row for row in rows if row["architecture"] == name], figure, by_steps=by_steps) for name in names]

    return [
        Chart("Fréchet ratio", label, "fd_ratio", lines("fd_ratio"), scale="plain"),
        Chart("Asked class recognised", label, "class_agreement", lines("class_agreement")),
    ]


def _line(name: str, rows: Sequence[Mapping[str, Any]], figure: str, *, by_steps: bool) -> Line:
    x = [row["steps"] if by_steps else row["processor_seconds"] / 60 for row in rows]
    return Line(name, x, [row[figure] for row in rows])


def _grid(competitor: Competitor, class_count: int, *, seed: int) -> np.ndarray:
    pictures = competitor.samples(one_hot(np.arange(class_count).repeat(_COLUMNS), class_count), seed=seed)
    return picture_grid([list(pictures[start : start + _COLUMNS]) for start in range(0, len(pictures), _COLUMNS)])


_CURVES = "Figures of unselected samples at every check."

_EXPLANATION = """
Both are trained from scratch, in turns in one process, with the same pictures in the same order, discriminators of the same
sizes and first weights, R1, batch size and averaging of weights; learning rates stay as they are given. `processor_seconds`:
of the training steps alone, all threads together: an hour on two cores is two hours of it. `fd_ratio`: Fréchet distance of
features of the class predictor, of samples to held-out renders, over that of as many training renders to the same held-out
renders; 1 would be as close as real pictures. The ratio depends on the number of samples: compare within this report.
`precision`, `recall`: Kynkäänniemi et al. 2019, k = 3. `class_agreement`: share of the samples that the class predictor takes
for the class asked for. Samples come from averaged weights without truncation; BigGAN-deep's with standing statistics (Brock et
al. 2019).
"""
