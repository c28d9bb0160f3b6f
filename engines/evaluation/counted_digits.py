"""How many digits a picture shows, with nothing learned: every bright stroke that hangs together is one.

:mod:`engines.data.multimnist` leaves at least ``GAP_PX`` = 2 dark pixels between any two digits, so that one dark pixel may
lie within a stroke and none are joined. What it cannot know: whether a stroke is a digit, and that two digits which
a generator lets touch are two.

The constants are those that find the number in most of the encoder's reconstructions of 2,400 validation pictures (.943), of
ink from 16 to 160, specks up to 44 px, and strokes with and without a dark pixel. In the pictures themselves these, as
most others, always find it.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation, label

from engines.data.multimnist.picture import CANVAS_PX

__all__ = ["INK", "SPECK_PX", "counted_digits"]

INK = 48
"""Of 255: pixels as bright as this, in the mean of the channels, are ink."""
SPECK_PX = 32
"""Strokes of less ink do not count; the smallest digit of the validation pictures has 51 such pixels."""

_SQUARE = np.ones((2, 2), bool)
_NEIGHBOURS = np.ones((3, 3), bool)


def counted_digits(pictures: np.ndarray) -> np.ndarray:
    """int64 [n]: the strokes in pictures uint8 [n, 64, 64, 3]; the constants hold for this size alone."""
    if pictures.ndim != 4 or pictures.shape[1:] != (CANVAS_PX, CANVAS_PX, 3):
        raise ValueError(f"digits are counted in pictures [n, {CANVAS_PX}, {CANVAS_PX}, 3], got {list(pictures.shape)}")
    return np.array([_strokes(picture.mean(axis=2) >= INK) for picture in pictures], np.int64)


def _strokes(ink: np.ndarray) -> int:
    """The connected parts of a mask [H, W] that are no specks, across one pixel without ink."""
    # Squares of two pixels with one corner on ink touch, or overlap, just where these corners are at most two pixels apart.
    parts, _ = label(binary_dilation(ink, _SQUARE), _NEIGHBOURS)
    return int((np.bincount(parts[ink])[1:] >= SPECK_PX).sum())
