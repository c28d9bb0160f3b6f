"""Regions of edits: from planted changes to digits, and from digits to the share of a change that is kept."""

from __future__ import annotations

import numpy as np
import pytest

from engines.imaging.edit_region import limited, region_mask, region_rows


def test_a_region_is_where_pictures_change_and_one_cell_around():
    change = np.zeros((8, 8))
    change[2, 3] = 40.0
    rows = region_rows(change)
    assert rows == ("0" * 8, *(["00fff000"] * 3), *(["0" * 8] * 4))


def test_small_changes_count_in_part():
    """At 16 % of the largest change, half way from outside (2 %) to inside (30 %), the smooth step gives a half."""
    change = np.zeros((9, 9))
    change[0, 0], change[4, 4], change[8, 8] = 100.0, 16.0, 2.0
    rows = region_rows(change)
    assert (rows[0][0], rows[4][4], rows[8][8]) == ("f", "8", "0")
    assert region_rows(change / 255) == rows, "whatever the unit"


def test_nothing_that_changes_is_no_region():
    with pytest.raises(ValueError, match="differ nowhere"):
        region_rows(np.zeros((4, 4)))


def test_the_mask_is_interpolated_and_regions_add_up():
    left, top = ("f0", "f0"), ("ff", "00")
    mask = region_mask([left], 8)
    assert mask.dtype == np.float32 and mask.shape == (8, 8)
    # Bilinear between the centres of two cells of four pixels: 1 until pixel 1, then down in quarters to 0.
    assert mask[3] == pytest.approx([1, 1, 0.875, 0.625, 0.375, 0.125, 0, 0])
    both = region_mask([left, top], 8)
    assert np.array_equal(both, np.maximum(mask, mask.T))


def test_outside_the_region_the_reconstruction_stays():
    rng = np.random.default_rng(0)
    before, after = (rng.integers(0, 256, (8, 8, 3), dtype=np.uint8) for _ in range(2))
    mask = np.zeros((8, 8), np.float32)
    mask[:, 4:] = 1
    mask[0] = 0.25
    picture = limited(after, before, mask)
    assert np.array_equal(picture[1:, :4], before[1:, :4]) and np.array_equal(picture[1:, 4:], after[1:, 4:])
    assert picture[0] == pytest.approx(0.75 * before[0] + 0.25 * after[0])
