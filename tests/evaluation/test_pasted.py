"""What an edit changes beside, against changes that are planted."""

from __future__ import annotations

import numpy as np
import pytest

from engines.evaluation.pasted import stray_change


def test_only_what_the_truth_leaves_alone_counts():
    photo = np.full((16, 16, 3), 100, np.uint8)
    truth, pasted = photo.copy(), photo.copy()
    truth[:, :8] += 50  # the attribute's half, and two columns around it
    pasted[:, :8] += 40
    assert stray_change(photo, pasted, truth) == 0
    pasted[:, 8:10] += 30
    assert stray_change(photo, pasted, truth) == 0
    pasted[:, 12:] -= 9
    pasted[0, 10] += np.array([3, 0, 0], np.uint8)
    assert stray_change(photo, pasted, truth) == pytest.approx((4 * 16 * 9 + 1) / (6 * 16))


def test_differences_of_a_rounding_are_none_and_a_truth_that_differs_everywhere_says_nothing():
    photo = np.full((16, 16, 3), 100, np.uint8)
    assert stray_change(photo, photo + np.uint8(6), photo + np.uint8(2)) == 6
    assert np.isnan(stray_change(photo, photo, photo + np.uint8(3)))
