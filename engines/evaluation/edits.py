"""``evaluate edits``: what a slider at 1.0 does to held-out pictures, judged by predictors and by the true counterfactual.

Doubinsky et al. 2023, section 4.2, on pictures whose edited version exists: a render is encoded, its codes are edited, and
the edited picture is compared with a render of the same record with that one attribute flipped.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.editing.edit_maps import DIRECTIONS, EditMaps
from engines.evaluation.counterfactuals import Flip, read_flips, render_flips
from engines.evaluation.edit_report import write_edit_report
from engines.evaluation.edit_verdicts import Edit, Sources, Verdict, judge, sources_of, sweep
from engines.evaluation.judges import Judges, fitted
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.ways import inverted
from engines.packs.load import Pack
from engines.packs.registry import open_pack

__all__ = ["HELP", "add_arguments", "chosen_attributes", "run"]

HELP = "target change, preservation, identity and distance to the true counterfactual of every edit"

_OWN_FAMILY = "LW"
_FAMILY = re.compile(r"[A-Za-z0-9_-]+\*?")


@dataclass(frozen=True, eq=False)
class _Job:
    """One attribute and direction, the pictures to edit, and their true counterfactuals."""

    attribute: str
    direction: str
    chosen: np.ndarray
    """Indices into the sources."""
    flips: tuple[Flip, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=200)
    parser.add_argument("--method", default="encoder", metavar="M", help="inversion method (default encoder)")
    parser.add_argument("--alpha", type=float, default=1.0, help="strength of the slider that is judged (default 1.0)")
    parser.add_argument("--attributes", default=None, metavar="A,…", help="which attributes (default: all that have an edit)")
    parser.add_argument("--per-attribute", type=int, default=100, metavar="N", help="most pictures per attribute and direction")
    parser.add_argument("--sweep", type=int, default=12, metavar="N", help="how many of them for the sweep over strengths")
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="FAMILY=DIR",
        help="judge the edit maps of the pack in that folder too, made for the same generator; may be repeated",
    )
    parser.add_argument("--processes", type=int, default=None, metavar="N", help="renderer processes (default: one a core)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {A: {direction: {family: figures}}}, and `mean` in the same form with a direction `both`."""
    options = {
        "method": arguments.method,
        "alpha": arguments.alpha,
        "attributes": arguments.attributes,
        "per-attribute": arguments.per_attribute,
        "sweep": arguments.sweep,
        "compare": " --compare ".join(arguments.compare) or None,
    }
    if arguments.per_attribute < 1 or arguments.sweep < 0 or not arguments.alpha > 0:
        raise OptionError("--per-attribute must be at least 1, --sweep at least 0, and --alpha above 0.")
    setting = Setting.open(arguments, "evaluate edits", options)
    judges = Judges(setting.pack)
    attributes = chosen_attributes(arguments.attributes, setting)
    families = {_OWN_FAMILY: setting.pack.edit_maps, **_compared(arguments.compare, setting.pack, attributes)}
    sources = _sources(setting, judges, arguments)
    jobs, without_pictures = _jobs(sources, judges, attributes, arguments.per_attribute)
    render_flips(
        [flip for job in jobs for flip in job.flips],
        processes=arguments.processes,
        step=lambda done, total: setting.stage("Rendering counterfactuals", done, total),
    )
    verdicts: list[Verdict] = []
    for index, job in enumerate(jobs):
        setting.stage("Judging edits", index, len(jobs))
        # Every edit shows another person, whoever comes next.
        verdicts += _verdicts(setting, judges, sources, families, job, index % len(job.chosen), arguments)
    setting.stage("Judging edits", len(jobs), len(jobs))
    return write_edit_report(setting, verdicts, families=list(families), without_pictures=without_pictures)


