"""Method ``clone``: near-perfect inversion (Feng et al. 2022, "Near Perfect GAN Inversion").

    local (Eq. 2)    L(theta) = L_rec(G_theta(w*), x) + lambda_adv softplus(-D(G_theta(w*)))
    global (Eq. 3)   the loss of :mod:`engines.tuning.cohesion`, once after every four local updates (Eq. 4)

w* stays as it is; L_rec is the L1 distance of Laplacian pyramids and, beyond the paper, the mean squared error: an L1 distance
asks as much of a pixel that is nearly there as of one that is far off, which the last steps feel. Weights move in coordinates
that leave other codes' pictures alone as far as one matrix product can (:mod:`engines.tuning.whitening`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from engines.core.device import rough_dtype
from engines.core.progress import CancelToken
from engines.inversion.options import GlobalLoss, InversionOptions
from engines.inversion.result import InversionProgress
from engines.losses.adversarial import generator_loss
from engines.losses.laplacian import laplacian_pyramid_l1
from engines.losses.masked import masked_mse
from engines.tuning.cohesion import (
    GAN_BETAS,
    WITH_TRAINING_PICTURES,
    Cohesion,
    FrozenCohesion,
    GanCohesion,
    picture_labels,
)
from engines.tuning.descent import Descent
from engines.tuning.models import TuningModels
from engines.tuning.moves import Moves
from engines.tuning.run import Look, Recipe, Task, tune

__all__ = ["Cloner", "clone_recipe", "run"]

LEARNING_RATE, GLOBAL_RATE = 0.06, 0.03
"""For weights that start at unit scale, as all of an equalised generator do. Rates grow with the error of the codes, see
:func:`rate_factor`."""
USUAL_ERROR, LARGEST_FACTOR = 0.02, 3.0
"""Nearly all held-out renders of the bundled packs lie below that error; photographs of faces at up to 4.6 times it."""
PIXEL_WEIGHT = 100.0
"""Of the mean squared error, 1 being that of the pyramid's distance."""
ADVERSARIAL_WEIGHT = 0.01
"""lambda_adv."""
ADVERSARIAL_INTERVAL = 4
"""The discriminator takes as long as the generator: it is asked at every so many-th step, and counts so many times then."""
GLOBAL_INTERVAL = 4
GAN_RATE = 1e-3
"""The rate of the gan loss: that of the generator's own training."""


def rate_factor(code_mse: float) -> float:
    """How much larger the rates are for codes of that error: ``clamp(code_mse / USUAL_ERROR, 1, LARGEST_FACTOR)``.

    Adam's steps are as long for any loss, but weights have a longer way to a picture that is far from all that the generator
    paints: at the usual rates they do not arrive within the budget. What a longer way costs is that other codes' pictures
    change more, which a picture that is near need not.
    """
    return min(max(code_mse / USUAL_ERROR, 1.0), LARGEST_FACTOR)


class Cloner:
    """Local and global updates; each loss has an Adam of its own."""

    def __init__(self, task: Task, *, global_loss: GlobalLoss) -> None:
        self._task, self._global_loss = task, global_loss
        factor = rate_factor(task.code_mse)
        self._local_rate, self._global_rate = factor * LEARNING_RATE, factor * GLOBAL_RATE
        self._local = Descent(task.trainee, self._local_rate)
        self._mask = task.mask
        self._discriminator = task.models.discriminator
        self._label = picture_labels(task.models, task.target)
        self._global: list[tuple[Cohesion, Descent]] = []
        self._pictures = "none"
        if global_loss in ("frozen", "both"):
            frozen = FrozenCohesion(task, Moves(task.models, task.w_plus))
            self._global.append((frozen, Descent(task.trainee, self._global_rate)))
        if global_loss in WITH_TRAINING_PICTURES:
            gan = GanCohesion(task)
            self._global.append((gan, Descent(task.trainee, GAN_RATE, GAN_BETAS)))
            self._discriminator, self._pictures = gan.discriminator, gan.source
        self._steps = 0

    def look(self) -> Look:
        task = self._task
        image = task.picture()
        pyramid = laplacian_pyramid_l1(image, task.target, weight_map=task.weight_map)
        reconstruction = (pyramid + PIXEL_WEIGHT * masked_mse(image, task.target, self._mask)).sum()
        if self._steps % ADVERSARIAL_INTERVAL:
            return Look(image, reconstruction, reconstruction)
        realism = generator_loss(self._discriminator(image, self._label, dtype=rough_dtype())).sum()
        return Look(image, reconstruction + ADVERSARIAL_INTERVAL * ADVERSARIAL_WEIGHT * realism, reconstruction)

    def update(self, look: Look, share: float) -> int:
        self._local.step(look.loss, share)
        self._steps += 1
        if self._steps % GLOBAL_INTERVAL:
            return 0
        for cohesion, descent in self._global:
            descent.step(cohesion.loss(self._steps), share)
        return sum(cohesion.pictures for cohesion, _ in self._global)

    def settings(self) -> Mapping[str, Any]:
        return {
            "learning_rate": self._local_rate,
            "global_rate": self._global_rate,
            "pixel_weight": PIXEL_WEIGHT,
            "adversarial_weight": ADVERSARIAL_WEIGHT,
            "global_loss": self._global_loss,
            "global_interval": GLOBAL_INTERVAL,
            "training_pictures": self._pictures,
        }


def clone_recipe(global_loss: GlobalLoss) -> Recipe:
    """The method with one of the global losses."""
    tuner = partial(Cloner, global_loss=global_loss)
    return Recipe("clone", "Cloning the picture", seconds=50, steps=800, tuner=tuner, whitened=True)


def run(models: TuningModels, crop: np.ndarray, options: InversionOptions, cancel: CancelToken) -> Iterator[InversionProgress]:
    """See :func:`engines.tuning.run.tune`."""
    yield from tune(models, crop, options, cancel, recipe=clone_recipe(options.global_loss))
