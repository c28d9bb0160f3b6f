from __future__ import annotations

import numpy as np
import pytest

from engines.imaging.align import resample
from engines.imaging.paste import paste_back
from engines.imaging.repaint import repainted
from tests.imaging.test_align import photo, turned

R = 64


def noise(seed: int, low: int = 80, high: int = 170) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (R, R, 3), dtype=np.uint8)


@pytest.mark.parametrize("levels", [0, 9])
def test_a_slight_edit_keeps_all_of_the_photo(levels):
    assert not repainted(noise(1), noise(1) + np.uint8(levels)).any()


def test_where_an_edit_paints_anew_nothing_of_the_photo_shines_through():
    """Neither what the crop has of it nor what only the photo itself has, which is finer."""
    pixels = np.random.default_rng(3).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    alignment = turned(4, 0.2, (300, 300), R)
    reconstruction = np.full((R, R, 3), 90, np.uint8)
    edited = reconstruction.copy()
    edited[20:44, 20:44] = 160
    pasted = paste_back(pixels, alignment, reconstruction, edited, repainted(reconstruction, edited))
    centres = np.stack(np.meshgrid(np.arange(600) + 0.5, np.arange(600) + 0.5), axis=-1)
    from_middle = np.abs(alignment.to_crop(centres) - R / 2).max(axis=-1)
    assert (pasted[from_middle < 8] == 160).all()
    assert np.array_equal(pasted[from_middle > 20], pixels[from_middle > 20])


def test_on_the_way_it_is_a_mixture_of_the_photo_with_the_difference_and_of_the_edited_picture():
    pixels = photo(500, 500) // 4 + 60
    alignment = turned(3, 0.1, (250, 250), R)
    reconstruction, edited = np.full((R, R, 3), 50, np.uint8), np.full((R, R, 3), 74, np.uint8)
    m = repainted(reconstruction, edited)
    assert m == pytest.approx(3 * (14 / 30) ** 2 - 2 * (14 / 30) ** 3, abs=1e-6)
    pasted = paste_back(pixels, alignment, reconstruction, edited, m)
    wanted = (1 - m[0, 0]) * (pixels.astype(float) + 24) + m[0, 0] * 74
    assert np.abs(pasted.astype(float) - wanted)[200:300, 200:300].max() <= 0.501


def test_more_change_leaves_less_of_the_photo():
    shares = [repainted(noise(1), noise(1) + np.uint8(change))[R // 2, R // 2] for change in range(10, 42, 2)]
    assert shares[0] == 0 and shares[-1] == 1
    assert shares == sorted(shares)


def test_the_surroundings_of_what_is_painted_anew_are_the_photos():
    """Resampled, the crop of the pasted photo is the crop of the photo a few pixels from the edit."""
    pixels = photo(600, 600) // 2 + 60
    alignment = turned(4, 0.2, (300, 300), R)
    reconstruction = np.full((R, R, 3), 90, np.uint8)
    edited = reconstruction.copy()
    edited[20:44, 20:44] = 160
    pasted = paste_back(pixels, alignment, reconstruction, edited, repainted(reconstruction, edited))
    outside = slice(8, 56), slice(50, 56)
    assert np.array_equal(resample(pasted, alignment)[outside], resample(pixels, alignment)[outside])


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="two pictures"):
        repainted(noise(0), noise(1)[:32])
    with pytest.raises(ValueError, match="shares of 64 x 64"):
        paste_back(photo(), turned(3, 0, (100, 100), R), noise(0), noise(1), np.zeros((32, 32), np.float32))
