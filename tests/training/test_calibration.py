"""Calibration on planted responses, where the right strength is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.training.calibration import ImageResponse, Response, answers, bar, calibrate


def _planted(needed: float, cost: float = 0.02):
    """All of 90 % of codes change at `needed` on average, in proportion below; each unit of strength costs `cost`."""
    return lambda strength: Response(min(1.0, 0.9 * strength / needed), 1 - cost * strength)


@pytest.mark.parametrize("needed", [0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 3.7])
def test_the_least_strength_that_changes_enough_is_found(needed):
    """Two halvings of a doubling leave a factor of 2^(1/4) between what is enough and what is not."""
    found = calibrate(_planted(needed), halvings=2)
    assert found.change >= 0.9 * 0.93
    assert needed * 0.93 <= found.scale <= needed * 2**0.25 + 1e-9
    assert found.tried <= 6


def test_more_halvings_come_closer():
    assert calibrate(_planted(1.37), halvings=8).scale == pytest.approx(1.37, rel=0.01)


def test_what_never_changes_enough_stops_before_it_ruins_the_rest():
    """Change is stuck at .5 from strength 1 on, and every further unit costs .2 of the other attributes."""
    found = calibrate(lambda s: Response(min(0.5, 0.5 * s), 1 - 0.2 * s))
    assert found.scale == 1.0 and found.change == 0.5


def test_a_response_to_the_least_strength_is_enough():
    assert calibrate(lambda s: Response(1.0, 1 - 0.1 * s)).scale == 0.25


def test_response_counts_flips_and_what_stays():
    """Pictures are the codes, logits their coordinates: +2 on the first flips codes below 2, and drags the third along."""
    codes = torch.tensor([[[-1.0, 1.0, -1.5]], [[-3.0, 1.0, -0.5]], [[-0.5, -1.0, -3.0]], [[-1.5, 1.0, 1.0]]])
    direction = torch.tensor([2.0, 0.0, 1.0])

    def synthesis(w_plus: torch.Tensor) -> torch.Tensor:
        return w_plus / 10  # images are clamped to [-1, 1]

    def predictor(image: torch.Tensor) -> torch.Tensor:
        return image[:, 0]

    before = answers(codes, synthesis, predictor)
    np.testing.assert_array_equal(before > 0, codes[:, 0].numpy() > 0)

    def edited(strength: float) -> np.ndarray:
        return answers(codes + strength * direction, synthesis, predictor)

    args = {"k": 0, "others": np.array([False, True, True]), "before": before}
    respond = ImageResponse(edited, **args)
    # Of the first coordinates three of four cross 0; of the third, -0.5 does, one of the eight others.
    assert respond(1.0) == Response(0.75, 7 / 8)
    assert respond(2.0) == Response(1.0, 6 / 8)
    # Edited, the first coordinates are .1, -.1, .15 and .05, their median .075: half as sure as .15.
    assert ImageResponse(edited, bar=0.15, **args)(1.0).sureness == pytest.approx(0.5)
    assert ImageResponse(edited, bar=0.07, **args)(1.0).sureness == 1.0


def test_answers_that_are_not_sure_ask_for_more_strength():
    """All change at 1, but the predictor is sure only at 2."""
    found = calibrate(lambda s: Response(min(1.0, s), 1 - 0.02 * s, min(1.0, s / 2)), halvings=4)
    assert 1.7 < found.scale < 2.1 and found.change == 1.0


def test_the_bar_is_a_quantile_of_the_answers_on_the_far_side():
    logits = np.array([-8.0, -6.0, -4.0, -2.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert bar(logits, "add", 0.25) == 2.0
    assert bar(logits, "remove", 0.25) == 2.0
    assert bar(logits, "add", 0.0) == 0.0
    assert bar(-np.abs(logits), "add", 0.5) == 0.0
