"""Puts an edit back into the photo it came from, in one of two ways.

As a difference (:func:`paste_back`): what the edit changes in the reconstruction is added, so every detail stays that the
photo has and the crop has not. No edit is no difference: it gives the photo back bit for bit. What an edit replaces
altogether does not shine through: :mod:`engines.imaging.repaint`.

As a picture (:func:`paste_blended`): the generator's picture takes the photo's place, without a seam. What is seen is what
the generator painted, however far the reconstruction is from the photo.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from engines.imaging.align import Alignment
from engines.imaging.poisson import poisson_blend
from engines.imaging.smooth_step import smooth_step

__all__ = ["Rectangle", "paste_back", "paste_blended", "pasted_region"]

Rectangle = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of a crop, the origin at its outer corner."""

_Spans = tuple[slice, slice]
"""Rows and columns."""

# What is pasted fades to nothing over this share of the crop's side, so that the crop's edge never shows.
_FEATHER = 0.07
# Around a mask, in shares of its shorter side: an object reaches to the edges of its rectangle, so what fades lies beyond.
_MASK_FEATHER = 0.12
# Mean differences around a pixel, in levels, below and above which it counts as untouched and as edited: a generator
# flickers by a rounding step far from what an edit changes.
_UNTOUCHED_LEVELS = 0.5
_EDITED_LEVELS = 1.5
# A cubic curve is drawn with at most this many straight pieces between two crop pixels; more would not be seen.
_MAX_REFINEMENT = 8
# Reach of the cubic kernel, in crop pixels.
_KERNEL_PX = 2
# Picture rows worked on at a time: bounds the memory for large photos.
_ROWS = 128


def paste_back(
    pixels: np.ndarray,
    alignment: Alignment,
    reconstruction: np.ndarray,
    edited: np.ndarray,
    repainted: np.ndarray | None = None,
) -> np.ndarray:
    """The photo with the edit in it: photo + round(up(f (d + m reconstruction)) - up(f m) photo), clipped.

    d = edited - reconstruction; `up` samples a crop where the photo's pixels are, f feathers the crop's edge. Where m = 0 the
    edit's difference d is added to the photo, where m = 1 the edited picture takes its place.

    Args:
        pixels: uint8 [H, W, 3], the photo.
        alignment: from the photo to the crop.
        reconstruction: uint8 or float32 [R, R, 3] in levels, R = alignment.crop_px, the unedited reconstruction of the crop.
        edited: the same shape, the edited one.
        repainted: m, float32 [R, R] in [0, 1]; None is 0 everywhere. Where the edit changes nothing it has no effect.

    Returns a new uint8 [H, W, 3]. Raises ValueError for other shapes.
    """
    side = alignment.crop_px
    if reconstruction.shape != (side, side, 3) or edited.shape != (side, side, 3):
        raise ValueError(f"expected crops of {side} x {side} pixels, got {reconstruction.shape} and {edited.shape}")
    if repainted is not None and repainted.shape != (side, side):
        raise ValueError(f"expected shares of {side} x {side} pixels, got {repainted.shape}")
    _check_photo(pixels)
    if repainted is not None and not repainted.any():
        repainted = None
    result = pixels.copy()
    layers = _layers(reconstruction, edited, repainted)
    reached = _reached(layers)
    box = None if reached is None else _picture_box(reached, alignment, pixels.shape[1], pixels.shape[0])
    if reached is None or box is None:
        return result
    left, top, right, bottom = box
    refinement = min(_MAX_REFINEMENT, int(np.ceil(alignment.picture_px_per_crop_px)))
    fine = _refine(layers, reached, refinement)
    for row in range(top, bottom, _ROWS):
        window = result[row : min(row + _ROWS, bottom), left:right]
        seen = _seen(fine, alignment, (left, row), window.shape[:2], mode="bilinear", beyond="zeros")
        added = seen[..., :3]
        if repainted is not None:
            added = added - seen[..., 3:] * torch.from_numpy(window)
        window[...] = np.clip(window + added.round().to(torch.int16).numpy(), 0, 255).astype(np.uint8)
    return result


