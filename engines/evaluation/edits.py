"""``evaluate edits``: what a slider at 1.0 does to held-out pictures, judged by predictors and by the true counterfactual.

Doubinsky et al. 2023, section 4.2, on pictures whose edited version exists: a render is encoded, its codes are edited, and
the edited picture is compared with a render of the same record with that one attribute flipped.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.editing.families import DEFAULT_FAMILY
from engines.editing.family import DIRECTIONS, EditFamily
from engines.evaluation.counterfactuals import Flip, read_flips, render_flips
from engines.evaluation.edit_report import write_edit_report
from engines.evaluation.edit_verdicts import Edit, Sources, Verdict, judge, sources_of, sweep
from engines.evaluation.family_curves import EditCurve, edit_curve, first_strength, strengths
from engines.evaluation.judges import Judges, fitted
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.ways import inverted
from engines.packs.load import Pack
from engines.packs.registry import open_pack

__all__ = [
    "HELP",
    "Job",
    "add_arguments",
    "add_edit_arguments",
    "chosen_attributes",
    "curves_from_d",
    "edit_jobs",
    "edit_options",
    "inverted_codes",
    "inverted_sources",
    "render_truths",
    "run",
    "truths_of",
]

HELP = "target change, preservation, identity and distance to the true counterfactual of every edit"

_FAMILY = re.compile(r"[A-Za-z0-9_-]+\*?")


@dataclass(frozen=True, eq=False)
class Job:
    """One attribute and direction, the pictures to edit, and their true counterfactuals."""

    attribute: str
    direction: str
    chosen: np.ndarray
    """Indices into the sources."""
    flips: tuple[Flip, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=200)
    add_edit_arguments(parser, per_attribute=100)
    parser.add_argument("--sweep", type=int, default=12, metavar="N", help="how many of them for the sweep over strengths")
    parser.add_argument(
        "--families",
        default=None,
        metavar="F,…",
        help="compare these edit families of the pack, like LW,LT,InterFaceGAN, or all: figures over ten strengths, d to 2d, "
        "as well (default: LW alone, at --alpha)",
    )
    parser.add_argument(
        "--layers",
        action="append",
        default=[],
        metavar="FAMILY=A-B",
        help="style layers that a family may change, both included, like LT=0-6 (default all); may be repeated",
    )
    parser.add_argument(
        "--rate", type=float, default=0.5, metavar="SHARE", help="mean target change at which a family's d lies (default 0.5)"
    )
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="FAMILY=DIR",
        help="judge the edit maps of the pack in that folder too, made for the same generator; may be repeated",
    )


def add_edit_arguments(parser: argparse.ArgumentParser, *, per_attribute: int) -> None:
    """--method, --alpha, --attributes, --per-attribute (with this default) and --processes: which edits of which pictures."""
    add = parser.add_argument
    add("--method", default="encoder", metavar="M", help="inversion method (default encoder)")
    add("--alpha", type=float, default=1.0, help="strength of the slider that is judged (default 1.0)")
    add("--attributes", default=None, metavar="A,…", help="which attributes (default: all that have an edit)")
    add("--per-attribute", type=int, default=per_attribute, metavar="N", help="most pictures per attribute and direction")
    add("--processes", type=int, default=None, metavar="N", help="renderer processes (default: one a core)")


def edit_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_edit_arguments` adds and figures depend on, for the report. Raises OptionError for what means nothing."""
    if arguments.per_attribute < 1 or not arguments.alpha > 0:
        raise OptionError("--per-attribute must be at least 1, and --alpha above 0.")
    names = ("method", "alpha", "attributes", "per_attribute")
    return {name.replace("_", "-"): getattr(arguments, name) for name in names}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {A: {direction: {family: figures}}}, and `mean` in the same form with a direction `both`."""
    options = {
        "method": arguments.method,
        "alpha": arguments.alpha,
        "attributes": arguments.attributes,
        "per-attribute": arguments.per_attribute,
        "sweep": arguments.sweep,
        "compare": " --compare ".join(arguments.compare) or None,
        "families": arguments.families,
        "layers": " --layers ".join(arguments.layers) or None,
        "rate": arguments.rate if arguments.families else None,
    }
    if arguments.families and (arguments.sweep < 1 or not 0 < arguments.rate < 1):
        raise OptionError("--families needs a --sweep of at least 1, which finds d, and a --rate between 0 and 1.")
    if arguments.per_attribute < 1 or arguments.sweep < 0 or not arguments.alpha > 0:
        raise OptionError("--per-attribute must be at least 1, --sweep at least 0, and --alpha above 0.")
    setting = Setting.open(arguments, "evaluate edits", options)
    judges = Judges(setting.pack)
    attributes = chosen_attributes(arguments.attributes, setting)
    families = _own(arguments.families, setting.pack)
    families |= _compared(arguments.compare, setting.pack, attributes, taken=tuple(families))
    layers = _layers(arguments.layers, families, setting.pack.manifest.latent.layers)
    sources = inverted_sources(setting, judges, n=arguments.n, method=arguments.method)
    jobs, without_pictures = edit_jobs(sources, judges, attributes, arguments.per_attribute)
    render_truths(setting, jobs, processes=arguments.processes)
    verdicts: list[Verdict] = []
    for index, job in enumerate(jobs):
        setting.stage("Judging edits", index, len(jobs))
        # Every edit shows another person, whoever comes next.
        verdicts += _verdicts(setting, judges, sources, families, layers, job, index % len(job.chosen), arguments)
    setting.stage("Judging edits", len(jobs), len(jobs))
    curves: list[EditCurve] = []
    if arguments.families:
        sweeps = {name: [(v.attribute, v.sweep) for v in verdicts if v.family == name] for name in families}
        curves = curves_from_d(setting, judges, sources, families, jobs, sweeps, arguments.rate, layers=layers)
    return write_edit_report(setting, verdicts, curves, families=list(families), without_pictures=without_pictures)


def _own(names: str | None, pack: Pack) -> dict[str, EditFamily]:
    """The pack's families of a list with commas: LW for none, those that it has for ``all``."""
    wanted = [DEFAULT_FAMILY] if names is None else list(pack.families) if names == "all" else names.split(",")
    if len(set(wanted)) != len(wanted):
        raise OptionError(f"--families {names}: name each family once.")
    return {name: pack.family(name) for name in wanted}


