"""Adam on a trainee's coordinates, with the learning rate's course over a budget."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engines.tuning.trainee import Trainee

__all__ = ["Descent", "tuning_rate"]

BETAS = (0.9, 0.99)
WARM_UP = 0.03
HOLD = 0.5


class Descent:
    """One optimiser with a memory of its own: losses of different scales do not disturb each other."""

    def __init__(self, trainee: Trainee, learning_rate: float, betas: tuple[float, float] = BETAS) -> None:
        self._trainee = trainee
        self._learning_rate = learning_rate
        self._optimiser = torch.optim.Adam(trainee.coordinates, lr=learning_rate, betas=betas, fused=True)

    def step(self, loss: Tensor, share: float) -> None:
        """Follows the gradient of a scalar, with the rate of the share of the budget that is used."""
        # Asked for by name: what else the loss depends on (another network) gets no gradient and costs none.
        gradients = torch.autograd.grad(loss, self._trainee.weights)
        for v, gradient in zip(self._trainee.coordinates, self._trainee.pulled_back(gradients), strict=True):
            v.grad = gradient
        self._optimiser.param_groups[0]["lr"] = self._learning_rate * tuning_rate(share)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._trainee.follow()


def tuning_rate(share: float) -> float:
    """A factor of the learning rate for the share of the budget used: warm-up, full until HOLD, then a cosine to zero."""
    if share < WARM_UP:
        return (share + 0.01) / (WARM_UP + 0.01)
    if share < HOLD:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (share - HOLD) / (1 - HOLD))
