from __future__ import annotations

import math

import numpy as np
import pytest

from engines.imaging.seam import seam


def slow_gradient(picture: np.ndarray, region: np.ndarray) -> float:
    """Mean over links across the border, one link at a time."""
    differences = []
    for y in range(region.shape[0]):
        for x in range(region.shape[1]):
            for v, u in ((y + 1, x), (y, x + 1)):
                if v < region.shape[0] and u < region.shape[1] and region[y, x] != region[v, u]:
                    differences.append(np.abs(picture[y, x].astype(int) - picture[v, u].astype(int)).mean())
    return float(np.mean(differences))


def test_the_seam_is_the_ratio_of_mean_gradients_across_the_border():
    rng = np.random.default_rng(0)
    photo, pasted = rng.integers(0, 256, (2, 21, 17, 3), dtype=np.uint8)
    region = rng.random((21, 17)) < 0.3
    assert seam(photo, pasted, region) == pytest.approx(slow_gradient(pasted, region) / slow_gradient(photo, region) - 1)


def test_strips_of_large_photos_join(monkeypatch):
    rng = np.random.default_rng(1)
    photo, pasted = rng.integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
    region = rng.random((40, 30)) < 0.5
    whole = seam(photo, pasted, region)
    for rows in (1, 7, 39, 40):
        monkeypatch.setattr("engines.imaging.seam._ROWS", rows)
        assert seam(photo, pasted, region) == whole


def test_an_untouched_photo_has_no_seam_and_a_step_has_one():
    photo = np.random.default_rng(2).integers(100, 104, (30, 30, 3), dtype=np.uint8)
    region = np.zeros((30, 30), bool)
    region[8:20, 8:20] = True
    assert seam(photo, photo, region) == 0
    brighter = photo + region[..., None].astype(np.uint8) * 50
    assert seam(photo, brighter, region) > 10
    flat = np.where(region[..., None], np.uint8(0), photo) // 200
    assert seam(photo, flat, region) == -1


def test_what_cannot_be_measured_is_said():
    photo = np.zeros((4, 4, 3), np.uint8)
    region = np.zeros((4, 4), bool)
    assert math.isnan(seam(photo, photo, region))
    region[0, 0] = True
    assert seam(photo, photo, region) == 0
    assert seam(photo, photo + region[..., None].astype(np.uint8), region) == math.inf
    with pytest.raises(ValueError, match="one size"):
        seam(photo, photo[:2], region)