def _layers(texts: Sequence[str], families: Iterable[str], count: int) -> dict[str, tuple[int, int]]:
    """(first, end) of the families that --layers names; `count` is how many style layers there are."""
    found = {}
    for words in texts:
        family, _, span = words.partition("=")
        numbers = re.fullmatch(r"(\d+)-(\d+)", span)
        if family not in families or numbers is None or not int(numbers[1]) <= int(numbers[2]) < count:
            known = ", ".join(families)
            raise OptionError(f"--layers {words}: write FAMILY=A-B with layers from 0 to {count - 1}; families are {known}.")
        found[family] = (int(numbers[1]), int(numbers[2]) + 1)
    return found


def curves_from_d(
    setting: Setting,
    judges: Judges,
    sources: Sources,
    families: Mapping[str, EditFamily],
    jobs: Sequence[Job],
    sweeps: Mapping[str, Sequence[tuple[str, list[dict[str, float]]]]],
    rate: float,
    *,
    layers: Mapping[str, tuple[int, int]] = MappingProxyType({}),
) -> list[EditCurve]:
    """The curves from d to 2d of the edits that every family has.

    sweeps: family -> attribute and sweep of every edit, which say where the mean target change reaches `rate`: a family's d.
    """
    shared = [job for job in jobs if all(job.attribute in maps.attributes for maps in families.values())]
    names = {job.attribute for job in shared}
    starts = {
        family: first_strength([points for attribute, points in sweeps[family] if attribute in names], rate)
        for family in families
    }
    curves = []
    for index, job in enumerate(shared):
        setting.stage("Curves over strengths", index, len(shared))
        truths = truths_of(setting, job)
        for family, maps in families.items():
            edit = Edit(maps, job.attribute, job.direction, layers.get(family))
            curves.append(edit_curve(judges, sources, edit, job.chosen, truths, family, strengths(starts[family])))
    return curves