def paste_blended(
    pixels: np.ndarray,
    alignment: Alignment,
    picture: np.ndarray,
    *,
    to_frame: np.ndarray | None = None,
    mask: Rectangle | None = None,
    mixed: bool = False,
) -> np.ndarray:
    """The photo with the generator's picture in it, Poisson blended at the photo's resolution.

    Around the mask, and towards the edge of the generator's frame, the gradients become the photo's own, so that its texture
    leads into the picture's.

    Args:
        pixels: uint8 [H, W, 3], the photo.
        alignment: from the photo to the crop.
        picture: uint8 or float32 [R, R, 3] in levels, R = alignment.crop_px, in the generator's frame.
        to_frame: float64 [2, 3] from crop pixels to pixels of the generator's frame; None where they are the same.
        mask: the part of the crop to take from the picture, as far as its frame reaches; None is all of it.
        mixed: keep the photo's gradients where they are steeper; see :func:`poisson_blend`.

    Returns a new uint8 [H, W, 3]. Raises ValueError for other shapes.
    """
    _check_photo(pixels)
    side = alignment.crop_px
    if picture.shape != (side, side, 3):
        raise ValueError(f"expected a picture of {side} x {side} pixels, got {list(picture.shape)}")
    framed = alignment if to_frame is None else alignment.then(to_frame)
    corners = alignment.corners() if mask is None else alignment.to_picture(_corners(_faded(mask)))
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, pixels.shape[1::-1])
    result = pixels.copy()
    if left >= right or top >= bottom:
        return result
    target = pixels[top:bottom, left:right]
    share = _share(alignment, framed, mask, (left, top), target.shape[:2])
    levels = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    source = np.empty(target.shape, np.float32)
    for row in range(0, len(source), _ROWS):
        strip = source[row : row + _ROWS]
        strip[...] = _seen(levels, framed, (left, top + row), strip.shape[:2], mode="bicubic", beyond="border").numpy()
    result[top:bottom, left:right] = poisson_blend(target, source, share > 0, mixed=mixed, share=share)
    return result


def pasted_region(
    height: int, width: int, alignment: Alignment, *, to_frame: np.ndarray | None = None, mask: Rectangle | None = None
) -> np.ndarray:
    """bool [height, width]: the photo's pixels that :func:`paste_blended` may change, and, without a mask, `paste_back`."""
    framed = alignment if to_frame is None else alignment.then(to_frame)
    return _share(alignment, framed, mask, (0, 0), (height, width)) > 0


def _check_photo(pixels: np.ndarray) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}")


def _faded(mask: Rectangle) -> Rectangle:
    """Where nothing is left of what a mask takes."""
    x0, y0, x1, y1 = mask
    fade = _mask_fade(mask)
    return x0 - fade, y0 - fade, x1 + fade, y1 + fade


def _mask_fade(mask: Rectangle) -> float:
    x0, y0, x1, y1 = mask
    return max(1.0, _MASK_FEATHER * min(x1 - x0, y1 - y0))


def _corners(mask: Rectangle) -> np.ndarray:
    x0, y0, x1, y1 = mask
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def _share(
    alignment: Alignment, framed: Alignment, mask: Rectangle | None, origin: tuple[int, int], shape: tuple[int, int]
) -> np.ndarray:
    """float32 [h, w] for a window of the photo: 1 in the mask (without one, well inside the crop) and well inside the
    generator's frame, falling to 0 around the mask and towards the edges of crop and frame."""
    side = alignment.crop_px
    frame, frame_fade = (0.0, 0.0, float(side), float(side)), max(1.0, _FEATHER * side)
    within = [(framed.matrix, frame, frame_fade)]
    within.append((alignment.matrix, frame, frame_fade) if mask is None else (alignment.matrix, _faded(mask), _mask_fade(mask)))
    share = np.ones(shape, np.float32)
    for matrix, (x0, y0, x1, y1), fade in within:
        x = origin[0] + np.arange(shape[1], dtype=np.float32) + 0.5
        y = origin[1] + np.arange(shape[0], dtype=np.float32) + 0.5
        for (along_x, along_y, shift), low, high in ((matrix[0], x0, x1), (matrix[1], y0, y1)):
            # Distances to the two edges across this axis, in pixels of the crop or the frame.
            place = (np.float32(along_y) * y + np.float32(shift))[:, None] + np.float32(along_x) * x
            np.minimum(share, np.minimum(place - low, high - place) / fade, out=share)
    return smooth_step(torch.from_numpy(share)).numpy()


def _layers(reconstruction: np.ndarray, edited: np.ndarray, repainted: np.ndarray | None) -> torch.Tensor:
    """float32 [1, 3 or 4, R, R], what is added to the photo and the share of the photo that is taken off, both feathered and
    without the flicker of untouched regions; without `repainted` nothing is taken off."""
    before, after = (torch.from_numpy(each.astype(np.float32)).permute(2, 0, 1)[None] for each in (reconstruction, edited))
    levels = after - before
    size = levels.shape[-1]
    # 5 x 5 mean of the largest channel's change; the border is left out of the count.
    around = functional.avg_pool2d(levels.abs().amax(dim=1, keepdim=True), 5, stride=1, padding=2, count_include_pad=False)
    if repainted is not None:
        share = torch.from_numpy(repainted)[None, None]
        levels = torch.cat([levels + share * before, share], dim=1)
    levels = levels * smooth_step((around - _UNTOUCHED_LEVELS) / (_EDITED_LEVELS - _UNTOUCHED_LEVELS))
    inside = torch.arange(size, dtype=torch.float32)
    inside = smooth_step(torch.minimum(inside, inside.flip(0)) / max(1.0, _FEATHER * size))
    return levels * inside * inside[:, None]


