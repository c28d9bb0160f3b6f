"""Budgets and learning rates."""

from __future__ import annotations

import math

import pytest

from engines.core.errors import OptionError
from engines.training.schedule import Schedule, learning_rate


def test_whichever_budget_ends_first_counts():
    schedule = Schedule(steps=100, minutes=1)
    assert schedule.fraction(50, 6) == 0.5
    assert schedule.fraction(10, 45) == 0.75
    assert schedule.fraction(100, 0) == 1 == schedule.fraction(0, 600)


def test_no_budget_is_refused():
    with pytest.raises(OptionError, match="--steps"):
        Schedule()


def test_shares_split_both_budgets():
    assert Schedule(steps=100, minutes=10).share(0.25) == Schedule(steps=25, minutes=2.5)


def test_learning_rate_is_linear_then_flat_then_half_a_cosine():
    assert learning_rate(1.0, 0.015, warm_up=0.03) == pytest.approx(0.5)
    assert learning_rate(1.0, 0.3, hold=0.4) == 1.0
    middle = learning_rate(1.0, 0.7, hold=0.4, floor=0.0)
    assert middle == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert learning_rate(1.0, 1.0, floor=0.02) == pytest.approx(0.02)


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 1e9])
def test_minutes_end(minutes):
    with pytest.raises(OptionError, match="--minutes"):
        Schedule(minutes=minutes)


def test_no_steps_are_no_budget():
    with pytest.raises(OptionError, match="--steps 0"):
        Schedule(steps=0)
