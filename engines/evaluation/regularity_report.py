"""The report of ``evaluate regularity``: one line a point of the trade-off, curves, and a sheet of pictures a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.edits import Job
from engines.evaluation.family_curves import interval, means_over_edits
from engines.evaluation.report import ReportFolder, flat
from engines.evaluation.setting import Setting
from engines.imaging.grids import picture_grid

__all__ = ["Point", "Sheet", "point_figures", "write_regularity_report"]

_EDIT_MEASURES = (
    "target_change",
    "attribute_preservation",
    "identity",
    "counterfactual_distance",
    "unedited_distance",
    "counterfactual_perceptual",
    "unedited_perceptual",
)


@dataclass(frozen=True, eq=False)
class Point:
    """One way to make codes of n pictures, judged."""

    name: str
    pull: float | None
    """t, where the codes are the encoder's and pulled."""
    per_picture: Mapping[str, np.ndarray]
    """Measure of distortion or regularity -> [n]."""
    edits: Mapping[str, np.ndarray]
    """Measure of edits -> [E, n]; NaN where an edit is not judged on a picture."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """One person's pictures: a row a point."""

    person: int
    jobs: Sequence[Job]
    """The edits shown, in order."""
    picture: np.ndarray
    """uint8 [R, R, 3]."""
    truths: Sequence[np.ndarray]
    """What the edits should have made of it, uint8 [R, R, 3] each."""
    rows: list[list[np.ndarray]] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)

    def add_row(self, name: str, picture: np.ndarray, reconstruction: np.ndarray, label: str) -> None:
        self.rows.append([picture, reconstruction])
        self.labels.append([name, label])

    def add_edit(self, picture: np.ndarray) -> None:
        """The next of `jobs` in the row that was added last."""
        job = self.jobs[len(self.rows[-1]) - 2]
        self.rows[-1].append(picture)
        self.labels[-1].append(f"{'+' if job.direction == 'add' else '-'} {job.attribute}")

    def grid(self) -> np.ndarray:
        """All rows, and below them the truth: uint8 [H, W, 3]."""
        truth = [self.picture, np.full_like(self.picture, 255), *self.truths]
        labels = ["", "", *("truth" for _ in self.truths)]
        return picture_grid([*self.rows, truth], labels=[*self.labels, labels])


def write_regularity_report(
    setting: Setting,
    points: Sequence[Point],
    jobs: Sequence[Job],
    sheets: Sequence[Sheet],
    *,
    spread: float,
    without_pictures: Sequence[str],
) -> dict[str, Any]:
    """Writes everything; see :func:`engines.evaluation.regularity.run` for the result."""
    seed = setting.provenance.seed
    figures = point_figures(points, seed=seed)
    chosen = min(figures, key=lambda name: figures[name]["counterfactual_distance"])
    as_good = [name for name, row in figures.items() if name != chosen and row["distance_less_chosen_interval"][0] <= 0]
    report = setting.report("Codes that reconstruct, and codes that can be edited")
    rows = [{"point": name, **row} for name, row in figures.items()]
    for keys in _TABLES:
        report.table([_shown(row, ("point", *keys)) for row in rows])
    report.heading("Which point the figures choose")
    report.text(_choice(figures, chosen, as_good))
    _charts(report, points, figures)
    report.heading("How to read it")
    report.text(_EXPLANATION.format(spread=spread))
    if without_pictures:
        report.text(f"No picture among those judged could be edited for: {', '.join(without_pictures)}.")
    for number, sheet in enumerate(sheets, start=1):
        caption = "A row a point: picture, reconstruction, edits at 1.0; below, what the renderer makes of the same edits."
        report.picture(f"person-{number}", sheet.grid(), f"{caption} Unselected: picture {number} of the set.")
    report.further_table("edits", [flat(row) for row in _edit_rows(points, jobs, seed)])
    return report.write(
        [flat(row) for row in rows], {"points": figures, "chosen": chosen, "as_good": as_good, "spread": spread}
    )


