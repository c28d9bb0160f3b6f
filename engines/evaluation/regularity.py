"""``evaluate regularity``: codes near the mapping network's against codes that reconstruct well.

Tov et al. 2021 (e4e): the farther a code of W+ is from W, the better it reconstructs its picture and the worse it is
edited. Here the encoder's codes are pulled towards W, and beyond where they are; other inversion methods end farther away by
themselves. What an edit should have made of every picture is known, so the two can be weighed against each other.

Every picture is inverted once a method, and all edits are applied to that code. On two quiet cores refinement takes about 2.5
seconds a picture, a true counterfactual a tenth of a second of one core (once: they are kept), and judging 50 ms of one core
for each edited picture of each point: 24 attributes in both directions with --n 200, --per-attribute 30 and eight points take
some 20 minutes, of which refinement is 8.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.editing.families import DEFAULT_FAMILY
from engines.editing.family import EditFamily
from engines.evaluation.code_regularity import MappedCodes, pulled
from engines.evaluation.edit_verdicts import Edit, Sources, edit_values, sources_of
from engines.evaluation.edits import Job, chosen_attributes, edit_jobs, inverted_codes, render_truths, truths_of
from engines.evaluation.judges import Judges, sample_codes
from engines.evaluation.metrics import squared_difference
from engines.evaluation.regularity_report import Point, Sheet, write_regularity_report
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.ways import chosen_ways
from engines.packs.load import Pack
from engines.tuning.methods import TUNING_METHODS

__all__ = ["HELP", "add_arguments", "run"]

HELP = "distortion, regularity and editability of codes pulled towards W, and of inversion methods (the e4e trade-off)"

_PULL = "0,0.25,0.5,0.75,1,1.25"
_METHODS = ("iterated-encoder", "encoder-refine")
_ENCODERS = ("encoder", "iterated-encoder")
_MAPPED = 6000
_SHOWN_PEOPLE = 3
_SHOWN_EDITS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=200)
    parser.add_argument(
        "--pull",
        default=_PULL,
        metavar="T,…",
        help=f"which m + T (w - m) of the encoder's code w to judge, m its mean over the layers (default {_PULL})",
    )
    parser.add_argument(
        "--methods",
        default=None,
        metavar="M,…",
        help=f"inversion methods to judge, each code as it comes, or none (default: {','.join(_METHODS)}, of those that the "
        "pack has)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=100,
        help="budget of methods that optimise, per picture (default 100); the passes of an encoder are not among them",
    )
    parser.add_argument("--attributes", default=None, metavar="A,…", help="which attributes (default: all that have an edit)")
    parser.add_argument("--per-attribute", type=int, default=30, metavar="P", help="most pictures per attribute and direction")
    parser.add_argument("--processes", type=int, default=None, metavar="N", help="renderer processes (default: one a core)")


@dataclass(frozen=True, eq=False)
class _Way:
    """How a point's codes are made: the encoder's ones pulled, or by a method."""

    name: str
    pull: float | None
    codes: np.ndarray
    """float32 [n, L, D]."""


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns `points`: {name: figures}, `chosen`, `as_good`, and the `spread` of mapped codes."""
    pulls = _pulls(arguments.pull)
    if arguments.per_attribute < 1 or arguments.steps < 1:
        raise OptionError("--per-attribute and --steps must be at least 1.")
    options = {
        "pull": ",".join(f"{t:g}" for t in pulls),
        "methods": arguments.methods,
        "steps": arguments.steps,
        "attributes": arguments.attributes,
        "per-attribute": arguments.per_attribute,
    }
    setting = Setting.open(arguments, "evaluate regularity", options)
    pack, judges = setting.pack, Judges(setting.pack)
    methods = _methods(arguments.methods, pack)
    attributes = chosen_attributes(arguments.attributes, setting)
    subjects = setting.subjects("test", arguments.n)
    encoded = sources_of(judges, subjects, judges.codes(subjects.pictures))
    jobs, without_pictures = edit_jobs(encoded, judges, attributes, arguments.per_attribute)
    render_truths(setting, jobs, processes=arguments.processes)
    ways = [_Way(f"t={t:g}", t, pulled(encoded.codes, t)) for t in pulls]
    for method in methods:
        steps = None if method in _ENCODERS else arguments.steps
        ways.append(_Way(method, None, inverted_codes(setting, judges, subjects.pictures, method, steps=steps)))
    mapped = MappedCodes(sample_codes(pack, _MAPPED, seed=arguments.seed)[:, 0])
    sheets = [_sheet(setting, encoded, jobs, person) for person in range(min(_SHOWN_PEOPLE, arguments.n))]
    points = []
    for way in ways:
        points.append(_judged(setting, judges, way, sources_of(judges, subjects, way.codes), mapped, jobs, sheets))
    return write_regularity_report(setting, points, jobs, sheets, spread=mapped.spread, without_pictures=without_pictures)


