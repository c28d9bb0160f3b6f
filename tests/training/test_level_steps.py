"""Maps between levels see codes of these two levels alone, and are calibrated on the level that they leave."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engines.training.codes import CodeSet
from engines.training.trial import Trial

LEVELS = ("one", "two", "three")
STEPS = {"two": "one", "three": "two"}


def _set(numbers: list[int]) -> CodeSet:
    labels = np.eye(3, dtype=bool)[numbers]
    return CodeSet(torch.arange(len(numbers), dtype=torch.float32)[:, None, None], labels, LEVELS, "none")


def test_a_step_has_the_codes_of_its_two_levels():
    found = _set([0, 1, 2, 0, 2, 1]).for_edit("three", STEPS)
    assert found.codes.flatten().tolist() == [1, 2, 4, 5]
    assert found.column("two").tolist() == [True, False, False, True] and not found.column("one").any()


def test_a_plain_attribute_has_all_codes():
    codes = _set([0, 1, 2])
    assert codes.for_edit("three", {}) is codes


@pytest.mark.parametrize(
    ("attribute", "direction", "column", "left"),
    [("two", "add", 1, 0), ("two", "remove", 0, 1), ("three", "add", 2, 1), ("three", "remove", 1, 2)],
)
def test_calibration_starts_at_one_level_and_asks_for_the_next(attribute, direction, column, left):
    """Planted answers: +1 for the code's own level, -1 for the others."""
    numbers = np.array([0, 1, 2, 0, 1, 2])
    codes = replace(_set(list(numbers)), codes=torch.from_numpy(numbers).float()[:, None, None])
    predictor = lambda image: 2 * (image.flatten(1)[:, :1] == torch.tensor([-1.0, 0.0, 1.0])).float() - 1  # noqa: E731
    predictor.attributes = LEVELS
    synthesis = lambda w: w[:, :, :, None] - 1  # noqa: E731
    pack = SimpleNamespace(
        attribute_predictor=predictor,
        generator=SimpleNamespace(synthesis=synthesis),
        manifest=SimpleNamespace(level_steps=STEPS),
    )
    trial = Trial(pack, codes.codes, LEVELS, codes.labels, change=0.9, certainty=0.0)
    assert trial._goal(attribute, direction) == (column, "add")
    assert (numbers[trial._to_change(attribute, direction)] == left).all()
    assert len(trial._to_change(attribute, direction)) == 2