def point_figures(points: Sequence[Point], *, seed: int) -> dict[str, dict[str, Any]]:
    """{name: figures}: means over pictures, or over edits of the means over pictures, each with a 95 % interval over people.

    ``distance_less_chosen``: the distance to the truth less that of the point where it is least, over the same people.
    """
    drawn = {point.name: _drawn(point, seed) for point in points}
    distances = {name: means["counterfactual_distance"] for name, means in drawn.items()}
    least = min(distances.values(), key=lambda means: means[0])
    figures = {}
    for point in points:
        row: dict[str, Any] = {"pull": point.pull}
        for measure, means in {**drawn[point.name], "distance_less_chosen": distances[point.name] - least}.items():
            row[measure], row[f"{measure}_interval"] = float(means[0]), interval(means)
        judged = np.isfinite(point.edits["counterfactual_distance"])
        row |= {"n": judged.shape[1], "edits": judged.shape[0], "edited": int(judged.sum())}
        figures[point.name] = row
    return figures


def _drawn(point: Point, seed: int) -> dict[str, np.ndarray]:
    """Bootstrap means [1 + resamples] of every measure; the same people are drawn for all points."""
    means = {measure: means_over_edits(values[None], seed=seed) for measure, values in point.per_picture.items()}
    tables = {measure: point.edits[measure] for measure in _EDIT_MEASURES}
    could = np.where(np.isfinite(tables["counterfactual_distance"]), np.isfinite(tables["target_change"]), np.nan)
    tables["changeable"] = could
    means |= {measure: means_over_edits(table, seed=seed) for measure, table in tables.items()}
    means["editability"] = means["target_change"] * means["attribute_preservation"]
    means["gain"] = means["unedited_distance"] - means["counterfactual_distance"]
    return means


def _edit_rows(points: Sequence[Point], jobs: Sequence[Job], seed: int) -> list[dict[str, Any]]:
    rows = []
    for point in points:
        for number, job in enumerate(jobs):
            row: dict[str, Any] = {"point": point.name, "attribute": job.attribute, "direction": job.direction}
            for measure in _EDIT_MEASURES:
                means = means_over_edits(point.edits[measure][number][None], seed=seed)
                row[measure], row[f"{measure}_interval"] = float(means[0]), interval(means)
            rows.append({**row, "n": len(job.chosen)})
    return rows


