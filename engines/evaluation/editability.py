"""``evaluate editability``: whether a generator that was tuned for one picture still does everything else as before.

Held-out pictures are inverted by methods that tune the generator. The same edits of the same codes are painted by the tuned
generator and by the pack's own; and codes that have nothing to do with the picture are painted by both. What comes out is
kept in the data folder as it comes, and its figures in the report: a second call makes only what is missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.evaluation.editability_runs import SHOWN_CODES, Bench, Outcome, TunedRun, strip_of
from engines.evaluation.edits import chosen_attributes
from engines.evaluation.judges import Judges, sample_codes
from engines.evaluation.kept import Kept, kept_folder
from engines.evaluation.known_runs import KnownRuns
from engines.evaluation.metrics import bootstrap_interval
from engines.evaluation.report import ReportFolder, flat
from engines.evaluation.revisions import METHODS_REVISION
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.tuned_edits import EditTally, edit_figures
from engines.evaluation.ways import chosen_ways
from engines.evaluation.work_share import WorkShare, add_share_arguments
from engines.imaging.grids import picture_grid
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.tuning.methods import TUNING_METHODS

__all__ = ["HELP", "add_arguments", "run"]

HELP = "whether edits still work on tuned generators, and how much other pictures change"

_WAYS = "fine-tune,clone,clone:none"
_SHOWN = 6  # faces on the sheets
_TAKING_PART = ("attribute_predictor", "edit_maps", "training_sample")
"""Beside what the methods need."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=20)
    parser.add_argument(
        "--methods",
        default=_WAYS,
        metavar="M,…",
        help=f"methods that tune; clone:none is without a global loss (default {_WAYS})",
    )
    parser.add_argument("--attributes", default=None, metavar="A,…", help="which attributes (default: all that have an edit)")
    parser.add_argument("--alpha", type=float, default=1.0, help="strength of the edits (default 1.0)")
    parser.add_argument("--codes", type=int, default=500, metavar="N", help="random codes for both generators (default 500)")
    parser.add_argument("--seconds", type=float, default=None, help="budget of the tuning, per picture")
    parser.add_argument("--steps", type=int, default=None, help="budget of the tuning, per picture")
    add_share_arguments(parser, then="report what is whole by then")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: figures}, and as `left` how many runs are still to be made."""
    names = ("methods", "attributes", "alpha", "codes", "seconds", "steps")
    options = {name: getattr(arguments, name) for name in names}
    if arguments.codes < 2 or not arguments.alpha > 0:
        raise OptionError("--codes must be at least 2, and --alpha above 0.")
    share = WorkShare.of(arguments)
    setting = Setting.open(arguments, "evaluate editability", options)
    ways = chosen_ways(arguments.methods, setting.pack)
    if fixed := [way for way in ways if way.partition(":")[0] not in TUNING_METHODS]:
        raise OptionError(f"--methods {','.join(fixed)}: name methods that tune the generator, {', '.join(TUNING_METHODS)}.")
    bench = _bench(setting, arguments)
    rows = [[TunedRun(i, way) for way in ways] for i in range(len(bench.subjects.pictures))]
    mine = [run for row in rows for run in row if share.has(run.picture)]
    known = _known(setting, bench, arguments, [run.name for run in mine] if arguments.fresh else ())
    _make(known, bench, known.without_figures(mine), share)
    known.write(setting.provenance)
    whole = [row for row in rows if all(known.figures(run.name) is not None for run in row)]
    if not whole:
        raise OptionError("No picture has been tuned for in all ways yet: give more --minutes, or fewer methods.")
    shown = whole[:_SHOWN]
    _make(known, bench, known.without_picture(run for row in shown for run in row), WorkShare.all())
    outcomes = {way: [known.figures(row[k].name) for row in whole] for k, way in enumerate(ways)}
    figures = {way: _figures(found, seed=arguments.seed) for way, found in outcomes.items()}
    report = setting.report("What tuned generators still do")
    report.table([{"method": way, **row} for way, row in figures.items()])
    report.text(_EXPLANATION)
    for column in zip(*shown, strict=True):
        _edit_sheet(report, bench, column, known)
    _random_sheet(report, bench, shown[0], known)
    left = len(known.without_figures(run for row in rows for run in row))
    return report.write([{"method": way, **flat(row)} for way, row in figures.items()], {**figures, "left": left})


def _bench(setting: Setting, arguments: argparse.Namespace) -> Bench:
    attributes = chosen_attributes(arguments.attributes, setting)
    judges, subjects = Judges(setting.pack), setting.subjects("test", arguments.n)
    codes = sample_codes(setting.pack, arguments.codes, seed=arguments.seed)
    budget = {"seconds": arguments.seconds, "steps": arguments.steps}
    return Bench(setting, judges, subjects, attributes, arguments.alpha, budget, codes, judges.pictures(codes))


def _known(setting: Setting, bench: Bench, arguments: argparse.Namespace, fresh: Sequence[str]) -> KnownRuns[Outcome]:
    """What is known already, by all that decides it beside picture and way."""
    kinds = dict.fromkeys((*(kind for method in TUNING_METHODS for kind in METHOD_COMPONENTS[method]), *_TAKING_PART))
    judged = (setting.rendered, *bench.attributes, bench.alpha, len(bench.codes))
    deciding = (setting.provenance.seed, *bench.budget.values(), *judged, METHODS_REVISION)
    kept = Kept(kept_folder(setting.pack, "editability", tuple(kinds), deciding), Outcome)
    return KnownRuns(kept, Path(arguments.out), Outcome, fresh=fresh)


def _make(known: KnownRuns[Outcome], bench: Bench, runs: Sequence[TunedRun], share: WorkShare) -> None:
    """Makes the runs as long as the share's minutes go."""
    known.make(runs, bench.outcome, share=share, report=lambda done, of: bench.setting.stage("Tuning for pictures", done, of))


