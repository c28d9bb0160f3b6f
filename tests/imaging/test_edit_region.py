"""Regions of edits: from probabilities to the share of a change that is kept."""

from __future__ import annotations

import numpy as np
import pytest

from engines.imaging.edit_region import limited, region_shares


def test_what_hardly_changes_is_outside_and_what_well_may_is_inside():
    shares = region_shares(np.array([[0.0, 0.15, 0.325], [0.5, 0.9, 1.0]]))
    assert shares.dtype == np.float32
    assert shares == pytest.approx(np.array([[0, 0, 0.5], [1, 1, 1]]))
    assert np.all(np.diff(region_shares(np.linspace(0, 1, 101))) >= 0)


def test_outside_the_region_the_reconstruction_stays():
    rng = np.random.default_rng(0)
    before, after = (rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(2))
    mask = np.zeros((8, 8), np.float32)
    mask[:, 4:] = 1
    mask[0] = 0.25
    picture = limited(after, before, mask)
    assert np.array_equal(picture[1:, :4], before[1:, :4]) and np.array_equal(picture[1:, 4:], after[1:, 4:])
    assert picture[0] == pytest.approx(0.75 * before[0] + 0.25 * after[0])