def _reached(layers: torch.Tensor) -> _Spans | None:
    """Rows and columns of the crop that hold a change, and as far around as the cubic kernel reaches; None: there is none."""
    changed = (layers != 0).any(dim=1)[0]
    spans = []
    for across in (1, 0):
        places = changed.any(dim=across).nonzero().flatten()
        if len(places) == 0:
            return None
        spans.append(slice(max(int(places[0]) - _KERNEL_PX, 0), min(int(places[-1]) + 1 + _KERNEL_PX, changed.shape[0])))
    return spans[0], spans[1]


def _picture_box(reached: _Spans, alignment: Alignment, width: int, height: int) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the picture's pixels that these rows and columns of the crop lie on; None: on none."""
    rows, columns = reached
    corners = alignment.to_picture(_corners((columns.start, rows.start, columns.stop, rows.stop)))
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), (width, height)).astype(int)
    return (int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None


def _refine(layers: torch.Tensor, reached: _Spans, factor: int) -> torch.Tensor:
    """The layers on a grid `factor` times finer, [1, C, R, R] to [1, C, factor R, factor R].

    Separable cubic of Mitchell and Netravali 1988 with B = C = 1/3, clamped to the range of the four crop pixels
    around each point, so that an edge gets no halo. Only what is `reached` is computed, the rest is zero.
    """
    if factor == 1:
        return layers
    size = layers.shape[-1]
    fine = layers.new_zeros(*layers.shape[:2], size * factor, size * factor)
    rows, columns = reached
    finer_rows, finer_columns = (slice(span.start * factor, span.stop * factor) for span in (rows, columns))
    weights = _cubic_weights(size, factor)
    smooth = weights[finer_rows, rows] @ layers[..., rows, columns] @ weights[finer_columns, columns].T
    # Pooled cell (i, j) spans crop pixels i - 1, i and j - 1, j: between their centres lie the points it bounds.
    padded = functional.pad(layers[..., rows, columns], (1, 1, 1, 1), mode="replicate")
    highest, lowest = functional.max_pool2d(padded, 2, stride=1), -functional.max_pool2d(-padded, 2, stride=1)
    row_cells, column_cells = (_cells(span.stop - span.start, factor) for span in (rows, columns))
    highest, lowest = (bound[..., row_cells, :][..., column_cells] for bound in (highest, lowest))
    fine[..., finer_rows, finer_columns] = torch.minimum(torch.maximum(smooth, lowest), highest)
    return fine


def _cells(size: int, factor: int) -> torch.Tensor:
    """int64 [factor * size]: for each fine point, which of the size + 1 pooled cells it lies in."""
    return torch.from_numpy(np.floor((np.arange(size * factor) + 0.5) / factor + 0.5).astype(np.int64))


@lru_cache(maxsize=2 * _MAX_REFINEMENT)
def _cubic_weights(size: int, factor: int) -> torch.Tensor:
    """float32 [factor * size, size] whose rows sum to 1: the value at each fine point from the crop pixels around it.

    Kept, and so not to be written to: a slider asks for the same weights again with every move.
    """
    points = (np.arange(size * factor) + 0.5) / factor - 0.5
    t = np.abs(points[:, None] - np.arange(size))
    near = (7 * t**3 - 12 * t**2 + 16 / 3) / 6
    far = (-7 / 3 * t**3 + 12 * t**2 - 20 * t + 32 / 3) / 6
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    # Beyond the border the kernel would reach pixels that are not there.
    return torch.from_numpy((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def _seen(
    image: torch.Tensor, alignment: Alignment, origin: tuple[int, int], shape: tuple[int, int], *, mode: str, beyond: str
) -> torch.Tensor:
    """float32 [h, w, C]: an image [1, C, F, F] that covers the crop, seen in a window of the photo; `beyond` the crop.

    Where the crop is finer than the photo, each of the photo's pixels gets the mean over its area.
    """
    height, width = shape
    samples = min(int(np.ceil(1 / alignment.picture_px_per_crop_px)), 2 * alignment.crop_px)
    # grid_sample's coordinates run from -1 to 1 between the crop's outer corners.
    matrix = alignment.matrix * (2 / alignment.crop_px)
    x = origin[0] + (np.arange(width * samples) + 0.5) / samples
    y = origin[1] + (np.arange(height * samples) + 0.5) / samples
    columns, rows = x[:, None] * matrix[:, 0], y[:, None] * matrix[:, 1] + matrix[:, 2] - 1
    grid = torch.from_numpy((rows[:, None] + columns[None]).astype(np.float32))[None]
    sampled = functional.grid_sample(image, grid, mode=mode, padding_mode=beyond, align_corners=False)
    return functional.avg_pool2d(sampled, samples)[0].permute(1, 2, 0)
