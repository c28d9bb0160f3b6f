"""``evaluate optimisers``: the searching methods against each other with the same number of pictures from the generator.

Seconds depend on the machine and on how well a method fills a batch; evaluations do not. All methods search the same space,
and for every picture and seed what they find is compared at the same number of evaluations.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from engines.core.errors import OptionError
from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.metrics import bootstrap_interval
from engines.evaluation.picture_sets import chosen_names
from engines.evaluation.report import ReportFolder, flat
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.ways import inverted
from engines.imaging.grids import picture_grid
from engines.inversion.options import Space
from engines.inversion.project import SEARCHES
from engines.inversion.result import Inversion

__all__ = ["HELP", "Comparison", "add_arguments", "loss_at", "run"]

HELP = "loss against generator evaluations of the optimisers, on the same pictures and seeds"

_OPTIMISERS = tuple(method.id for method in SEARCHES)
_CURVE_POINTS = 60
_SHOWN = 6  # pictures on the sheet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=30)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="runs of every method on every picture (default 5)")
    parser.add_argument(
        "--evaluations", type=int, default=1500, metavar="N", help="pictures the generator makes in a run (default 1500)"
    )
    parser.add_argument(
        "--methods", default=",".join(_OPTIMISERS), metavar="M,…", help="which methods (default: all that search)"
    )
    parser.add_argument("--space", choices=get_args(Space), default="w", help="the latent space all of them search (default w)")
    parser.add_argument(
        "--start",
        choices=("mean", "encoder"),
        default="mean",
        help="begin around the mean latent (default), or at the encoder's",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: figures} and `curves`: {`evaluations`: [..], method: [mean loss ..]}."""
    for name in ("seeds", "evaluations"):
        if getattr(arguments, name) < 1:
            raise OptionError(f"--{name} {getattr(arguments, name)}: at least one is needed.")
    options = {name: getattr(arguments, name) for name in ("seeds", "evaluations", "methods", "space", "start")}
    setting = Setting.open(arguments, "evaluate optimisers", options)
    methods = chosen_names("methods", arguments.methods, [m for m in _OPTIMISERS if m in setting.pack.manifest.methods])
    if arguments.space not in setting.pack.manifest.latent.spaces:
        spaces = ", ".join(setting.pack.manifest.latent.spaces)
        raise OptionError(f"--space {arguments.space}: pack {setting.pack.id} has {spaces}.")
    crops = setting.subjects("test", arguments.n).pictures
    comparison = Comparison.of(crops, {method: _runs(setting, method, crops, arguments) for method in methods}, arguments)
    return _report(setting, comparison, arguments)


@dataclass(frozen=True, eq=False)
class Comparison:
    """n pictures, s seeds, p numbers of evaluations, by method."""

    crops: np.ndarray
    """uint8 [n, R, R, 3]."""
    evaluations: np.ndarray
    """[p], ascending; the last is the budget."""
    losses: Mapping[str, np.ndarray]
    """Method -> [n, s, p]: smallest loss so far."""
    mse: Mapping[str, np.ndarray]
    """Method -> [n, s] of the results."""
    seconds: Mapping[str, np.ndarray]
    """Method -> [n, s]."""
    examples: Mapping[str, np.ndarray]
    """Method -> uint8 [n, R, R, 3]: reconstructions of the first seed."""

    @classmethod
    def of(
        cls, crops: np.ndarray, runs: Mapping[str, Sequence[Sequence[Inversion]]], arguments: argparse.Namespace
    ) -> Comparison:
        """`runs`: method -> n x s inversions."""
        points = np.unique(np.rint(np.geomspace(1, arguments.evaluations, _CURVE_POINTS)).astype(int))
        return cls(
            crops,
            points,
            {m: np.array([[loss_at(x.losses, points) for x in row] for row in rows]) for m, rows in runs.items()},
            {m: np.array([[x.mse for x in row] for row in rows]) for m, rows in runs.items()},
            {m: np.array([[x.seconds for x in row] for row in rows]) for m, rows in runs.items()},
            {m: np.stack([row[0].reconstruction for row in rows]) for m, rows in runs.items()},
        )

    def figures(self, *, seed: int) -> dict[str, dict[str, Any]]:
        """Intervals are over pictures, each with the mean of its seeds."""
        final = {method: losses[:, :, -1] for method, losses in self.losses.items()}
        smallest = np.min(list(final.values()), axis=0)
        return {
            method: {
                "loss_mean": float(loss.mean()),
                "loss_mean_interval": bootstrap_interval(loss.mean(axis=1), seed=seed),
                "loss_median": float(np.median(loss)),
                "loss_over_seeds": float(loss.std(axis=1).mean()),
                "best_share": float((loss == smallest).mean()),
                "mse_mean": float(self.mse[method].mean()),
                "mse_mean_interval": bootstrap_interval(self.mse[method].mean(axis=1), seed=seed),
                "seconds_mean": float(self.seconds[method].mean()),
                "evaluations": int(self.evaluations[-1]),
                "n": loss.shape[0],
                "seeds": loss.shape[1],
            }
            for method, loss in final.items()
        }

    def curves(self) -> dict[str, list[float]]:
        """Mean loss over pictures and seeds at every number of evaluations; NaN before a method's first candidate."""
        means = {method: losses.mean(axis=(0, 1)).tolist() for method, losses in self.losses.items()}
        return {"evaluations": self.evaluations.tolist(), **means}


