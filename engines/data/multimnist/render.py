"""From a record to its picture: white digits on black."""

from __future__ import annotations

import numpy as np
from PIL import Image

from engines.data.multimnist.digits import digits
from engines.data.multimnist.picture import CANVAS_PX, DigitPicture

__all__ = ["render"]


def render(picture: DigitPicture, size_px: int = CANVAS_PX) -> np.ndarray:
    """uint8 RGB [size_px, size_px, 3] of equal channels; other sizes than the canvas's are interpolated from it."""
    canvas = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)
    for place in picture.shown:
        canvas[place.y : place.y + place.height, place.x : place.x + place.width] = digits().ink[place.source]
    if size_px != CANVAS_PX:
        canvas = np.asarray(Image.fromarray(canvas).resize((size_px, size_px), Image.Resampling.BICUBIC))
    return np.repeat(canvas[:, :, None], 3, axis=2)
