"""``evaluate inversion``: how well the methods find codes for pictures that nothing was trained on.

Sets are held-out renders, renders with what no training picture shows, and real photographs, each also damaged as pictures
are on their way to the program. Inversions are kept in the data folder as they come, by the weights that take part, method,
budget, seed and picture: a second call makes only those that are missing, and the report is written when none is.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.data.registry import DATA_SETS
from engines.evaluation.degradations import DEGRADATIONS, degraded
from engines.evaluation.inversion_report import write_inversion_report
from engines.evaluation.inversion_runs import InversionRuns, Result, Run
from engines.evaluation.inversion_trials import Trial, with_ratios
from engines.evaluation.judges import Judges
from engines.evaluation.picture_sets import SETS, PictureSet, chosen_names, picture_set, seams, uploaded_twice
from engines.evaluation.setting import Setting
from engines.evaluation.ways import chosen_ways
from engines.evaluation.work_share import WorkShare, add_share_arguments

__all__ = ["HELP", "add_arguments", "run"]

HELP = "error, perceptual distance, identity and seconds of every inversion method on pictures that nothing was trained on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--n", type=int, default=200, help="renders of a set to judge (default 200); of photographs all there are"
    )
    parser.add_argument("--n-of", default=None, metavar="SET=N,…", help="of sets that differ from --n: faces-ood=30")
    parser.add_argument(
        "--sets",
        "--set",
        dest="set",
        default=None,
        metavar="S,…",
        help=f"some of {', '.join(SETS)} (default: that of the pack)",
    )
    parser.add_argument(
        "--degrade",
        default="none",
        metavar="D,…",
        help=f"what happens to the pictures before: some of {', '.join(DEGRADATIONS)} (default none)",
    )
    parser.add_argument("--n-degraded", type=int, default=None, metavar="N", help="of degraded pictures (default: all of them)")
    parser.add_argument(
        "--methods",
        default=None,
        metavar="M,…",
        help="methods to compare (default: all of the pack); adam:w is adam in w, clone:none is without a global loss",
    )
    parser.add_argument("--seconds", type=float, default=None, help="budget of methods that optimise, per picture")
    parser.add_argument("--steps", type=int, default=None, help="budget of methods that optimise, per picture")
    parser.add_argument(
        "--twice", type=int, default=10, metavar="N", help="pictures of a set that are uploaded twice (default 10, 0: none)"
    )
    add_share_arguments(parser, then="write no report before a later call has made what is left")


@dataclass(frozen=True, eq=False)
class _Variant:
    """A set of pictures as it is, or degraded."""

    name: str
    pictures: PictureSet
    crops: np.ndarray
    """uint8 [n, R, R, 3]."""
    uploads: tuple[np.ndarray, ...]
    """Twice uint8 [m, R, R, 3]: some of the pictures as they are uploaded first and again; empty for degraded ones."""

    def runs(self, way: str) -> list[list[Run]]:
        """Those of `crops`, then of each of `uploads`."""
        return [[Run(self.name, index, crop, way) for index, crop in enumerate(crops)] for crops in (self.crops, *self.uploads)]


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: figures} of the first set, and all as `sets`: {set: {method: figures}}.

    Where inversions are left to be made, returns instead how many (`left`), and says so (`unfinished`).
    """
    given = ("n_of", "degrade", "n_degraded", "methods", "seconds", "steps", "twice")
    options = {name.replace("_", "-"): getattr(arguments, name) for name in given}
    for name in ("seconds", "steps", "n-degraded"):
        if options[name] is not None and not options[name] > 0:
            raise OptionError(f"--{name} {options[name]}: give a number above 0.")
    if arguments.twice < 0:
        raise OptionError(f"--twice {arguments.twice}: give 0 or more.")
    share = WorkShare.of(arguments)
    degradations = chosen_names("degrade", arguments.degrade, list(DEGRADATIONS))
    setting = Setting.open(arguments, "evaluate inversion", options)
    names = chosen_names("sets", setting.rendered, SETS)
    counts = _counts(arguments, names)
    ways = chosen_ways(arguments.methods or ",".join(setting.pack.manifest.methods), setting.pack)
    sets = [picture_set(setting, name, counts[name]) for name in names]
    variants = [_variant(setting, pictures, name, arguments) for pictures in sets for name in degradations]
    inversions = InversionRuns(setting, ways, seconds=arguments.seconds, steps=arguments.steps)
    runs = [run for variant in variants for way in ways for group in variant.runs(way) for run in group]
    inversions.make(runs, share, fresh=arguments.fresh)
    results = {run.key: inversions.get(run) for run in runs}
    if None in results.values():
        return _unfinished(runs, results, share)
    judges = Judges(setting.pack)
    trials = {variant.name: [_trial(judges, variant, way, results) for way in ways] for variant in variants}
    figures = {name: with_ratios(judges, tried, seed=arguments.seed) for name, tried in trials.items()}
    return write_inversion_report(setting, sets, trials, figures)


def _counts(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, int]:
    """How many renders of each set. Raises OptionError for an --n-of that cannot be used."""
    counts = dict.fromkeys(names, arguments.n)
    renders = [name for name in names if name in DATA_SETS]
    for word in arguments.n_of.split(",") if arguments.n_of is not None else ():
        name, _, number = word.strip().partition("=")
        if name not in renders or not number.isdecimal() or int(number) < 1:
            raise OptionError(f"--n-of {arguments.n_of}: write SET=N with N from 1 and one of {', '.join(renders)} as SET.")
        counts[name] = int(number)
    return counts


def _variant(setting: Setting, pictures: PictureSet, degradation: str, arguments: argparse.Namespace) -> _Variant:
    if degradation != "none":
        crops = degraded(degradation, pictures.crops[: arguments.n_degraded], arguments.seed)
        return _Variant(f"{pictures.name}-{degradation}", pictures, crops, ())
    uploads = uploaded_twice(setting.pack, pictures.uploads[: arguments.twice], seed=arguments.seed)
    return _Variant(pictures.name, pictures, degraded("none", pictures.crops, arguments.seed), uploads)


def _unfinished(runs: Sequence[Run], results: Mapping[tuple[str, str], Result | None], share: WorkShare) -> dict[str, Any]:
    left = sum(result is None for result in results.values())
    own = {run.key for run in runs if share.has(run.picture) and results[run.key] is None}
    of_part = f", {len(own)} of them in part {share.number}/{share.parts}" if share.parts > 1 else ""
    text = f"no report yet: {left} of {len(results)} inversions are left{of_part}; the same command goes on"
    return {"left": left, "unfinished": text}


def _trial(judges: Judges, variant: _Variant, way: str, results: Mapping[tuple[str, str], Result]) -> Trial:
    """With what the uploads tell, where there are some: another upload of the same, and the way back into a photograph."""
    plain, *uploads = ([results[run.key] for run in group] for group in variant.runs(way))
    trial = Trial.of(way, variant.crops, plain)
    if not uploads:
        return trial
    both = [np.array([reconstruction for _, reconstruction in found]) for found in uploads]
    similarity = judges.identity_similarity(*both) if len(both[0]) else np.empty(0)
    return dataclasses.replace(trial, twice=similarity, seams=seams(variant.pictures, trial.reconstructions))
