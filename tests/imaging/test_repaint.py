from __future__ import annotations

import numpy as np
import pytest

from engines.imaging.align import resample
from engines.imaging.paste import paste_back
from engines.imaging.repaint import before_edit
from tests.imaging.test_align import photo, turned

R = 64


def noise(seed: int, low: int = 80, high: int = 170) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (R, R, 3), dtype=np.uint8)


def test_no_edit_takes_off_the_reconstruction_itself():
    crop, reconstruction = noise(0), noise(1)
    assert np.array_equal(before_edit(crop, reconstruction, reconstruction), reconstruction)


def test_a_slight_edit_keeps_all_of_the_photos_detail():
    crop, reconstruction = noise(0), noise(1)
    assert np.array_equal(before_edit(crop, reconstruction, reconstruction + np.uint8(9)), reconstruction)


def test_where_an_edit_paints_anew_nothing_of_the_photo_shines_through():
    """The pasted photo, cropped again, is the edited picture and not the edited picture plus what the reconstruction missed."""
    pixels = photo(600, 600) // 2 + 60
    alignment = turned(4, 0.2, (300, 300), R)
    crop = resample(pixels, alignment)
    reconstruction = np.full_like(crop, 90)
    edited = reconstruction.copy()
    edited[20:44, 20:44] = 160
    pasted = paste_back(pixels, alignment, before_edit(crop, reconstruction, edited), edited)
    inside, outside = (slice(26, 38), slice(26, 38)), (slice(8, 56), slice(50, 56))
    assert np.abs(resample(pasted, alignment)[inside].astype(int) - 160).mean() < 3
    assert np.abs(crop[inside].astype(int) - 90).mean() > 10, "so that there is something to shine through"
    assert np.array_equal(resample(pasted, alignment)[outside], crop[outside])


def test_on_the_way_it_is_a_mixture():
    crop, reconstruction = np.full((R, R, 3), 100.0, np.float32), np.full((R, R, 3), 50.0, np.float32)
    shares = [
        (before_edit(crop, reconstruction, reconstruction + change) - 50)[R // 2, R // 2, 0] / 50 for change in range(10, 42, 2)
    ]
    assert shares[0] == 0 and shares[-1] == 1
    assert shares[7] == pytest.approx(3 * (14 / 30) ** 2 - 2 * (14 / 30) ** 3, abs=1e-6)
    assert shares == sorted(shares)


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="three pictures"):
        before_edit(noise(0), noise(1)[:32], noise(2))
