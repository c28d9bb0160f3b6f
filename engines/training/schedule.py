"""How long a training goes on, and the learning rate on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engines.core.errors import OptionError

__all__ = ["MOST_MINUTES", "Schedule", "learning_rate"]

MOST_MINUTES = 60.0 * 24 * 366
"""A year: what is longer is a mistake."""


@dataclass(frozen=True)
class Schedule:
    """A budget of steps, of minutes, or of both (whichever ends first).

    A budget of steps alone gives the same weights for the same seed; minutes depend on the machine.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise OptionError("A training needs a budget: --steps, --minutes or both.")
        if self.steps is not None and self.steps < 1:
            raise OptionError(f"--steps {self.steps}: at least one is needed.")
        if self.minutes is not None and not 0 < self.minutes <= MOST_MINUTES:
            raise OptionError(f"--minutes {self.minutes}: use more than 0, and {MOST_MINUTES:g} at most.")

    def fraction(self, step: int, seconds: float) -> float:
        """How much of the budget is used, 0 to 1."""
        by_steps = 0.0 if self.steps is None else step / self.steps
        by_time = 0.0 if self.minutes is None else seconds / (60 * self.minutes)
        return min(1.0, max(by_steps, by_time))

    def share(self, part: float) -> Schedule:
        """The schedule of a stage that gets `part` of this one's budget."""
        steps = None if self.steps is None else max(1, round(self.steps * part))
        return Schedule(steps, None if self.minutes is None else self.minutes * part)


def learning_rate(peak: float, fraction: float, *, warm_up: float = 0.03, hold: float = 0.0, floor: float = 0.02) -> float:
    """Linear warm-up, constant until `hold`, then a cosine down to `floor` x peak; all as fractions of the budget."""
    if fraction < warm_up:
        return peak * max(fraction / warm_up, 0.02)
    start = max(warm_up, hold)
    if fraction <= start:
        return peak
    cosine = 0.5 * (1 + math.cos(math.pi * (fraction - start) / (1 - start)))
    return peak * (floor + (1 - floor) * cosine)
