"""Steps between levels: hand-made ways, and that they add up."""

from __future__ import annotations

import pytest

from engines.editing.levels import level_steps, passed_steps, present_level

LEVELS = ("one", "two", "three", "four")


@pytest.mark.parametrize(
    ("start", "strength", "steps", "end"),
    [
        (0, 1.0, [("two", 1.0)], 1),
        (0, 1.5, [("two", 1.0), ("three", 0.5)], 1.5),
        (1.5, 1.0, [("three", 0.5), ("four", 0.5)], 2.5),
        (2, -1.25, [("three", -1.0), ("two", -0.25)], 0.75),
        (3, 1.0, [], 3),
        (0, -2.0, [], 0),
        (1, 9.0, [("three", 1.0), ("four", 1.0)], 3),
        (1, 0.0, [], 1),
    ],
)
def test_the_way_between_levels(start, strength, steps, end):
    assert passed_steps(LEVELS, start, strength) == (steps, end)


def test_two_parts_of_a_way_are_the_whole():
    first, place = passed_steps(LEVELS, 0, 1.25)
    second, end = passed_steps(LEVELS, place, 1.5)
    totals = dict.fromkeys(LEVELS[1:], 0.0)
    for name, share in first + second:
        totals[name] += share
    assert list(totals.items()) == passed_steps(LEVELS, 0, 2.75)[0] and end == 2.75


def test_levels_and_their_neighbours():
    assert level_steps(LEVELS) == {"two": "one", "three": "two", "four": "three"}
    assert present_level(LEVELS, {"one": 0.1, "two": 0.2, "three": 0.6, "four": 0.5, "other": 1.0}) == 2
