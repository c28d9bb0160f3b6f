"""``evaluate inversion``: how well the methods find codes for pictures that nothing was trained on.

Sets are held-out renders, renders with what no training picture shows, and real photographs, each also damaged as pictures
are on their way to the program. Inversions are kept in the data folder as they come, by the weights that take part, method,
budget, seed and picture, and their figures in the report: a second call makes only those that are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.data.registry import DATA_SETS
from engines.evaluation.degradations import DEGRADATIONS, degraded
from engines.evaluation.inversion_report import Shown, Tried, write_inversion_report
from engines.evaluation.inversion_runs import InversionRuns, Run
from engines.evaluation.inversion_trials import Trial
from engines.evaluation.judges import Judges
from engines.evaluation.picture_sets import SETS, PictureSet, chosen_names, picture_set, seam_of, uploaded_twice
from engines.evaluation.setting import Setting
from engines.evaluation.ways import chosen_ways
from engines.evaluation.work_share import WorkShare, add_share_arguments

__all__ = ["HELP", "add_arguments", "run"]

_SHOWN = {"best": 0.0, "median": 0.5, "worst": 1.0}
"""Pictures on the sheet, by the share of the others that the last method inverts with a smaller error."""
_SHOWN_DEGRADED = "median"
"""The one of them that is shown of degraded pictures."""

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
    add_share_arguments(parser, then="report what is whole by then")


@dataclass(frozen=True, eq=False)
class _Variant:
    """A set of pictures as it is, or degraded."""

    name: str
    pictures: PictureSet
    crops: np.ndarray
    """uint8 [n, R, R, 3]."""
    uploads: tuple[np.ndarray, ...] = ()
    """Twice uint8 [m, R, R, 3]: some of the pictures as they are uploaded first and again; empty for degraded ones."""

    @property
    def is_plain(self) -> bool:
        return self.name == self.pictures.name

    def runs(self, way: str) -> list[Run]:
        """Those of `crops`."""
        return self._runs(self.crops, way)

    def pairs(self, way: str) -> list[tuple[Run, Run]]:
        """[m] those of `uploads`."""
        return list(zip(*(self._runs(crops, way) for crops in self.uploads), strict=True)) if self.uploads else []

    def _runs(self, crops: np.ndarray, way: str) -> list[Run]:
        return [Run(self.name, index, crop, way) for index, crop in enumerate(crops)]


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: figures} of the first set, all as `sets`: {set: {method: figures}}, and `left`.

    The report is about the pictures that all methods have inverted; `left` counts the inversions that are still to be made.
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
    # A picture of every set before the next, by all ways: what is there early is balanced.
    runs = sorted(chain.from_iterable(_all_runs(variant, ways) for variant in variants), key=lambda run: run.picture)
    budget = {"seconds": arguments.seconds, "steps": arguments.steps}
    inversions = InversionRuns(setting, runs, share, Path(arguments.out), **budget, fresh=arguments.fresh)
    inversions.make()
    inversions.write()
    judges = Judges(setting.pack)
    tried = [found for variant in variants if (found := _tried(variant, ways, inversions, judges)) is not None]
    if not tried:
        raise OptionError("No picture has been inverted by all methods yet: give more --minutes, or fewer methods.")
    return write_inversion_report(setting, sets, tried, left=inversions.left)


def _all_runs(variant: _Variant, ways: Sequence[str]) -> list[Run]:
    return [run for way in ways for run in (*variant.runs(way), *chain.from_iterable(variant.pairs(way)))]


def _counts(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, int]:
    """How many renders of each set. Raises OptionError for an --n-of that cannot be used."""
    counts = dict.fromkeys(names, arguments.n)
    renders = [name for name in names if name in DATA_SETS]
    if arguments.n_of is not None and not renders:
        raise OptionError(
            f"--n-of {arguments.n_of}: there are no rendered sets among {', '.join(names)}, and photographs all count."
        )
    for word in arguments.n_of.split(",") if arguments.n_of is not None else ():
        name, _, number = word.strip().partition("=")
        if name not in renders or not number.isdecimal() or int(number) < 1:
            raise OptionError(f"--n-of {arguments.n_of}: write SET=N with N from 1 and one of {', '.join(renders)} as SET.")
        counts[name] = int(number)
    return counts


def _variant(setting: Setting, pictures: PictureSet, degradation: str, arguments: argparse.Namespace) -> _Variant:
    if degradation != "none":
        crops = degraded(degradation, pictures.crops[: arguments.n_degraded], arguments.seed)
        return _Variant(f"{pictures.name}-{degradation}", pictures, crops)
    uploads = uploaded_twice(setting.pack, pictures.uploads[: arguments.twice], seed=arguments.seed)
    return _Variant(pictures.name, pictures, degraded("none", pictures.crops, arguments.seed), uploads)


def _tried(variant: _Variant, ways: Sequence[str], inversions: InversionRuns, judges: Judges) -> Tried | None:
    """What all ways made of the pictures that all of them have inverted; None where there is no such picture.

    Where a picture is looked at whose figures alone are known, it is made again: those on the sheet, of photographs, and those
    that are uploaded twice.
    """
    rows = [row for row in zip(*(variant.runs(way) for way in ways), strict=True) if _known(row, inversions)]
    if not rows:
        return None
    columns = dict(zip(ways, zip(*rows, strict=True), strict=True))
    outcomes = {way: [inversions.outcome(run) for run in column] for way, column in columns.items()}
    pairs = {way: [pair for pair in variant.pairs(way) if _known(pair, inversions)] for way in ways}
    order = np.argsort([outcome.mse for outcome in outcomes[ways[-1]]], kind="stable")
    chosen = {
        label: int(order[round(share * (len(order) - 1))])
        for label, share in _SHOWN.items()
        if variant.is_plain or label == _SHOWN_DEGRADED
    }
    pasted = variant.is_plain and bool(variant.pictures.alignments)
    looked_at = rows if pasted else [rows[k] for k in chosen.values()]
    inversions.make_pictures([*chain.from_iterable(looked_at), *chain.from_iterable(chain(*pairs.values()))])
    trials = [
        Trial(
            way,
            outcomes[way],
            twice=_similarity(pairs[way], inversions, judges),
            seams=_seams(variant.pictures, columns[way], inversions) if pasted else np.empty(0),
        )
        for way in ways
    ]
    shown = [
        Shown(label, rows[k][0].crop, [(inversions.picture(run), outcomes[run.way][k].mse) for run in rows[k]])
        for label, k in chosen.items()
    ]
    return Tried(variant.name, trials, shown)


def _known(runs: Sequence[Run], inversions: InversionRuns) -> bool:
    return all(inversions.outcome(run) is not None for run in runs)


def _similarity(pairs: Sequence[tuple[Run, Run]], inversions: InversionRuns, judges: Judges) -> np.ndarray:
    """[m] identity similarity of the reconstructions of two uploads."""
    if not pairs:
        return np.empty(0)
    return judges.identity_similarity(
        *(np.stack([inversions.picture(run) for run in runs]) for runs in zip(*pairs, strict=True))
    )


def _seams(pictures: PictureSet, runs: Sequence[Run], inversions: InversionRuns) -> np.ndarray:
    """[n] how much the border shows of reconstructions that are blended into their photographs."""
    return np.array(
        [seam_of(pictures.uploads[run.picture], pictures.alignments[run.picture], inversions.picture(run)) for run in runs]
    )
