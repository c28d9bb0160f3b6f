"""Whether a photo is the one that an inversion was made from: pasting into another one would tear both apart."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from engines.core.errors import OptionError
from engines.imaging.align import Alignment, resample
from engines.imaging.read import Picture
from engines.inversion.result import Inversion

__all__ = ["check_same_photo"]

_CELLS = 8
"""A side. What is compared is this coarse: a photo that was made smaller for the screen is the same photo."""
_DIFFERENT_LEVELS = 12.0
"""Mean absolute difference of the cells' means from which photos are two."""

_checked: WeakKeyDictionary[Picture, set[str]] = WeakKeyDictionary()
"""Which inversions a picture was found to belong to: a slider asks at every move."""


def check_same_photo(picture: Picture, inversion: Inversion) -> None:
    """Raises OptionError, saying what is wrong, for a photo of another size or with something else in the inversion's crop."""
    height, width = picture.pixels.shape[:2]
    if [width, height] != inversion.alignment["picture_px"]:
        was = " x ".join(str(side) for side in inversion.alignment["picture_px"])
        raise OptionError(f"{picture.name} has {width} x {height} pixels, the inverted photo had {was}: give the same photo.")
    known = _checked.setdefault(picture, set())
    if inversion.id in known:
        return
    crop = resample(picture.pixels, Alignment.from_json(inversion.alignment))
    if np.abs(_cells(crop) - _cells(inversion.crop)).mean() > _DIFFERENT_LEVELS:
        raise OptionError(f"{picture.name} is not the photo that was inverted: give the same photo.")
    known.add(inversion.id)


def _cells(crop: np.ndarray) -> np.ndarray:
    """Means over blocks of a crop [R, R, 3], about _CELLS a side."""
    block = max(1, crop.shape[0] // _CELLS)
    side = crop.shape[0] // block
    return crop[: side * block, : side * block].reshape(side, block, side, block, 3).mean(axis=(1, 3))
