"""Follows an optimiser's steps within a budget, and keeps the best candidate."""

from __future__ import annotations

from collections.abc import Iterator

from engines.core.progress import CancelToken
from engines.inversion.optimisers.budget import Budget
from engines.inversion.optimisers.problem import Problem, Step, Variables, rows, scores_of

__all__ = ["Best", "follow", "until"]


class Best:
    """The candidate with the smallest score so far. `variables` and `score` are there once a scored step was seen."""

    def __init__(self) -> None:
        self.variables: Variables | None = None
        """One candidate, [1, ...]."""
        self.score = float("inf")
        self.curve: list[tuple[int, float]] = []
        """(evaluations until then, score) at every improvement."""

    def again(self) -> Best:
        """The same so far; what this one sees from now on, it alone sees."""
        twin = Best()
        twin.variables, twin.score, twin.curve = self.variables, self.score, list(self.curve)
        return twin

    def see(self, step: Step, evaluations: int = 0) -> bool:
        """Takes the step's best candidate if it is better; returns whether it is."""
        if step.scores is None:
            return False
        index = int(step.scores.argmin())
        score = float(step.scores[index])
        if not score < self.score:
            return False
        self.variables, self.score = rows(step.variables, slice(index, index + 1)), score
        self.curve.append((evaluations, score))
        return True


def until(curve: list[tuple[int, float]], evaluations: int) -> list[tuple[int, float]]:
    """The curve of improvements, drawn on level to the number of evaluations at its end."""
    return curve if curve[-1][0] == evaluations else [*curve, (evaluations, curve[-1][1])]


def follow(steps: Iterator[Step], problem: Problem, budget: Budget, cancel: CancelToken, best: Best) -> Iterator[Step]:
    """The steps until the budget is spent, the optimiser ends, or the work is cancelled; `best` sees all of them.

    Candidates that were refined but not scored yet when it ends are scored then.
    """
    unscored = None
    while not (budget.spent or cancel.cancelled):
        step = next(steps, None)
        if step is None:
            break
        budget.count(steps=step.steps, evaluations=step.evaluations)
        best.see(step, budget.evaluated)
        unscored = step if step.scores is None else None
        yield step
    if unscored is not None:
        scores = scores_of(problem, unscored.variables)
        budget.count(steps=0, evaluations=len(scores))
        best.see(Step(unscored.variables, scores, evaluations=len(scores), steps=0), budget.evaluated)
