"""``evaluate digits``: of the steps that the latent classifier calls done, the share that the image classifier confirms.

Table 2 of Doubinsky et al. 2023: adding one digit to held-out pictures of n digits, at the strength where the target change is
100 % by the latent classifier. The image classifier is the judge, and must have learned from real pictures alone: the report
says what it learned from. Works for every pack with an ordered attribute; levels are counted from 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.editing.families import DEFAULT_FAMILY
from engines.editing.family import EditFamily
from engines.editing.mlp_maps import MlpMaps
from engines.evaluation.edit_verdicts import Edit
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import share_interval
from engines.evaluation.picture_sets import chosen_names
from engines.evaluation.setting import Setting, Subjects, add_common_arguments
from engines.imaging.grids import picture_grid
from engines.packs.load import Pack

__all__ = ["HELP", "STRENGTHS", "Step", "StepOutcome", "add_arguments", "common_strength", "run", "step_outcome"]

HELP = "of one level more (a digit more) by the latent classifier, the share that the image classifier confirms (Table 2)"

STRENGTHS = tuple(0.25 * step for step in range(1, 17))
"""Where the latent classifier is asked, in units of the calibrated strength, weakest first."""
_ALL = 0.99
"""Share of the pictures that counts as a target change of 100 %."""
_DEFAULT_FAMILIES = ("LT", "LW-affine", "LW")
_SHOWN = 8


@dataclass(frozen=True)
class Step:
    """From one level of an ordered attribute up or down to its neighbour; both are ids of predictors' answers."""

    levels: tuple[str, ...]
    start: int
    """Place in `levels`, from 0."""
    end: int

    @property
    def map_name(self) -> str:
        """The attribute of the edit families that holds this step: its upper level."""
        return self.levels[max(self.start, self.end)]

    @property
    def direction(self) -> str:
        return "add" if self.end > self.start else "remove"


@dataclass(frozen=True, eq=False)
class StepOutcome:
    """What one family made of m pictures at the start of a step."""

    latent: np.ndarray
    """bool [m], whether the latent classifier came to call it done at any of the strengths."""
    image: np.ndarray
    """bool [m], whether the image classifier does, at the strength where the latent one first did, or else at the last."""
    alphas: np.ndarray
    """[m] these strengths."""
    pictures: np.ndarray
    """uint8 [m, R, R, 3]"""

    @property
    def successes(self) -> int:
        return int(self.latent.sum())

    @property
    def confirmations(self) -> int:
        return int((self.latent & self.image).sum())

    @property
    def latent_success(self) -> float:
        """Share of the pictures; NaN of none."""
        return self.successes / len(self.latent) if len(self.latent) else float("nan")

    @property
    def confirmed(self) -> float:
        """Share of the successes; NaN where there is none."""
        return self.confirmations / self.successes if self.successes else float("nan")


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
    """Writes the report; returns `rows`: a step of a family each."""
    if arguments.alpha is not None and not arguments.alpha > 0:
        raise OptionError(f"--alpha {arguments.alpha:g}: the strength must be above 0.")
    options = {"families": arguments.families, "alpha": arguments.alpha, "down": "" if arguments.down else None}
    setting = Setting.open(arguments, "evaluate digits", options)
    pack, judges = setting.pack, Judges(setting.pack)
    families = {name: pack.family(name) for name in _families(arguments.families, pack)}
    steps = list(_steps(pack, families, down=arguments.down))
    subjects = setting.subjects("test", arguments.n)
    setting.stage("Inverting", 0, 1)
    codes = judges.codes(subjects.pictures)
    reconstructions = judges.pictures(codes)
    report = setting.report("One digit more: what the latent classifier claims and the image classifier confirms")
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
            rows.append(_row(name, step, outcome, at_one, weakest, there))
            grid.append(list(outcome.pictures[:_SHOWN]))
        grids.append((step, grid))
    report.table(rows)
    judge = pack.manifest.components["attribute_predictor"].provenance.data
    explanation = _EXPLANATION.strip().format(lw=_lw_in_words(families))
    report.text(f"{explanation}\n\nThe image classifier learned from: {judge}.")
    for step, grid in grids:
        caption = (
            f"{step.start + 1} to {step.end + 1}: held-out pictures, reconstructions, then {', '.join(families)}; unselected."
        )
        if grid[0]:
            report.picture(f"step-{step.start + 1}-{step.end + 1}", picture_grid(grid), caption)
    return report.write(rows, {"rows": rows})


@torch.no_grad()
def common_strength(
    judges: Judges, family: EditFamily, step: Step, codes: np.ndarray, strengths: Sequence[float] = STRENGTHS
) -> float:
    """The weakest strength at which the latent classifier calls 99 % of the edited codes [m, L, D] done; where there is none,
    the weakest of those at which it calls most done."""
    edit = Edit(family, step.map_name, step.direction)
    shares = []
    for alpha in strengths if len(codes) else ():
        shares.append(float(_latent_done(judges, step, edit.codes(codes, alpha)).mean()))
        if shares[-1] >= _ALL:
            break
    return float(strengths[int(np.argmax(shares))] if shares else strengths[0])