def _judged(
    setting: Setting,
    judges: Judges,
    way: _Way,
    sources: Sources,
    mapped: MappedCodes,
    jobs: Sequence[Job],
    sheets: Sequence[Sheet],
) -> Point:
    """Everything about one point; the sheets get its rows."""
    pictures, reconstructions = sources.subjects.pictures, sources.reconstructions
    density, outside = mapped.scores(sources.codes)
    per_picture = {
        "mse": squared_difference(pictures, reconstructions),
        "perceptual": judges.perceptual(pictures, reconstructions),
        "reconstruction_identity": judges.identity_similarity(pictures, reconstructions),
        "layer_spread": mapped.layer_spread(sources.codes),
        "density": density,
        "outside": outside,
    }
    for sheet in sheets:
        label = f"mse {per_picture['mse'][sheet.person]:.4f}"
        sheet.add_row(way.name, pictures[sheet.person], reconstructions[sheet.person], label)
    maps = setting.pack.family(DEFAULT_FAMILY)
    tables: dict[str, np.ndarray] = {}
    for number, job in enumerate(jobs):
        setting.stage(f"Judging {way.name}", number, len(jobs))
        for measure, values in _edit_values(setting, judges, sources, maps, job, sheets).items():
            table = tables.setdefault(measure, np.full((len(jobs), len(pictures)), np.nan))
            table[number, job.chosen] = values
    setting.stage(f"Judging {way.name}", len(jobs), len(jobs))
    return Point(way.name, way.pull, per_picture, tables)


def _edit_values(
    setting: Setting, judges: Judges, sources: Sources, maps: EditFamily, job: Job, sheets: Sequence[Sheet]
) -> Mapping[str, np.ndarray]:
    edit = Edit(maps, job.attribute, job.direction)
    values, edited = edit_values(judges, sources, edit, job.chosen, truths_of(setting, job), alpha=1.0)
    for sheet in sheets:
        if job in sheet.jobs:
            sheet.add_edit(edited[np.flatnonzero(job.chosen == sheet.person)[0]])
    return values


def _sheet(setting: Setting, sources: Sources, jobs: Sequence[Job], person: int) -> Sheet:
    """The sheet of one picture with some of its edits: evenly over all, and others than the neighbour's."""
    own = [job for job in jobs if person in job.chosen]
    every = max(1, len(own) // _SHOWN_EDITS)
    shown = own[min(person, every - 1) :: every][:_SHOWN_EDITS]
    truths = [truths_of(setting, job)[np.flatnonzero(job.chosen == person)[0]] for job in shown]
    return Sheet(person, shown, sources.subjects.pictures[person], truths)


def _pulls(text: str) -> list[float]:
    try:
        pulls = [float(word) for word in text.split(",")]
    except ValueError:
        pulls = []
    if not pulls or not all(math.isfinite(t) and t >= 0 for t in pulls) or pulls != sorted(set(pulls)):
        raise OptionError(f"--pull {text}: write growing numbers of at least 0 with commas, like 0,0.5,1.")
    return pulls


def _methods(text: str | None, pack: Pack) -> list[str]:
    if text is None:
        return [method for method in _METHODS if method in pack.manifest.methods]
    if text == "none":
        return []
    ways = chosen_ways(text, pack)
    if tuning := [way for way in ways if way.partition(":")[0] in TUNING_METHODS]:
        raise OptionError(f"--methods {','.join(tuning)}: tunes the generator; its edits are judged by: evaluate editability.")
    return ways