def loss_at(losses: Sequence[tuple[int, float]], evaluations: np.ndarray) -> np.ndarray:
    """The smallest loss after each number of evaluations [p], from (evaluations so far, smallest so far); NaN before the first.

    What a batch found beyond the number does not count: methods that work in large batches get no evaluation for nothing.
    """
    counts = np.array([count for count, _ in losses])
    values = np.array([np.nan, *(loss for _, loss in losses)])
    return values[np.searchsorted(counts, evaluations, side="right")]


def _runs(setting: Setting, method: str, crops: np.ndarray, arguments: argparse.Namespace) -> list[list[Inversion]]:
    runs: list[list[Inversion]] = []
    for index, crop in enumerate(crops):
        runs.append([])
        for number in range(arguments.seeds):
            setting.stage(f"Searching with {method}", index * arguments.seeds + number, len(crops) * arguments.seeds)
            runs[-1].append(
                inverted(
                    setting.pack,
                    crop,
                    f"{method}:{arguments.space}",
                    evaluations=arguments.evaluations,
                    seed=arguments.seed + number,
                    encoder_start=arguments.start == "encoder",
                )
            )
    setting.stage(f"Searching with {method}", len(crops) * arguments.seeds, len(crops) * arguments.seeds)
    return runs


def _report(setting: Setting, comparison: Comparison, arguments: argparse.Namespace) -> dict[str, Any]:
    report = setting.report("How good what optimisers find is, with the same number of evaluations")
    figures, curves = comparison.figures(seed=arguments.seed), comparison.curves()
    report.table([{"method": method, **row} for method, row in figures.items()])
    report.text(_EXPLANATION)
    _draw(report, curves)
    rows = [
        [comparison.crops[index], *(pictures[index] for pictures in comparison.examples.values())]
        for index in range(min(_SHOWN, len(comparison.crops)))
    ]
    labels = [["picture", *comparison.examples]] + [[""] * len(row) for row in rows[1:]]
    report.picture(
        "examples", picture_grid(rows, labels=labels), "The first pictures, unselected, and what the first seed found."
    )
    return report.write([{"method": m, **flat(row)} for m, row in figures.items()], {**figures, "curves": curves})


def _draw(report: ReportFolder, curves: Mapping[str, Sequence[float]]) -> None:
    lines = [Line(name, curves["evaluations"], values) for name, values in curves.items() if name != "evaluations"]
    chart = Chart("mean over pictures and seeds", "generator evaluations", "smallest loss so far", lines, scale="log")
    report.picture("curves", draw_charts([chart], columns=1, panel_px=520), "Loss against evaluations, both axes logarithmic.")


_EXPLANATION = """
`loss`: the objective that all methods minimise (masked L1, ten times the masked perceptual distance, and what the latent
costs), the smallest that was found within the evaluations; one evaluation is one picture from the generator, with or without
its gradient. `best_share`: how often, over pictures and seeds, the method found the smallest loss of all;
`loss_over_seeds`: mean standard deviation over the seeds of one picture; `mse`: of the resulting picture, in [-1, 1].
Intervals: 95 %, bootstrap over pictures, the mean of whose seeds is taken first.
"""