def _figures(outcomes: Sequence[Outcome], *, seed: int) -> dict[str, Any]:
    changes = {key: np.array([outcome.random[key] for outcome in outcomes]) for key in outcomes[0].random}
    on_tuned, on_shared = ([EditTally.from_json(getattr(o, name)) for o in outcomes] for name in ("on_tuned", "on_shared"))
    return {
        **edit_figures(on_tuned, on_shared, seed=seed),
        **{key: float(values.mean()) for key, values in changes.items()},
        "random_change_interval": bootstrap_interval(changes["random_change"], seed=seed),
        "mse_mean": float(np.mean([outcome.mse for outcome in outcomes])),
        "mse_untuned_mean": float(np.mean([outcome.untuned_mse for outcome in outcomes])),
        "seconds_mean": float(np.mean([outcome.seconds for outcome in outcomes])),
        "n": len(outcomes),
    }


def _edit_sheet(report: ReportFolder, bench: Bench, runs: Sequence[TunedRun], known: KnownRuns[Outcome]) -> None:
    """One way's pictures, a row each."""
    way, rows, labels = runs[0].way, [], []
    for run in runs:
        edit = bench.shown_edit(run.picture)
        name = f"{'+' if bench.wanted(run.picture)[edit] else '-'}{bench.attributes[edit]}"
        rows.append([bench.subjects.pictures[run.picture], *strip_of(known.picture(run.name))[0]])
        labels.append(["picture", "shared", name, "tuned", name])
    caption = f"{way}: a picture, what the shared generator paints of its code, an edit of it, and the same after tuning."
    report.picture(f"edits-{way.replace(':', '-')}", picture_grid(rows, labels=labels), caption)


def _random_sheet(report: ReportFolder, bench: Bench, runs: Sequence[TunedRun], known: KnownRuns[Outcome]) -> None:
    """Random codes by the shared generator and by those of `runs`, a row each."""
    rows = [list(bench.samples[:SHOWN_CODES]), *(strip_of(known.picture(run.name))[1] for run in runs)]
    names = ["shared", *(run.way for run in runs)]
    labels = [[name] + [""] * (len(row) - 1) for name, row in zip(names, rows, strict=True)]
    caption = "The same random codes, painted by the shared generator and by generators that were tuned for the first picture."
    report.picture("random-codes", picture_grid(rows, labels=labels), caption)


_EXPLANATION = """
Every picture is inverted, the generator is tuned for it, and each attribute is turned into the opposite of what the portrait's
exact label says, by the same edit of the same codes on the tuned and on the shared generator. `target_change` and
`attribute_preservation` as in `evaluate edits`; `..._shared`: on the shared generator; `..._ratio`: tuned by shared.
`random_change`: mean distance (root of the mean squared difference) between the tuned and the shared generator's pictures of
the same random codes, by that between pictures of different random codes; `random_change_squared`: the same ratio of mean
squared differences. `mse`: of the tuned reconstruction; `mse_untuned`: of the shared generator's picture of the same codes.
Intervals: 95 %, bootstrap over pictures (`n`), each with all of its edits, paired where they are of ratios; of fewer than about
ten pictures they are rough, and rather too narrow.
"""
