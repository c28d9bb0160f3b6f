"""Functions with known optima as problems for the optimisers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.core.progress import CancelToken
from engines.core.rng import torch_generator
from engines.inversion.optimisers.budget import Budget
from engines.inversion.optimisers.follow import Best, follow
from engines.inversion.optimisers.problem import Search, Step, Variables, boxed

__all__ = ["FunctionProblem", "minimum", "quadratic", "rastrigin", "rosenbrock", "search_of", "start"]


@dataclass
class FunctionProblem:
    """A function [N, d] -> [N] whose coordinates may be bounded."""

    function: Callable[[Tensor], Tensor]
    rate: float = 0.05
    limit: float = math.inf
    comparable: bool = True
    at_once: int = 1000
    calls: int = 0
    """Candidates computed."""

    @property
    def learning_rates(self) -> tuple[float, ...]:
        return (self.rate,)

    def losses(self, variables: Variables, *, rough: bool = False) -> Tensor:
        self.calls += len(variables[0])
        return self.function(variables[0])

    scores = losses

    def constrained(self, variables: Variables) -> Variables:
        return (boxed(variables[0], self.limit),)


def quadratic(x: Tensor) -> Tensor:
    """Ill-conditioned; 0 at (1, 1, ...)."""
    scales = torch.logspace(0, 2, x.shape[1])
    return (scales * (x - 1).square()).sum(1)


def rosenbrock(x: Tensor) -> Tensor:
    """A bent valley; 0 at (1, 1, ...)."""
    return (100 * (x[:, 1:] - x[:, :-1].square()).square() + (1 - x[:, :-1]).square()).sum(1)


def rastrigin(x: Tensor) -> Tensor:
    """A bowl full of dents, one about every unit; 0 at (0, 0, ...)."""
    return (x.square() - 4 * torch.cos(2 * math.pi * x) + 4).sum(1)


def start(dimension: int, seed: int = 0, *, spread: float = 2.0) -> Variables:
    return (spread * torch.randn(1, dimension, generator=torch_generator(seed)),)


def search_of(problem: FunctionProblem, dimension: int, *, deviation: float = 1.0, around: float = 0.0) -> Search:
    return Search(problem, dimension, deviation, lambda y: problem.constrained((y + around,)))


def minimum(steps, problem: FunctionProblem, budget: Budget, cancel: CancelToken | None = None) -> tuple[Best, list[Step]]:
    """The best candidate within a budget, and the steps."""
    best = Best()
    return best, list(follow(steps, problem, budget, cancel or CancelToken(), best))
