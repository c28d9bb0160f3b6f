"""``evaluate optimisers``: the searching methods against each other with the same number of pictures from the generator.

Seconds depend on the machine and on how well a method fills a batch; evaluations do not. All methods search the same space,
and for every picture and seed what they find is compared at the same number of evaluations. Runs are kept in the data folder
as they come, and their figures in the report: a second call makes only those that are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from engines.core.errors import OptionError
from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.kept import Kept, kept_folder
from engines.evaluation.known_runs import KnownRuns
from engines.evaluation.metrics import bootstrap_interval
from engines.evaluation.picture_sets import chosen_names
from engines.evaluation.report import ReportFolder, flat
from engines.evaluation.revisions import METHODS_REVISION, revised
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.ways import inverted
from engines.evaluation.whole_runs import whole_runs
from engines.evaluation.work_share import WorkShare, add_share_arguments
from engines.imaging.grids import picture_grid
from engines.inversion.options import Space
from engines.inversion.project import SEARCHES

__all__ = ["HELP", "Comparison", "Outcome", "add_arguments", "loss_at", "run"]

HELP = "loss against generator evaluations of the optimisers, on the same pictures and seeds"

_OPTIMISERS = tuple(method.id for method in SEARCHES)
_CURVE_POINTS = 60
_SHOWN = 6  # pictures on the sheet
_TAKING_PART = ("generator", "statistics", "encoder", "perceptual", "class_predictor", "box_detector")


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
    add_share_arguments(parser, then="report what is whole by then")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: figures} and `curves`: {`evaluations`: [..], method: [mean loss ..]}."""
    for name in ("seeds", "evaluations"):
        if getattr(arguments, name) < 1:
            raise OptionError(f"--{name} {getattr(arguments, name)}: at least one is needed.")
    share = WorkShare.of(arguments)
    options = {name: getattr(arguments, name) for name in ("seeds", "evaluations", "methods", "space", "start")}
    setting = Setting.open(arguments, "evaluate optimisers", options)
    methods = chosen_names("methods", arguments.methods, [m for m in _OPTIMISERS if m in setting.pack.manifest.methods])
    if arguments.space not in setting.pack.manifest.latent.spaces:
        spaces = ", ".join(setting.pack.manifest.latent.spaces)
        raise OptionError(f"--space {arguments.space}: pack {setting.pack.id} has {spaces}.")
    crops, seeds = setting.subjects("test", arguments.n).pictures, range(arguments.seed, arguments.seed + arguments.seeds)
    # A seed for all pictures before the next: what is there early is balanced.
    places = [(i, seed) for seed in seeds for i in range(len(crops))]
    runs = [_Run(*place, method) for place in places for method in methods]
    mine = [run for run in runs if share.has(run.picture)]
    known = _known(setting, arguments, [run.name for run in mine] if arguments.fresh else ())
    _make(setting, known, known.without_figures(mine), crops, share, arguments)
    there = {place for place in places if all(known.figures(_Run(*place, m).name) is not None for m in methods)}
    chosen, chosen_seeds = whole_runs(there, len(crops), seeds, "methods")
    shown = [_Run(i, chosen_seeds[0], method) for i in chosen[:_SHOWN] for method in methods]
    _make(setting, known, known.without_picture(shown), crops, WorkShare.all(), arguments)
    comparison = Comparison(
        _points(arguments.evaluations),
        {m: [[known.figures(_Run(i, seed, m).name) for seed in chosen_seeds] for i in chosen] for m in methods},
    )
    examples = [[crops[i], *(known.picture(_Run(i, chosen_seeds[0], m).name) for m in methods)] for i in chosen[:_SHOWN]]
    known.write(setting.provenance)
    return _report(setting, comparison, examples, arguments)


class _Run(NamedTuple):
    """A method on one of the pictures with one seed."""

    picture: int
    seed: int
    method: str

    @property
    def name(self) -> str:
        """What its result is kept as."""
        return revised(f"{self.picture:04d}-{self.seed}-{self.method}", self.method)


@dataclass(frozen=True)
class Outcome:
    """One run."""

    losses: list[float | None]
    """The smallest loss so far at every number of evaluations; None before the first candidate."""
    mse: float
    """Of the resulting picture, in [-1, 1]."""
    seconds: float


class Comparison:
    """Runs of the same n pictures and s seeds for every method; losses at p numbers of evaluations."""

    def __init__(self, evaluations: np.ndarray, runs: Mapping[str, Sequence[Sequence[Outcome]]]) -> None:
        """evaluations: [p], ascending, the last is the budget; runs: method -> n x s outcomes."""
        self.evaluations = evaluations
        self.losses = {m: np.array([[run.losses for run in row] for row in rows], float) for m, rows in runs.items()}
        self.mse = {m: np.array([[run.mse for run in row] for row in rows]) for m, rows in runs.items()}
        self.seconds = {m: np.array([[run.seconds for run in row] for row in rows]) for m, rows in runs.items()}

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


def _points(evaluations: int) -> np.ndarray:
    return np.unique(np.rint(np.geomspace(1, evaluations, _CURVE_POINTS)).astype(int))


def _known(setting: Setting, arguments: argparse.Namespace, fresh: Sequence[str]) -> KnownRuns[Outcome]:
    """What is known already, by all that decides a run beside method, picture and seed."""
    deciding = (setting.rendered, arguments.space, arguments.evaluations, arguments.start, METHODS_REVISION)
    kept = Kept(kept_folder(setting.pack, "optimisers", _TAKING_PART, deciding), Outcome)
    return KnownRuns(kept, Path(arguments.out), Outcome, fresh=fresh)


def _make(
    setting: Setting,
    known: KnownRuns[Outcome],
    runs: Sequence[_Run],
    crops: np.ndarray,
    share: WorkShare,
    arguments: argparse.Namespace,
) -> None:
    """Makes the runs as long as the share's minutes go."""
    points = _points(arguments.evaluations)

    def one(run: _Run) -> tuple[Outcome, np.ndarray]:
        found = inverted(
            setting.pack,
            crops[run.picture],
            f"{run.method}:{arguments.space}",
            evaluations=arguments.evaluations,
            seed=run.seed,
            encoder_start=arguments.start == "encoder",
        )
        losses = [None if np.isnan(loss) else float(loss) for loss in loss_at(found.losses, points)]
        return Outcome(losses, found.mse, found.seconds), found.reconstruction

    known.make(runs, one, share=share, report=lambda done, of: setting.stage("Searching", done, of))


def _report(
    setting: Setting, comparison: Comparison, examples: Sequence[Sequence[np.ndarray]], arguments: argparse.Namespace
) -> dict[str, Any]:
    """examples: rows of pictures uint8 [R, R, 3], the picture itself and what every method found."""
    report = setting.report("How good what optimisers find is, with the same number of evaluations")
    figures, curves = comparison.figures(seed=arguments.seed), comparison.curves()
    report.table([{"method": method, **row} for method, row in figures.items()])
    report.text(_EXPLANATION)
    _draw(report, curves)
    labels = [["picture", *comparison.losses]] + [[""] * len(row) for row in examples[1:]]
    caption = "The first pictures, unselected, and what the first seed found."
    report.picture("examples", picture_grid(examples, labels=labels), caption)
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
