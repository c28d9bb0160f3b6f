"""Method ``fine-tune``: pivotal tuning (Roich et al. 2021) with the penalty of Huh et al. 2020, Eq. 6.

    min over theta:  L(G_theta(w*), x) + lambda ||theta - theta_0||_2

Huh et al. move z, c and phi together with theta. Here, as in pivotal tuning, the codes w* and the transform stay: codes that
move with the weights leave where edit maps hold. w* are those of encoder-refine, which sees the whole picture and stays near
what the encoder knows; with a transform of the picture, codes and transform are those of method ``adam``, and the loss compares
with T(y), as in the search. theta are the weights of the finest blocks (:func:`engines.tuning.trainee.tunable_names`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engines.core.progress import CancelToken
from engines.inversion.options import InversionOptions
from engines.inversion.result import InversionProgress
from engines.losses.laplacian import laplacian_pyramid_l1
from engines.losses.masked import masked_distance
from engines.tuning.descent import Descent
from engines.tuning.models import TuningModels
from engines.tuning.run import Look, Recipe, Task, tune

__all__ = ["FINE_TUNE", "FineTuner", "run"]

LEARNING_RATE = 1e-2
"""For weights that start at unit scale, as all of an equalised generator do."""
PERCEPTUAL_WEIGHT = 0.5
DISTANCE_WEIGHT = 3e-4
"""lambda. The paper's 1e3 is for weights of some hundredths. Here weights are of unit scale: a good fit moves all of them
together by 50, which then costs 0.015, a tenth of the loss at the start. With 1e3 nothing would move."""


class FineTuner:
    """One Adam on the loss above."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._perceptual = task.models.perceptual
        self._features = self._perceptual.features(task.target)
        self._mask = task.mask
        self._descent = Descent(task.trainee, LEARNING_RATE)

    def look(self) -> Look:
        task = self._task
        image = task.picture()
        pixels = laplacian_pyramid_l1(image, task.target, weight_map=task.weight_map)
        features = masked_distance(self._perceptual, image, self._features, self._mask)
        loss = (pixels + PERCEPTUAL_WEIGHT * features).sum() + DISTANCE_WEIGHT * task.trainee.distance()
        return Look(image, loss, loss)

    def update(self, look: Look, share: float) -> int:
        self._descent.step(look.loss, share)
        return 0

    def settings(self) -> Mapping[str, Any]:
        return {"learning_rate": LEARNING_RATE, "distance_weight": DISTANCE_WEIGHT, "perceptual_weight": PERCEPTUAL_WEIGHT}


FINE_TUNE = Recipe("fine-tune", "Tuning the generator", seconds=30, steps=300, tuner=FineTuner)


def run(models: TuningModels, crop: np.ndarray, options: InversionOptions, cancel: CancelToken) -> Iterator[InversionProgress]:
    """See :func:`engines.tuning.run.tune`."""
    yield from tune(models, crop, options, cancel, recipe=FINE_TUNE)
