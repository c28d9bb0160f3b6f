"""What optimisers work on: the losses of N candidates at once, and the steps they report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

__all__ = ["Problem", "Search", "Step", "Variables", "boxed", "detached", "gradients", "rows", "scores_of"]

Variables = tuple[Tensor, ...]
"""N candidates: tensors [N, ...] whose i-th rows belong together."""


class Problem(Protocol):
    """A function of candidates. Candidates do not see each other: any part of a population has the same losses alone."""

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """Adam's for every variable; 0 for one that gradient steps leave alone."""

    @property
    def comparable(self) -> bool:
        """Whether losses are scores: the candidate with the smaller loss is the better one."""

    @property
    def at_once(self) -> int:
        """How many candidates are best computed together."""

    def losses(self, variables: Variables, *, rough: bool = False) -> Tensor:
        """What gradient steps minimise, [N], differentiable; `rough`: to a few digits, if that is quicker."""

    def scores(self, variables: Variables) -> Tensor:
        """What candidates are compared by, [N]."""

    def constrained(self, variables: Variables) -> Variables:
        """The nearest candidates that are allowed; differentiable."""


@dataclass(frozen=True)
class Search:
    """A problem with coordinates that a sampler of points searches."""

    problem: Problem
    dimension: int
    deviation: float
    """How far around 0 the search begins."""
    sampled: Callable[[Tensor], Variables]
    """Candidates, allowed ones, for coordinates [N, dimension]."""
    bound: np.ndarray | None = None
    """[dimension]: coordinates lie within +-bound; None for anywhere."""


@dataclass(frozen=True, eq=False)
class Step:
    """What was done between two moments at which an optimiser may be stopped."""

    variables: Variables
    """The candidates that were looked at."""
    scores: Tensor | None
    """Their scores [N], None where they were not computed."""
    evaluations: int
    """Candidates computed, forward, or forward and backward."""
    steps: int = 1
    """What the step counts in a budget of steps."""


@contextmanager
def gradients() -> Iterator[None]:
    """Gradients are on inside, whatever mode the caller is in. Never to be left open across a yield."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def boxed(x: Tensor, limit: float) -> Tensor:
    """x within +-limit. On the border the gradient is that of inside, where clamp's is 0, so that values come back."""
    return torch.where(x.abs() <= limit, x, x.clamp(-limit, limit))


def rows(variables: Variables, chosen: slice | Tensor) -> Variables:
    """Some of the candidates."""
    return tuple(v[chosen] for v in variables)


def detached(variables: Variables) -> Variables:
    """Copies that do not change any more."""
    return tuple(v.detach().clone() for v in variables)


def scores_of(problem: Problem, variables: Variables) -> Tensor:
    """The scores of any number of candidates, `at_once` at a time, without gradients."""
    with torch.inference_mode(False), torch.no_grad():
        count = len(variables[0])
        parts = range(0, count, problem.at_once)
        return torch.cat([problem.scores(rows(variables, slice(i, i + problem.at_once))) for i in parts])
