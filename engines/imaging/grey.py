"""Black-and-white photographs stay so: what a generator adds in colour goes in as light and shade."""

from __future__ import annotations

import numpy as np
from PIL import Image

__all__ = ["is_grey", "to_grey"]


def is_grey(pixels: np.ndarray) -> bool:
    """Whether all three channels of a picture [H, W, 3] are the same everywhere."""
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] with the luma of ITU-R BT.601 in every channel; a grey pixel keeps its value."""
    return np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[..., None], 3, axis=2)
