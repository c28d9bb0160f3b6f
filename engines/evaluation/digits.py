"""``evaluate digits``: of the steps that the latent classifier calls done, the share that shows in the picture.

Table 2 of Doubinsky et al. 2023: adding one digit to held-out pictures of n digits, at the strength where the target change is
100 % by the latent classifier. The image classifier is the judge, and must have learned from real pictures alone; beside it
stands a count without learning, for maps that were fitted through a network akin to it. Works for every pack with an
ordered attribute, without the count where there is none; levels are counted from 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.data.multimnist.dataset import MULTIMNIST
from engines.data.multimnist.picture import CANVAS_PX
from engines.editing.family import EditFamily
from engines.evaluation.counted_digits import counted_digits
from engines.evaluation.digit_steps import Step, common_strength, step_outcome
from engines.evaluation.digits_report import Count, count_rows, step_row, write_tables
from engines.evaluation.judges import Judges
from engines.evaluation.picture_sets import chosen_names
from engines.evaluation.report import flat
from engines.evaluation.setting import Setting, Subjects, add_common_arguments
from engines.imaging.grids import picture_grid
from engines.packs.load import Pack

__all__ = ["HELP", "add_arguments", "run"]

HELP = "of one level more (a digit more) by the latent classifier, the share that shows in the picture (Table 2)"

_DEFAULT_FAMILIES = ("LT", "LW-affine", "LW")
_SHOWN = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=2400)
    parser.add_argument(
        "--families",
        default=None,
        metavar="A,B",
        help=f"edit families (default: of {', '.join(_DEFAULT_FAMILIES)} those that there are)",
    )
    parser.add_argument("--down", action="store_true", help="judge the way back, one level less, as well")
    parser.add_argument(
        "--alpha",
        type=float,
        default=None,
        help="the strength for all, instead of a family's weakest at which the latent classifier calls all pictures done",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns `rows`, a step of a family each, and `count`, how good the count is, where there is one."""
    if arguments.alpha is not None and not arguments.alpha > 0:
        raise OptionError(f"--alpha {arguments.alpha:g}: the strength must be above 0.")
    options = {"families": arguments.families, "alpha": arguments.alpha, "down": "" if arguments.down else None}
    setting = Setting.open(arguments, "evaluate digits", options)
    pack, judges = setting.pack, Judges(setting.pack)
    families = {name: pack.family(name) for name in _families(arguments.families, pack)}
    steps = list(_steps(pack, families, down=arguments.down))
    count = _count(setting)
    subjects = setting.subjects("test", arguments.n)
    setting.stage("Inverting", 0, 1)
    codes = judges.codes(subjects.pictures)
    reconstructions = judges.pictures(codes)
    rows: list[dict[str, Any]] = []
    grids: list[tuple[Step, list[list[np.ndarray]]]] = []
    for number, step in enumerate(steps):
        chosen, there = _at_start(judges, subjects, step, codes, reconstructions)
        grid = [list(subjects.pictures[chosen[:_SHOWN]]), list(reconstructions[chosen[:_SHOWN]])]
        for name, family in families.items():
            setting.stage(f"Judging {name}", number, len(steps))
            alpha = common_strength(judges, family, step, codes[chosen]) if arguments.alpha is None else arguments.alpha
            outcome = step_outcome(judges, family, step, codes[chosen], (alpha,))
            at_one = step_outcome(judges, family, step, codes[chosen], (1.0,))
            weakest = step_outcome(judges, family, step, codes[chosen])
            before = reconstructions[chosen]
            rows.append(step_row(name, step, outcome, at_one, weakest, there=there, reconstructions=before, count=count))
            grid.append(list(outcome.pictures[:_SHOWN]))
        grids.append((step, grid))
    counted = [] if count is None else _counted(judges, steps[0], subjects, reconstructions, count)
    report = setting.report("One digit more: what the latent classifier claims and the picture shows")
    write_tables(report, pack, families, rows, counted)
    for step, grid in grids:
        caption = f"{step.words}: held-out pictures, reconstructions, then {', '.join(families)}; unselected."
        if grid[0]:
            report.picture(f"step-{step.start + 1}-{step.end + 1}", picture_grid(grid), caption)
    lines = [flat(row) for row in rows]
    return report.write(lines, {"rows": lines, "count": [flat(row) for row in counted]})


def _count(setting: Setting) -> Count | None:
    """What counts levels in the pictures of a set without having learned to: for digits, at the size that they are drawn at."""
    of_digits = setting.rendered == MULTIMNIST.name and setting.pack.manifest.resolution == CANVAS_PX
    return counted_digits if of_digits else None


def _counted(judges: Judges, step: Step, subjects: Subjects, reconstructions: np.ndarray, count: Count) -> list[dict[str, Any]]:
    """How often the count, and beside it the image classifier, is right about pictures of known levels."""
    columns = [judges.attributes.index(level) for level in step.levels]
    numbers, classified = (x[:, columns].argmax(1) + 1 for x in (subjects.labels, judges.probabilities(reconstructions)))
    return count_rows(count, numbers, subjects.pictures, reconstructions, classified)


def _at_start(
    judges: Judges, subjects: Subjects, step: Step, codes: np.ndarray, reconstructions: np.ndarray
) -> tuple[np.ndarray, float]:
    """Indices of the pictures that stand at the step's start by label and by both classifiers, and their share of those that
    do by label: what is not inverted right cannot say anything about an edit."""
    columns = [judges.attributes.index(level) for level in step.levels]
    labelled = np.flatnonzero(subjects.labels[:, columns[step.start]])
    if not len(labelled):
        return labelled, float("nan")
    latent = judges.latent_logits(codes[labelled])[:, columns].argmax(axis=1)
    image = judges.probabilities(reconstructions[labelled])[:, columns].argmax(axis=1)
    chosen = labelled[(latent == step.start) & (image == step.start)]
    return chosen, len(chosen) / len(labelled)


def _families(names: str | None, pack: Pack) -> list[str]:
    """The families to judge. Raises OptionError for a pack without levels, and for families that it has not."""
    if not pack.manifest.ordered:
        raise OptionError(f"--pack {pack.id} has no ordered attribute, such as a number of digits: use evaluate edits.")
    if names is not None:
        return chosen_names("families", names, pack.families)
    return [name for name in _DEFAULT_FAMILIES if name in pack.families]


def _steps(pack: Pack, families: dict[str, EditFamily], *, down: bool) -> Iterator[Step]:
    """The steps of all ordered attributes that every family has a map for. Raises OptionError where that is none."""
    steps = [
        Step(levels, *ends)
        for levels in pack.manifest.ordered.values()
        for upper in range(1, len(levels))
        for ends in ([(upper - 1, upper), (upper, upper - 1)] if down else [(upper - 1, upper)])
    ]
    found = [step for step in steps if all(step.map_name in family.attributes for family in families.values())]
    if not found:
        raise OptionError(f"The families {', '.join(families)} of pack {pack.id} have no step between levels in common.")
    yield from found
