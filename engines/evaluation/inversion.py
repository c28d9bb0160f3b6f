"""``evaluate inversion``: how well the methods find codes for pictures that nothing was trained on.

Sets are held-out renders, renders with what no training picture shows, and real photographs, each also damaged as pictures
are on their way to the program.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.evaluation.degradations import DEGRADATIONS, degraded
from engines.evaluation.inversion_report import write_inversion_report
from engines.evaluation.inversion_trials import Trial, with_ratios
from engines.evaluation.judges import Judges
from engines.evaluation.picture_sets import SETS, PictureSet, chosen_names, picture_set, seams, uploaded_twice
from engines.evaluation.setting import Setting
from engines.evaluation.ways import chosen_ways, inverted
from engines.inversion.result import Inversion

__all__ = ["HELP", "add_arguments", "run"]

HELP = "error, perceptual distance, identity and seconds of every inversion method on pictures that nothing was trained on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--n", type=int, default=200, help="renders of a set to judge (default 200); of photographs all there are"
    )
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


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: figures} of the first set, and all as `sets`: {set: {method: figures}}."""
    given = ("degrade", "n_degraded", "methods", "seconds", "steps", "twice")
    options = {name.replace("_", "-"): getattr(arguments, name) for name in given}
    for name in ("seconds", "steps", "n-degraded"):
        if options[name] is not None and not options[name] > 0:
            raise OptionError(f"--{name} {options[name]}: give a number above 0.")
    if arguments.twice < 0:
        raise OptionError(f"--twice {arguments.twice}: give 0 or more.")
    degradations = chosen_names("degrade", arguments.degrade, list(DEGRADATIONS))
    setting = Setting.open(arguments, "evaluate inversion", options)
    names = chosen_names("sets", setting.rendered, SETS)
    ways = chosen_ways(arguments.methods or ",".join(setting.pack.manifest.methods), setting.pack)
    judges = Judges(setting.pack)
    sets = [picture_set(setting, name, arguments.n) for name in names]
    for way in ways:
        # The first call also reads weights and warms the allocator up: not part of the seconds that are reported.
        inverted(setting.pack, sets[0].crops[0], way, steps=1, seed=0)
    trials: dict[str, list[Trial]] = {}
    for pictures in sets:
        for degradation in degradations:
            crops = pictures.crops if degradation == "none" else pictures.crops[: arguments.n_degraded]
            crops = degraded(degradation, crops, arguments.seed)
            variant = pictures.name if degradation == "none" else f"{pictures.name}-{degradation}"
            trials[variant] = [_trial(setting, way, variant, crops, arguments) for way in ways]
            if degradation == "none":
                trials[variant] = _with_uploads(setting, judges, pictures, ways, trials[variant], arguments)
    figures = {variant: with_ratios(judges, tried, seed=arguments.seed) for variant, tried in trials.items()}
    return write_inversion_report(setting, sets, trials, figures)


def _trial(setting: Setting, way: str, variant: str, crops: np.ndarray, arguments: argparse.Namespace) -> Trial:
    """Inverts the pictures of a set by one method."""
    inversions = _inversions(setting, way, f"Inverting {variant} with {way}", crops, arguments)
    return Trial.of(way, crops, inversions)


def _with_uploads(
    setting: Setting,
    judges: Judges,
    pictures: PictureSet,
    ways: Sequence[str],
    trials: Sequence[Trial],
    arguments: argparse.Namespace,
) -> list[Trial]:
    """The trials with what the pictures' uploads tell: another upload of the same, and the way back into a photograph."""
    crops = np.concatenate(uploaded_twice(setting.pack, pictures.uploads[: arguments.twice], seed=arguments.seed))
    complete = []
    for way, trial in zip(ways, trials, strict=True):
        again = _inversions(setting, way, f"Inverting {pictures.name} twice with {way}", crops, arguments)
        both = np.split(np.array([inversion.reconstruction for inversion in again]), 2)
        similarity = judges.identity_similarity(*both) if len(crops) else np.empty(0)
        complete.append(dataclasses.replace(trial, twice=similarity, seams=seams(pictures, trial.reconstructions)))
    return complete


def _inversions(
    setting: Setting, way: str, stage: str, crops: np.ndarray, arguments: argparse.Namespace
) -> Iterator[Inversion]:
    budget = {"seconds": arguments.seconds, "steps": arguments.steps}
    for index, crop in enumerate(crops):
        setting.stage(stage, index, len(crops))
        yield inverted(setting.pack, crop, way, seed=arguments.seed, **budget)
    setting.stage(stage, len(crops), len(crops))
