"""Steps between the levels of an ordered attribute: edits as strong as the latent classifier asks, and what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from engines.editing.family import EditFamily
from engines.evaluation.edit_verdicts import Edit
from engines.evaluation.judges import Judges

__all__ = ["ALL", "STRENGTHS", "Step", "StepOutcome", "common_strength", "step_outcome"]

STRENGTHS = tuple(0.25 * step for step in range(1, 17))
"""Where the latent classifier is asked, in units of the calibrated strength, weakest first."""
ALL = 0.99
"""Share of the pictures that counts as a target change of 100 %."""


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

    @property
    def words(self) -> str:
        return f"{self.start + 1} to {self.end + 1}"


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
        if shares[-1] >= ALL:
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