def _compared(texts: Sequence[str], pack: Pack, attributes: Sequence[str], *, taken: tuple[str, ...]) -> dict[str, EditFamily]:
    """The edit maps of other packs; codes mean the same only where the generator is the same."""
    families: dict[str, EditFamily] = {}
    for text in texts:
        family, _, folder = text.partition("=")
        if not folder or not _FAMILY.fullmatch(family) or family in (*taken, *families):
            raise OptionError(
                f"--compare {text}: write FAMILY=DIR, with a name like LT or LW*, once each, and not {', '.join(taken)}."
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
    """The attributes of a list with commas, or all that the pack can both edit and predict. Raises OptionError for others.

    Steps between levels, which only pictures of one level can take, are for ``evaluate digits``.
    """
    steps, predicted = setting.pack.manifest.level_steps, setting.pack.attribute_predictor.attributes
    known = [name for name in setting.pack.edit_maps.attributes if name in predicted and name not in steps]
    chosen = [name.strip() for name in names.split(",") if name.strip()] if names else known
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        hint = "; steps between levels are judged by: python -m engines evaluate digits" if steps else ""
        raise OptionError(f"--attributes {names}: pack {setting.pack.id} has edits for {', '.join(known) or 'none'}{hint}.")
    return chosen


def inverted_sources(setting: Setting, judges: Judges, *, n: int, method: str = "encoder") -> Sources:
    """The first `n` test pictures and their codes. Raises OptionError for a method that the pack does not offer."""
    offered = setting.pack.manifest.methods
    if method not in offered:
        raise OptionError(f"--method {method}: pack {setting.pack.id} offers {', '.join(offered)}.")
    subjects = setting.subjects("test", n)
    return sources_of(judges, subjects, inverted_codes(setting, judges, subjects.pictures, method))


def inverted_codes(setting: Setting, judges: Judges, pictures: np.ndarray, way: str, *, steps: int | None = None) -> np.ndarray:
    """Codes float32 [n, L, D] of pictures uint8 [n, R, R, 3] by a way of inverting; `steps`: budget a picture."""
    if way == "encoder":
        return judges.codes(pictures)
    codes = []
    for index, crop in enumerate(pictures):
        setting.stage(f"Inverting with {way}", index, len(pictures))
        codes.append(inverted(setting.pack, crop, way, seconds=None, steps=steps, seed=setting.provenance.seed).w_plus)
    return np.stack(codes)


def edit_jobs(sources: Sources, judges: Judges, attributes: Sequence[str], per_attribute: int) -> tuple[list[Job], list[str]]:
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
                jobs.append(Job(attribute, direction, chosen, flips))
            else:
                without_pictures.append(f"{attribute} ({direction})")
    return jobs, without_pictures


def render_truths(setting: Setting, jobs: Sequence[Job], *, processes: int | None) -> None:
    """Renders the true counterfactuals of all jobs that are not yet kept, over `processes` (None: one a core)."""
    render_flips(
        [flip for job in jobs for flip in job.flips],
        processes=processes,
        step=lambda done, total: setting.stage("Rendering counterfactuals", done, total),
    )


def truths_of(setting: Setting, job: Job) -> np.ndarray:
    """The rendered counterfactuals of a job, uint8 [m, R, R, 3] at the pack's resolution."""
    return fitted(read_flips(job.flips), setting.pack.manifest.resolution)


def _verdicts(
    setting: Setting,
    judges: Judges,
    sources: Sources,
    families: dict[str, EditFamily],
    layers: dict[str, tuple[int, int]],
    job: Job,
    shown: int,
    arguments: argparse.Namespace,
) -> list[Verdict]:
    """The verdicts of all families on one attribute and direction; `shown` of its pictures is the example."""
    truths = truths_of(setting, job)
    source = job.chosen[shown]
    found = []
    for family, maps in families.items():
        if job.attribute not in maps.attributes:
            continue
        edit = Edit(maps, job.attribute, job.direction, layers.get(family))
        figures, edited = judge(judges, sources, edit, job.chosen, truths, alpha=arguments.alpha, seed=arguments.seed)
        curve = sweep(judges, sources, edit, job.chosen[: arguments.sweep]) if arguments.sweep else []
        example = (sources.subjects.pictures[source], sources.reconstructions[source], edited[shown], truths[shown])
        found.append(Verdict(job.attribute, job.direction, family, figures, curve, example))
    return found
