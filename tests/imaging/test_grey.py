"""Black and white, by a formula of its own."""

import numpy as np

from engines.imaging.grey import is_grey, to_grey


def test_a_grey_picture_is_known_and_keeps_every_value():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert is_grey(ramp) and np.array_equal(to_grey(ramp), ramp)
    ramp = ramp.copy()
    ramp[0, 7, 2] ^= 1
    assert not is_grey(ramp)


def test_colours_become_their_luma():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    grey = to_grey(pixels)
    assert is_grey(grey)
    assert np.abs(grey[..., 0] - pixels @ np.array([0.299, 0.587, 0.114])).max() <= 1