def _latent_done(judges: Judges, step: Step, codes: np.ndarray) -> np.ndarray:
    """bool [m], whether the latent classifier's most probable level is the step's end."""
    columns = [judges.attributes.index(level) for level in step.levels]
    return judges.latent_logits(codes)[:, columns].argmax(axis=1) == step.end


@torch.no_grad()
def step_outcome(
    judges: Judges, family: EditFamily, step: Step, codes: np.ndarray, strengths: Sequence[float] = STRENGTHS
) -> StepOutcome:
    """Edits codes [m, L, D] by growing strengths until the latent classifier's most probable level is the step's end."""
    columns = [judges.attributes.index(level) for level in step.levels]
    edit = Edit(family, step.map_name, step.direction)
    done = np.zeros(len(codes), bool)
    alphas = np.full(len(codes), strengths[-1], np.float64)
    for alpha in strengths:
        open_ = np.flatnonzero(~done)
        if not len(open_):
            break
        now = open_[_latent_done(judges, step, edit.codes(codes[open_], alpha))]
        done[now], alphas[now] = True, alpha
    pictures = np.zeros((len(codes), *(judges.pack.manifest.resolution,) * 2, 3), np.uint8)
    for alpha in np.unique(alphas):
        at = np.flatnonzero(alphas == alpha)
        pictures[at] = edit.pictures(judges, codes[at], float(alpha))
    seen = judges.probabilities(pictures)[:, columns].argmax(axis=1) if len(codes) else np.zeros(0, int)
    return StepOutcome(done, seen == step.end, alphas, pictures)


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


def _row(
    family: str, step: Step, outcome: StepOutcome, at_one: StepOutcome, weakest: StepOutcome, there: float
) -> dict[str, Any]:
    """outcome: at the weakest strength for all; at_one: at the slider's 1; weakest: at each picture's weakest."""
    low, high = share_interval(outcome.confirmations, outcome.successes)
    return {
        "family": family,
        "from": step.start + 1,
        "to": step.end + 1,
        "latent_success": outcome.latent_success,
        "confirmed": outcome.confirmed,
        "confirmed_low": low,
        "confirmed_high": high,
        "n": len(outcome.latent),
        "n_latent_success": outcome.successes,
        "inverted_right": there,
        "alpha": float(outcome.alphas.mean()) if len(outcome.alphas) else float("nan"),
        "changed": float(outcome.image.mean()) if len(outcome.image) else float("nan"),
        "latent_success_at_1": at_one.latent_success,
        "confirmed_at_1": at_one.confirmed,
        "confirmed_at_weakest": weakest.confirmed,
    }


def _families(names: str | None, pack: Pack) -> list[str]:
    """The families to judge. Raises OptionError for a pack without levels, and for families that it has not."""
    if not pack.manifest.ordered:
        raise OptionError(f"--pack {pack.id} has no ordered attribute, such as a number of digits: use evaluate edits.")
    if names is not None:
        return chosen_names("families", names, pack.families)
    return [name for name in _DEFAULT_FAMILIES if name in pack.families]


def _lw_in_words(families: dict[str, EditFamily]) -> str:
    if isinstance(families.get(DEFAULT_FAMILY), MlpMaps):
        return f"{DEFAULT_FAMILY}'s maps have a hidden layer here; the paper's are affine, as LW-affine's are."
    return f"{DEFAULT_FAMILY}'s maps are affine, as the paper's." if DEFAULT_FAMILY in families else ""


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


_EXPLANATION = """
Pictures: held out, with the starting number of digits by label and, after inversion by the encoder, by both classifiers
(`inverted_right`: their share of those with that label). All are edited by one strength `alpha`, in units of the family's
calibrated one: the weakest at which the latent classifier's most probable number is the wanted one for 99 % of them, or for
most (`latent_success`). `confirmed`: of these successes, the share whose edited picture has that number by the image
classifier, with the 95 % Wilson interval; `changed`: the same share of all pictures. `latent_success_at_1` and
`confirmed_at_1`: the same two at strength 1, what the slider's end does. `confirmed_at_weakest`: the same as `confirmed` where
every picture is edited by the weakest strength that the latent classifier accepts for it alone, which favours nobody but asks
whether the latent classifier's border is where the picture changes. The image classifier judges fairly only
where it learned from real pictures alone. {lw} The paper (other data, generator and classifiers) has LT .32, .31, .64 and
LW .90, .95, .99 for 1 to 2, 2 to 3 and 3 to 4.
"""
