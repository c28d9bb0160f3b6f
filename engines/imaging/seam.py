"""How visible the border of a pasted region is: the gradient across it, against that of the untouched photo."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["seam"]

# Rows worked on at a time: bounds the memory for large photos.
_ROWS = 512


def seam(photo: np.ndarray, pasted: np.ndarray, region: np.ndarray) -> float:
    """Mean absolute difference between neighbours on either side of a region's border: pasted picture by photo, less 1.

    0 is no seam; above it the border shows as an edge, below it as a strip smoother than the photo. NaN where the region
    has no border within the picture, infinite where the photo has no gradient there and the pasted picture has.

    Args:
        photo: uint8 [H, W, 3], before.
        pasted: uint8 [H, W, 3], after.
        region: bool [H, W], where something was pasted.
    """
    if photo.shape != pasted.shape or region.shape != photo.shape[:2]:
        raise ValueError(f"expected one size, got {list(photo.shape)}, {list(pasted.shape)} and {list(region.shape)}")
    before, after = (_across(picture, region) for picture in (photo, pasted))
    if not _links(region):
        return math.nan
    if before == 0:
        return 0.0 if after == 0 else math.inf
    return after / before - 1


def _links(region: np.ndarray) -> int:
    return int((region[1:] != region[:-1]).sum()) + int((region[:, 1:] != region[:, :-1]).sum())


def _across(picture: np.ndarray, region: np.ndarray) -> int:
    """Sum over all links across the border, and all channels, of the absolute difference in levels."""
    total = 0
    for start in range(0, len(region), _ROWS):
        rows = slice(start, start + _ROWS + 1)  # one more, for the links to the next strip
        inside, levels = region[rows], picture[rows].astype(np.int16)
        across = inside[1:] != inside[:-1]
        total += int(np.abs(np.diff(levels, axis=0))[across].sum())
        inside, levels = inside[:_ROWS], levels[:_ROWS]
        across = inside[:, 1:] != inside[:, :-1]
        total += int(np.abs(np.diff(levels, axis=1))[across].sum())
    return total
