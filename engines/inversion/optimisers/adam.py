"""Adam (Kingma & Ba 2015) on a population: every candidate makes its own way, all in one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from engines.inversion.optimisers.problem import Problem, Step, Variables, detached, gradients, rows, scores_of

__all__ = ["AdamWalk", "adam", "cosine_rate"]

SCORE_EVERY = 10
"""Where losses are no scores, the candidates of every so many-th step are scored."""
WARM_UP = 0.05  # share of the budget


class AdamWalk:
    """A population and Adam's memory of it."""

    def __init__(
        self,
        problem: Problem,
        start: Variables,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        rough: bool = False,
    ) -> None:
        """rough: losses and gradients need a few digits only."""
        self._problem, self._rough = problem, rough
        with gradients():
            self._variables = detached(problem.constrained(start))
            moving = [(v, rate) for v, rate in zip(self._variables, problem.learning_rates, strict=True) if rate > 0]
            self._moving = [v.requires_grad_(True) for v, _ in moving]
            self._optimiser = torch.optim.Adam([{"params": [v], "lr": rate} for v, rate in moving], betas=betas)
        self._rates = [rate for _, rate in moving]

    @property
    def variables(self) -> Variables:
        """Copies of the candidates as they are now."""
        return detached(self._variables)

    def step(self, factor: float = 1.0) -> Tensor:
        """One step with `factor` times the learning rates. Returns the losses [N] from before it."""
        problem, count = self._problem, len(self._variables[0])
        with gradients():
            self._optimiser.zero_grad(set_to_none=True)
            losses = []
            for first in range(0, count, problem.at_once):
                chosen = rows(self._variables, slice(first, first + problem.at_once))
                part = problem.losses(chosen, rough=self._rough)
                part.sum().backward()
                losses.append(part.detach())
            for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
                group["lr"] = rate * factor
            self._optimiser.step()
        with torch.inference_mode(False), torch.no_grad():
            for v, allowed in zip(self._variables, problem.constrained(self._variables), strict=True):
                v.copy_(allowed)
        return torch.cat(losses)


def adam(
    problem: Problem,
    start: Variables,
    *,
    rate: Callable[[], float] = lambda: 1.0,
    betas: tuple[float, float] = (0.9, 0.999),
) -> Iterator[Step]:
    """Endless steps from `start`; `rate` is asked before each for a factor of the learning rates."""
    walk = AdamWalk(problem, start, betas=betas)
    number = 0
    while True:
        variables = walk.variables
        losses = walk.step(rate())
        count, number = len(losses), number + 1
        if problem.comparable:
            yield Step(variables, losses, evaluations=count)
        elif number % SCORE_EVERY == 0:
            yield Step(variables, scores_of(problem, variables), evaluations=2 * count)
        else:
            yield Step(variables, None, evaluations=count)


def cosine_rate(share: float) -> float:
    """A factor of the learning rate for the share of the budget that is used: linear warm-up, then a cosine to zero."""
    if share < WARM_UP:
        return (share + 0.01) / (WARM_UP + 0.01)
    return 0.5 + 0.5 * math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP))
