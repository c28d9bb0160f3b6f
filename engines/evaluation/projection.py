"""``evaluate projection``: objects off-centre, of odd size and light, found by every optimiser (Huh et al. 2020, Table 1).

All methods get the same number of pictures from the generator, or, as in the paper, of gradient steps, which a population makes
together; they search the same space with the same mask, that of the pack's box detector. Runs are kept in the data folder as
they come, by the weights that take part, set, space and budget, and their figures in the report: a second call makes only those
that are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.data.registry import DATA_SETS, set_with_attributes
from engines.evaluation.kept import Kept, kept_folder
from engines.evaluation.known_runs import KnownRuns
from engines.evaluation.picture_sets import chosen_names
from engines.evaluation.projection_report import shown_cases, write_projection_report
from engines.evaluation.projection_runs import Beginnings, Case, Outcome, Run, Subject, outcome_of
from engines.evaluation.projection_table import Table
from engines.evaluation.revisions import METHODS_REVISION
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.work_share import WorkShare, add_share_arguments
from engines.inversion.objects import found_box
from engines.inversion.options import Space, TransformSearch
from engines.inversion.project import SEARCHES
from engines.packs.registry import open_pack
from engines.predictors.boxes import box_overlap

__all__ = ["HELP", "add_arguments", "cases_of", "run"]

HELP = "optimisers, transforms and starts against each other on objects off-centre, with the same number of evaluations"

_METHODS = tuple(method.id for method in SEARCHES)
_TRANSFORMS = get_args(TransformSearch)
_STARTS = ("mean", "encoder")
_ABLATIONS = ("class", "outside")
_OUTSIDE_WEIGHTS = (0.0, 1.0)
"""Beside the usual one."""
_EVALUATIONS = 600
_SHOWN = 6  # pictures on a sheet
_TAKING_PART = ("generator", "statistics", "encoder", "perceptual", "class_predictor", "box_detector")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=40)
    parser.add_argument("--seeds", type=int, default=6, metavar="N", help="runs of every case on every picture (default 6)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--evaluations", type=int, default=None, metavar="N", help="pictures the generator makes in a run (default 600)"
    )
    budget.add_argument(
        "--steps", type=int, default=None, metavar="N", help="gradient steps of a run instead, of a whole population at once"
    )
    for name, known, what in (
        ("methods", _METHODS, "optimisers"),
        ("transforms", _TRANSFORMS, "transforms that are searched"),
        ("starts", _STARTS, "where the latent starts"),
        ("ablations", _ABLATIONS, "what is varied beside for the last method, transform and start, or none"),
    ):
        parser.add_argument(f"--{name}", default=",".join(known), metavar="A,…", help=f"{what} (default {','.join(known)})")
    parser.add_argument("--space", choices=get_args(Space), default="z", help="the latent space that is searched (default z)")
    add_share_arguments(parser, then="report what is whole by then")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns the figures that :mod:`engines.evaluation.projection_report` names."""
    if arguments.steps is None and arguments.evaluations is None:
        arguments.evaluations = _EVALUATIONS
    for name in ("seeds", "evaluations", "steps"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise OptionError(f"--{name} {getattr(arguments, name)}: at least one is needed.")
    share = WorkShare.of(arguments)
    if arguments.set is None:
        arguments.set = _harder_set(arguments.pack)
    decisive = ("seeds", "evaluations", "steps", "methods", "transforms", "starts", "ablations", "space")
    setting = Setting.open(arguments, "evaluate projection", {name: getattr(arguments, name) for name in decisive})
    _check_pack(setting, arguments.space)
    main, ablations = cases_of(arguments, setting.pack.manifest.methods, conditional=bool(setting.pack.manifest.classes))
    subjects = _subjects(setting, arguments.n)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    # A seed for all pictures before the next: what is there early is balanced.
    places = [(i, seed) for seed in seeds for i in range(len(subjects))]
    run_of = {(*place, case): Run.of(place[0], case, place[1], seeds[0]) for place in places for case in (*main, *ablations)}
    mine = [run for run in dict.fromkeys(run_of.values()) if share.has(run.picture)]
    known = _known(setting, arguments, [run.name for run in mine] if arguments.fresh else ())
    _make(setting, known, known.without_figures(mine), subjects, share, arguments)
    outcomes: dict[tuple[int, int], dict[str, Outcome]] = {}
    for (i, seed, case), run in run_of.items():
        if (outcome := known.figures(run.name)) is not None:
            outcomes.setdefault((i, seed), {})[case.key] = outcome
    table = Table.of(outcomes, [*main, *ablations], len(subjects), seeds)
    shown = {case: [run_of[i, seeds[0], case] for i in table.blocks[case].pictures[:_SHOWN]] for case in shown_cases(main)}
    unseen = known.without_picture(run for runs in shown.values() for run in runs)
    _make(setting, known, unseen, subjects, WorkShare.all(), arguments)
    pictures = {case: [known.picture(run.name) for run in runs] for case, runs in shown.items()}
    report = setting.report("Projecting objects that lie anywhere")
    known.write(setting.provenance)
    facts = _detector_figures(subjects)
    return write_projection_report(
        report, table, subjects, main, ablations, pictures, facts, by_steps=arguments.steps is not None
    )


def cases_of(arguments: argparse.Namespace, offered: Sequence[str], *, conditional: bool) -> tuple[list[Case], list[Case]]:
    """The cases of the table, and those that vary one thing of its last case.

    offered: methods that the pack has; conditional: whether it has classes. Raises OptionError for unknown names.
    """
    methods = chosen_names("methods", arguments.methods, [method for method in _METHODS if method in offered])
    transforms = chosen_names("transforms", arguments.transforms, _TRANSFORMS)
    starts = chosen_names("starts", arguments.starts, _STARTS)
    varied = chosen_names("ablations", arguments.ablations, (*_ABLATIONS, "none"))
    main = [
        Case(method, transform, encoder=start == "encoder")
        for start in starts
        for transform in transforms
        for method in methods
    ]
    last = main[-1]
    ablations = []
    if "class" in varied and conditional and arguments.space == "z":
        ablations.append(replace(last, class_search=False))
    if "outside" in varied:
        ablations += [replace(last, outside_weight=weight) for weight in _OUTSIDE_WEIGHTS]
    return main, ablations


def _harder_set(pack_id: str) -> str:
    """The set of the pack's pictures with objects anywhere, where there is one, else the pack's own."""
    own = set_with_attributes(open_pack(pack_id).attribute_predictor.attributes).name
    return f"{own}-ood" if f"{own}-ood" in DATA_SETS else own


def _check_pack(setting: Setting, space: str) -> None:
    """Raises OptionError for a pack that cannot be measured so."""
    pack = setting.pack
    if not pack.has("box_detector"):
        raise OptionError(f"pack {pack.id} has no box detector: evaluate projection is for packs of objects.")
    if space not in pack.manifest.latent.spaces:
        raise OptionError(f"--space {space}: pack {pack.id} has {', '.join(pack.manifest.latent.spaces)}.")


def _subjects(setting: Setting, n: int) -> list[Subject]:
    """Raises OptionError for a set whose objects' rectangles are not known."""
    found, pack = setting.subjects("test", n), setting.pack
    if found.boxes is None:
        raise OptionError(f"--set {found.data}: where its objects lie is not known.")
    side = pack.manifest.resolution
    ids = [row.id for row in pack.manifest.classes]
    classes = [""] * n if found.classes is None else [ids[number] for number in found.classes]
    return [
        Subject(crop, tuple((side * box).tolist()), found_box(pack, crop) or (0.0, 0.0, float(side), float(side)), class_id)
        for crop, box, class_id in zip(found.pictures, found.boxes, classes, strict=True)
    ]


def _known(setting: Setting, arguments: argparse.Namespace, fresh: Sequence[str]) -> KnownRuns[Outcome]:
    """What is known already, by all that decides a run beside case, picture and seed."""
    budget = arguments.evaluations or f"{arguments.steps} steps"
    deciding = (setting.pack.manifest.object_box, setting.rendered, arguments.space, budget, METHODS_REVISION)
    kept = Kept(kept_folder(setting.pack, "projection", _TAKING_PART, deciding), Outcome)
    return KnownRuns(kept, Path(arguments.out), Outcome, fresh=fresh)


def _make(
    setting: Setting,
    known: KnownRuns[Outcome],
    runs: Sequence[Run],
    subjects: Sequence[Subject],
    share: WorkShare,
    arguments: argparse.Namespace,
) -> None:
    """Makes the runs as long as the share's minutes go."""
    if runs:
        # The first run also reads weights and warms the allocator up: not part of the seconds that are reported.
        outcome_of(setting.pack, subjects[0], runs[0].case, seed=0, evaluations=1, space=arguments.space)
    budget = {"evaluations": arguments.evaluations, "steps": arguments.steps}
    setup = {"space": arguments.space, "beginnings": Beginnings(), **budget}
    known.make(
        runs,
        lambda run: outcome_of(setting.pack, subjects[run.picture], run.case, seed=run.seed, **setup),
        share=share,
        report=lambda done, of: setting.stage("Projecting", done, of),
    )


def _detector_figures(subjects: Sequence[Subject]) -> dict[str, float]:
    """How well the detector's rectangles, which the searches begin with, agree with the true ones."""
    found, true = (torch.tensor([getattr(s, name) for s in subjects], dtype=torch.float64) for name in ("found", "box"))
    overlap = box_overlap(found, true)[0].numpy()
    return {"detector_iou_mean": float(overlap.mean()), "detector_iou_worst_tenth": float(np.quantile(overlap, 0.1))}