def _shown(row: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Some columns, and of some of these the intervals, as ``x 95 %``: all of them would make the table too wide to read."""
    shown = {}
    for key in keys:
        shown[key] = row[key]
        if key in _INTERVALS_SHOWN:
            shown[f"{key} 95 %"] = row[f"{key}_interval"]
    return shown


def _choice(figures: Mapping[str, Mapping[str, Any]], chosen: str, as_good: Sequence[str]) -> str:
    def best(measure: str, *, least: bool = False) -> str:
        values = {name: row[measure] for name, row in figures.items() if np.isfinite(row[measure])}
        if not values:
            return "none"
        name = (min if least else max)(values, key=lambda name: values[name])
        return f"`{name}` ({values[name]:.3g})"

    others = "every other point is farther away by more than chance"
    if as_good:
        others = f"not told apart from it by these pictures: {', '.join(f'`{name}`' for name in as_good)}"
    return (
        f"**`{chosen}`**: its edited pictures are nearest to the truth ({figures[chosen]['counterfactual_distance']:.3g}); "
        f"{others}. "
        f"Best reconstruction: {best('mse', least=True)} by pixels, {best('perceptual', least=True)} by perceptual distance. "
        f"Best edits, target change times preservation: {best('editability')}. Nearest to the truth by perceptual distance: "
        f"{best('counterfactual_perceptual', least=True)}."
    )


def _charts(report: ReportFolder, points: Sequence[Point], figures: Mapping[str, Mapping[str, Any]]) -> None:
    charts = []
    for x, distance, unedited in (
        ("mse", "counterfactual_distance", "unedited_distance"),
        ("perceptual", "counterfactual_perceptual", "unedited_perceptual"),
    ):
        x_label = f"distortion: {x}"
        lines = _lines(points, figures, x, "editability")
        charts.append(Chart("what edits do", x_label, "target change x preservation", lines, "plain"))
        order = sorted(figures, key=lambda name: figures[name][x])
        names = ["unedited", *("" for _ in order[1:])]
        nothing = Line("unedited", [figures[p][x] for p in order], [figures[p][unedited] for p in order], names=names)
        lines = [*_lines(points, figures, x, distance), nothing]
        charts.append(Chart("distance to the true counterfactual", x_label, distance.replace("_", " "), lines, "plain"))
    caption = (
        "Distortion against what edits do: to the left reconstructions are better. A line joins the encoder's codes, pulled; "
        "t = 0 has one w for all layers, t = 1 is the code itself. Right: below the line of the unedited reconstruction an "
        "edit brings the picture nearer to the truth."
    )
    report.picture("curves", draw_charts(charts, columns=2, panel_px=400), caption)


def _lines(points: Sequence[Point], figures: Mapping[str, Mapping[str, Any]], x: str, y: str) -> list[Line]:
    along = [point.name for point in points if point.pull is not None]
    groups = [("encoder, pulled", along), *((point.name, [point.name]) for point in points if point.pull is None)]
    return [Line(label, [figures[p][x] for p in own], [figures[p][y] for p in own], names=own) for label, own in groups]


_TABLES = (
    ("mse", "perceptual", "reconstruction_identity", "layer_spread", "density", "outside"),
    ("target_change", "attribute_preservation", "identity", "editability", "changeable"),
    ("counterfactual_distance", "unedited_distance", "gain", "distance_less_chosen", "counterfactual_perceptual"),
)
_INTERVALS_SHOWN = (
    "mse", "target_change", "attribute_preservation", "counterfactual_distance", "gain", "distance_less_chosen"
)  # fmt: skip

_EXPLANATION = """
A code of W+ has a vector for every layer of the generator. Random pictures come from one vector for all layers, out of the
mapping network, and edits were learned around codes that do not leave these too far. `t=…`: the encoder's code w with every
layer moved towards or away from their mean m, m + t (w - m); methods: their codes as they come.

*Distortion*, smaller is better. `mse`: mean squared difference in [-1, 1] of picture and reconstruction; `perceptual`: distance
of the pack's perceptual network; `reconstruction_identity`: cosine of identity features of picture and reconstruction (here
larger is better).

*Regularity.* `layer_spread`: root mean square distance of the layers' vectors from their mean, by that of the mapping
network's vectors from theirs ({spread:.4g}): 0 is one vector for all layers, at 1 the layers of one picture differ as much as
different pictures do. `density`: log density of the layers' vectors per coordinate, under a normal density fitted on vectors of
the mapping network, less what such vectors have themselves: 0 is usual, and it falls steeply where those fill only some of the
directions. `outside`: share of the layers' vectors less likely than 5 % of the mapping network's are.

*Edits* at strength 1.0, every attribute, both directions, as in `evaluate edits`: `target_change` among the pictures whose
reconstruction does not show the wanted answer already (`changeable`: their share; where it is low, reconstructions have lost
attributes, and target change is about fewer people), `attribute_preservation` and `identity` between the unedited
reconstruction and the edited picture: a code that is far from its picture keeps what it shows easily. `editability`: target
change times preservation. `counterfactual_distance`: mean squared difference of the edited picture and the render of the same
record with the attribute flipped; it counts what is wrong by reconstruction and by edit alike, which makes it the figure to
choose by. `unedited_distance`: the same without the edit; `gain`: how much nearer the edit brings the picture.
`distance_less_chosen`: difference to the chosen point over the same people.

Intervals: 95 %, bootstrap over people. Means over edits are unweighted. All intervals are in table.csv, every edit is in
edits.csv.
"""
