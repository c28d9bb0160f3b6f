"""Ordered attributes: a slider whose next step depends on where the picture stands, such as a number of digits.

The levels of an ordered attribute are answers of the predictors, in order, of which exactly one holds. Every two neighbours
have maps between them, kept under the id of the upper one: adding it leads up from the level below, removing it leads down.
A strength counts levels: +1.5 from the first is the whole step to the second, then half of that to the third.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["level_steps", "passed_steps", "present_level"]


def level_steps(levels: Sequence[str]) -> dict[str, str]:
    """Upper level -> the one below it, for every step."""
    return dict(zip(levels[1:], levels[:-1], strict=True))


def present_level(levels: Sequence[str], probabilities: Mapping[str, float]) -> int:
    """Place, from 0, of the level that is most probable."""
    return max(range(len(levels)), key=lambda place: probabilities[levels[place]])


def passed_steps(levels: Sequence[str], start: float, strength: float) -> tuple[list[tuple[str, float]], float]:
    """The steps on the way from place `start` by `strength` levels, first to last, and the place where the way ends.

    A step is (upper level, share of the step that is taken, negative on the way down). Beyond the last and below the first
    level there is nothing: the way ends there.
    """
    end = min(max(start + strength, 0.0), len(levels) - 1.0)
    low, high = min(start, end), max(start, end)
    shares = [(upper, min(high, place) - max(low, place - 1)) for place, upper in enumerate(levels[1:], start=1)]
    taken = [(upper, share) for upper, share in shares if share > 0]
    return (taken if end >= start else [(upper, -share) for upper, share in reversed(taken)]), end
