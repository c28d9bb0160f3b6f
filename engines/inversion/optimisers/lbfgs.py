"""L-BFGS (Liu & Nocedal 1989) with a strong Wolfe line search, on one candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.inversion.optimisers.problem import Problem, Step, Variables, detached, gradients, scores_of

__all__ = ["lbfgs"]

MEMORY = 20
"""Pairs of steps and gradient changes that are remembered."""
LINE_SEARCH = 20
"""Most evaluations of a line search."""


class _Stopped(Exception):
    """Ends a line search whose budget is spent."""


def lbfgs(problem: Problem, start: Variables, *, allowed: Callable[[int], bool] = lambda made: True) -> Iterator[Step]:
    """Iterations until not even steepest descent moves any more. Every evaluation is counted, those of line searches too.

    allowed: asked before every evaluation, with the number of those that this iteration has made; after False the
        iteration ends with what it has, and no other begins.
    """
    descent = _Descent(problem, start, allowed)
    fresh = True
    while True:
        step, moved = descent.iterate()
        if step is not None:
            yield step
        if descent.stopped or (fresh and not moved):
            return
        fresh = not moved
        if fresh:
            descent.forget()


@dataclass(frozen=True, eq=False)
class _Seen:
    """A point of a line search: where, loss, gradients."""

    at: list[Tensor]
    loss: Tensor
    gradients: list[Tensor]


class _Descent:
    """torch's L-BFGS, which keeps its memory from call to call, made to pause after every iteration."""

    def __init__(self, problem: Problem, start: Variables, allowed: Callable[[int], bool]) -> None:
        self._problem, self._allowed = problem, allowed
        with gradients():
            self._variables = detached(problem.constrained(start))
            moving = [v for v, rate in zip(self._variables, problem.learning_rates, strict=True) if rate > 0]
            self._moving = [v.requires_grad_(True) for v in moving]
        self.stopped = False
        """Whether an evaluation was not allowed."""
        self._seen: list[_Seen] = []
        self._made = 0
        self._best: tuple[float, Variables] | None = None
        self.forget()

    def forget(self) -> None:
        """Empties the memory: the next iteration goes straight down."""
        self._optimiser = torch.optim.LBFGS(
            self._moving,
            max_iter=1,
            max_eval=1 + LINE_SEARCH,
            history_size=MEMORY,
            line_search_fn="strong_wolfe",
            tolerance_change=0,
        )

    def iterate(self) -> tuple[Step | None, bool]:
        """One iteration: the best of what it looked at (None when that was nothing new), and whether it moved."""
        self._made, self._best = 0, None
        before = [v.detach().clone() for v in self._moving]
        self._seen = self._seen[-LINE_SEARCH:]
        with gradients():
            try:
                self._optimiser.step(self._closure)
            except _Stopped:
                self.stopped = True
        with torch.inference_mode(False), torch.no_grad():
            # A line search may have left the region, where the loss is level: from its border there is a way back.
            for v, allowed in zip(self._variables, self._problem.constrained(self._variables), strict=True):
                v.copy_(allowed)
        moved = any(not torch.equal(old, new) for old, new in zip(before, self._moving, strict=True))
        if self._best is None:
            return None, moved
        loss, variables = self._best
        made, scores = self._made, torch.tensor([loss])
        if not self._problem.comparable:
            scores, made = scores_of(self._problem, variables), made + 1
        return Step(variables, scores, evaluations=made), moved

    def _closure(self) -> Tensor:
        # Every iteration begins by asking for the point at which the last line search ended.
        for seen in self._seen:
            if all(torch.equal(v, at) for v, at in zip(self._moving, seen.at, strict=True)):
                for v, gradient in zip(self._moving, seen.gradients, strict=True):
                    v.grad = gradient.clone()
                return seen.loss
        if not self._allowed(self._made):
            raise _Stopped
        self._optimiser.zero_grad()
        # The loss of the nearest candidate that is allowed: a line search that leaves the region sees it go on level.
        nearest = self._problem.constrained(self._variables)
        loss = self._problem.losses(nearest).sum()
        loss.backward()
        self._made += 1
        value = float(loss.detach())
        if self._best is None or value < self._best[0]:
            self._best = (value, detached(nearest))
        at = [v.detach().clone() for v in self._moving]
        self._seen.append(_Seen(at, loss.detach(), [v.grad.clone() for v in self._moving]))
        return loss.detach()
