"""Puts an edit back into the photo it came from, keeping every detail the photo has and the crop has not.

Only the difference between the edited and the unedited reconstruction is added. No edit is no difference, so it
gives the photo back bit for bit; where the edit changes nothing, nothing is touched.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from engines.imaging.align import Alignment

__all__ = ["paste_back"]

# The difference fades to nothing over this share of the crop's side, so that the crop's edge never shows.
_FEATHER = 0.07
# Mean differences around a pixel, in levels, below and above which it counts as untouched and as edited: a generator
# flickers by a rounding step far from what an edit changes.
_UNTOUCHED_LEVELS = 0.5
_EDITED_LEVELS = 1.5
# A cubic curve is drawn with at most this many straight pieces between two crop pixels; more would not be seen.
_MAX_REFINEMENT = 8
# Picture rows worked on at a time: bounds the memory for large photos.
_ROWS = 128


def paste_back(pixels: np.ndarray, alignment: Alignment, reconstruction: np.ndarray, edited: np.ndarray) -> np.ndarray:
    """The photo with the edit in it: clip(photo + round(upsampled feather * (edited - reconstruction))).

    Args:
        pixels: uint8 [H, W, 3], the photo.
        alignment: from the photo to the crop.
        reconstruction: uint8 [R, R, 3] with R = alignment.crop_px, the unedited reconstruction of the crop.
        edited: uint8 [R, R, 3], the edited one.

    Returns a new uint8 [H, W, 3]. Raises ValueError for other shapes.
    """
    side = alignment.crop_px
    if reconstruction.shape != (side, side, 3) or edited.shape != (side, side, 3):
        raise ValueError(f"expected crops of {side} x {side} pixels, got {reconstruction.shape} and {edited.shape}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}")
    result = pixels.copy()
    difference = _difference(reconstruction, edited)
    box = _picture_box(difference, alignment, pixels.shape[1], pixels.shape[0])
    if box is None:
        return result
    left, top, right, bottom = box
    refinement = min(_MAX_REFINEMENT, int(np.ceil(alignment.picture_px_per_crop_px)))
    fine = _refine(difference, refinement)
    for row in range(top, bottom, _ROWS):
        window = result[row : min(row + _ROWS, bottom), left:right]
        added = _added(fine, alignment, left, row, window.shape[1], window.shape[0])
        window[...] = np.clip(window + added, 0, 255).astype(np.uint8)
    return result


def _difference(reconstruction: np.ndarray, edited: np.ndarray) -> torch.Tensor:
    """float32 [1, 3, R, R], edited - reconstruction in levels, feathered, without the flicker of untouched regions."""
    levels = torch.from_numpy(edited.astype(np.float32) - reconstruction.astype(np.float32)).permute(2, 0, 1)[None]
    size = levels.shape[-1]
    # 5 x 5 mean of the largest channel's change; the border is left out of the count.
    around = functional.avg_pool2d(levels.abs().amax(dim=1, keepdim=True), 5, stride=1, padding=2, count_include_pad=False)
    levels = levels * _smooth_step((around - _UNTOUCHED_LEVELS) / (_EDITED_LEVELS - _UNTOUCHED_LEVELS))
    inside = torch.arange(size, dtype=torch.float32)
    inside = _smooth_step(torch.minimum(inside, inside.flip(0)) / max(1.0, _FEATHER * size))
    return levels * inside * inside[:, None]


def _smooth_step(t: torch.Tensor) -> torch.Tensor:
    """3 t^2 - 2 t^3 of t clamped to [0, 1]: no kink at either end."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def _picture_box(difference: torch.Tensor, alignment: Alignment, width: int, height: int) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the picture's pixels the difference can reach; None when it reaches none."""
    changed = difference.abs().amax(dim=(0, 1)) > 0
    rows, columns = changed.any(dim=1).nonzero().flatten(), changed.any(dim=0).nonzero().flatten()
    if len(rows) == 0:
        return None
    # Two crop pixels more: the reach of the cubic kernel.
    x0, x1 = int(columns[0]) - 2, int(columns[-1]) + 3
    y0, y1 = int(rows[0]) - 2, int(rows[-1]) + 3
    corners = alignment.to_picture(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64))
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (width, height)).astype(int)
    return (int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None


def _refine(difference: torch.Tensor, factor: int) -> torch.Tensor:
    """The difference on a grid `factor` times finer, [1, 3, R, R] to [1, 3, factor R, factor R].

    Separable cubic of Mitchell and Netravali 1988 with B = C = 1/3, clamped to the range of the four crop pixels
    around each point, so that an edge gets no halo.
    """
    if factor == 1:
        return difference
    size = difference.shape[-1]
    weights = _cubic_weights(size, factor)
    smooth = weights @ difference @ weights.T
    # Pooled cell (i, j) spans crop pixels i - 1, i and j - 1, j: between their centres lie the points it bounds.
    padded = functional.pad(difference, (1, 1, 1, 1), mode="replicate")
    highest, lowest = functional.max_pool2d(padded, 2, stride=1), -functional.max_pool2d(-padded, 2, stride=1)
    cell = torch.from_numpy(np.floor((np.arange(size * factor) + 0.5) / factor + 0.5).astype(np.int64))
    highest, lowest = (bound[..., cell, :][..., cell] for bound in (highest, lowest))
    return torch.minimum(torch.maximum(smooth, lowest), highest)


def _cubic_weights(size: int, factor: int) -> torch.Tensor:
    """float32 [factor * size, size] whose rows sum to 1: the value at each fine point from the crop pixels around it."""
    points = (np.arange(size * factor) + 0.5) / factor - 0.5
    t = np.abs(points[:, None] - np.arange(size))
    near = (7 * t**3 - 12 * t**2 + 16 / 3) / 6
    far = (-7 / 3 * t**3 + 12 * t**2 - 20 * t + 32 / 3) / 6
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    # Beyond the border the kernel would reach pixels that are not there.
    return torch.from_numpy((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def _added(fine: torch.Tensor, alignment: Alignment, left: int, top: int, width: int, height: int) -> np.ndarray:
    """int16 [height, width, 3]: the rounded difference in a window of the picture, 0 outside the crop.

    Where the crop is finer than the picture, each picture pixel gets the mean over its area.
    """
    samples = min(int(np.ceil(1 / alignment.picture_px_per_crop_px)), 2 * alignment.crop_px)
    # grid_sample's coordinates run from -1 to 1 between the crop's outer corners.
    matrix = alignment.matrix * (2 / alignment.crop_px)
    x = left + (np.arange(width * samples) + 0.5) / samples
    y = top + (np.arange(height * samples) + 0.5) / samples
    columns, rows = x[:, None] * matrix[:, 0], y[:, None] * matrix[:, 1] + matrix[:, 2] - 1
    grid = torch.from_numpy((rows[:, None] + columns[None]).astype(np.float32))[None]
    sampled = functional.grid_sample(fine, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    sampled = functional.avg_pool2d(sampled, samples)[0].permute(1, 2, 0)
    return sampled.round_().to(torch.int16).numpy()