def _compared(texts: Sequence[str], pack: Pack, attributes: Sequence[str]) -> dict[str, EditMaps]:
    """The edit maps of other packs; codes mean the same only where the generator is the same."""
    families = {}
    for text in texts:
        family, _, folder = text.partition("=")
        if not folder or not _FAMILY.fullmatch(family) or family in (_OWN_FAMILY, *families):
            raise OptionError(
                f"--compare {text}: write FAMILY=DIR, with a name like LT or LW*, once each, and not {_OWN_FAMILY}."
            )
        home = Path(folder)
        other = open_pack(home.name, home.parent, device=pack.device)
        if other.component_sha256("generator") != pack.component_sha256("generator"):
            raise OptionError(f"--compare {text}: its edits were made for another generator than pack {pack.id}'s.")
        if missing := [name for name in attributes if name not in other.edit_maps.attributes]:
            raise OptionError(f"--compare {text}: it has no edits for {', '.join(missing)}; use --attributes.")
        families[family] = other.edit_maps
    return families


def chosen_attributes(names: str | None, setting: Setting) -> list[str]:
    """The attributes of a list with commas, or all that the pack can both edit and predict. Raises OptionError for others."""
    known = [name for name in setting.pack.edit_maps.attributes if name in setting.pack.attribute_predictor.attributes]
    chosen = [name.strip() for name in names.split(",") if name.strip()] if names else known
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise OptionError(f"--attributes {names}: pack {setting.pack.id} has edits for {', '.join(known)}.")
    return chosen


def _sources(setting: Setting, judges: Judges, arguments: argparse.Namespace) -> Sources:
    method, offered = arguments.method, setting.pack.manifest.methods
    if method not in offered:
        raise OptionError(f"--method {method}: pack {setting.pack.id} offers {', '.join(offered)}.")
    subjects = setting.subjects("test", arguments.n)
    if method == "encoder":
        return sources_of(judges, subjects, judges.codes(subjects.pictures))
    codes = []
    for index, crop in enumerate(subjects.pictures):
        setting.stage(f"Inverting with {method}", index, len(subjects.pictures))
        codes.append(inverted(setting.pack, crop, method, seconds=None, steps=None, seed=arguments.seed).w_plus)
    return sources_of(judges, subjects, np.stack(codes))


def _jobs(sources: Sources, judges: Judges, attributes: list[str], per_attribute: int) -> tuple[list[_Job], list[str]]:
    """What there is to judge, and the names of the edits that no picture can take."""
    jobs, without_pictures = [], []
    for attribute in attributes:
        has = sources.subjects.labels[:, judges.attributes.index(attribute)]
        for direction in DIRECTIONS:
            chosen = np.flatnonzero(~has if direction == "add" else has)[:per_attribute]
            flips = tuple(
                Flip(sources.subjects.data, sources.subjects.records[i], attribute, direction == "add") for i in chosen
            )
            if flips:
                jobs.append(_Job(attribute, direction, chosen, flips))
            else:
                without_pictures.append(f"{attribute} ({direction})")
    return jobs, without_pictures


def _verdicts(
    setting: Setting,
    judges: Judges,
    sources: Sources,
    families: dict[str, EditMaps],
    job: _Job,
    shown: int,
    arguments: argparse.Namespace,
) -> list[Verdict]:
    """The verdicts of all families on one attribute and direction; `shown` of its pictures is the example."""
    truths = fitted(read_flips(job.flips), setting.pack.manifest.resolution)
    source = job.chosen[shown]
    found = []
    for family, maps in families.items():
        edit = Edit(maps, job.attribute, job.direction)
        figures, edited = judge(judges, sources, edit, job.chosen, truths, alpha=arguments.alpha, seed=arguments.seed)
        curve = sweep(judges, sources, edit, job.chosen[: arguments.sweep]) if arguments.sweep else []
        example = (sources.subjects.pictures[source], sources.reconstructions[source], edited[shown], truths[shown])
        found.append(Verdict(job.attribute, job.direction, family, figures, curve, example))
    return found
