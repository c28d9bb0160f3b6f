"""What an optimisation may use: seconds, steps, generator evaluations, whichever ends first."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["Budget", "Part"]

PREVIEW_PERIOD_SEC = 1 / 3


class Budget:
    """Counts what is used, and says when it is spent and when the next preview is due. The clock starts when it is made.

    seconds > 0, steps >= 1, evaluations >= 1; None does not bound, and with all three None nothing does.
    """

    def __init__(self, seconds: float | None = None, steps: int | None = None, evaluations: int | None = None) -> None:
        self.seconds, self.steps, self.evaluations = seconds, steps, evaluations
        self._started = self._previewed = self._counted = time.perf_counter()
        self._counts = 0
        self.step = 0
        """Steps done."""
        self.evaluated = 0
        """Evaluations done."""

    def count(self, *, steps: int = 1, evaluations: int = 0) -> None:
        """Notes that something was done."""
        self._counts += 1
        self._counted = time.perf_counter()
        self.step += steps
        self.evaluated += evaluations

    def settings(self) -> dict[str, float | int | None]:
        """The bounds, as results record them."""
        return {"seconds": self.seconds, "steps": self.steps, "evaluations": self.evaluations}

    def again(self) -> Budget:
        """One of which as much is used as of this when it last counted, time too; what is used from now on is its own."""
        twin = Budget(self.seconds, self.steps, self.evaluations)
        twin._counts, twin.step, twin.evaluated = self._counts, self.step, self.evaluated
        twin._started -= self._counted - self._started
        return twin

    @property
    def elapsed_sec(self) -> float:
        return time.perf_counter() - self._started

    @property
    def share(self) -> float:
        """How much of the budget is used, 0..1."""
        used = ((self.step, self.steps), (self.evaluated, self.evaluations), (self.elapsed_sec, self.seconds))
        return min(1.0, max(done / most if most else 0.0 for done, most in used))

    @property
    def out_of_time(self) -> bool:
        """Whether more than half of one more step would lie beyond the end."""
        half_step_sec = self.elapsed_sec / (2 * self._counts) if self._counts else 0.0
        return self.seconds is not None and self.elapsed_sec + half_step_sec >= self.seconds

    @property
    def spent(self) -> bool:
        return (
            self.out_of_time
            or (self.steps is not None and self.step >= self.steps)
            or (self.evaluations is not None and self.evaluated >= self.evaluations)
        )

    def allows(self, evaluations: int) -> bool:
        """Whether one evaluation more fits, on top of those counted and of so many that are not counted yet."""
        most = self.evaluations
        in_time = self.seconds is None or self.elapsed_sec < self.seconds
        return in_time and (most is None or self.evaluated + evaluations < most)

    @property
    def preview_due(self) -> bool:
        return time.perf_counter() - self._previewed >= PREVIEW_PERIOD_SEC

    def previewed(self) -> None:
        """Notes that a preview is shown now."""
        self._previewed = time.perf_counter()


@dataclass
class Part:
    """A part of a budget: from what is used when it is made to the share `end`."""

    budget: Budget
    end: float = 1.0

    def __post_init__(self) -> None:
        budget = self.budget
        self._first_share, self._first_step = budget.share, budget.step

    @property
    def length(self) -> float:
        """The part's share of the whole budget."""
        return self.end - self._first_share

    @property
    def share(self) -> float:
        """How much of this part is used, 0..1."""
        return min(1.0, (self.budget.share - self._first_share) / self.length) if self.length > 0 else 1.0

    @property
    def spent(self) -> bool:
        return self.budget.spent or self.share > 1 - 1e-9

    @property
    def expected_steps(self) -> float | None:
        """How many steps fit into this part, by those done so far; None before the first, or without a bound."""
        done, share = self.budget.step - self._first_step, self.share
        return done / share if done and share > 0 else None
