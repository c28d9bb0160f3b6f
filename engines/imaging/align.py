"""Brings a face, or the middle of any picture, into the square crop a pack was trained on.

Coordinates are continuous with the origin at the outer corner of the first pixel: pixel (i, j) covers
[j, j + 1] x [i, i + 1] and its centre is (j + 0.5, i + 0.5), so a scale is a plain factor in every frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.nn import functional

__all__ = ["Alignment", "FivePointRecipe", "align_five_points", "align_whole", "resample", "similarity"]

# One crop pixel covers up to this many reduced picture pixels a side: enough that the reduction, whose blocks are
# parallel to the picture instead of the crop, does not show; few enough to be fast.
_REDUCED_PER_CROP_PX = 5
# Samples a side and crop pixel, beyond one for each reduced pixel.
_MORE_SAMPLES = 2

# Beyond the photo's edge, in crop sides: mirrored, blurred by _BLUR within _BLUR_RAMP, fading to the median within _FADE.
_BLUR = 0.03
_BLUR_RAMP = 0.05
_FADE = 0.3


class FivePointRecipe(Protocol):
    """Where a pack wants the five points of a face."""

    @property
    def points(self) -> Sequence[Sequence[float]]:
        """[5, 2] (x, y) of both eyes, nose and both mouth corners, in pixels of a crop of `reference_px`."""

    @property
    def reference_px(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Alignment:
    """The affine map from a picture to its crop."""

    matrix: np.ndarray
    """float64 [2, 3]: crop = matrix @ (x, y, 1) in continuous pixel coordinates; invertible."""
    crop_px: int
    """Side of the crop the matrix maps into."""

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (2, 3) or not np.isfinite(matrix).all() or np.linalg.det(matrix[:, :2]) == 0:
            raise ValueError(f"an alignment needs an invertible 2 x 3 matrix, got {self.matrix!r}")
        if self.crop_px < 1:
            raise ValueError(f"crop_px must be at least 1, got {self.crop_px}")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "crop_px", int(self.crop_px))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Alignment) and self.crop_px == other.crop_px and bool(np.array_equal(self.matrix, other.matrix))
        )

    def __hash__(self) -> int:
        return hash((self.matrix.tobytes(), self.crop_px))

    @property
    def picture_px_per_crop_px(self) -> float:
        """How many picture pixels a crop pixel spans a side; above 1 the crop is coarser than the picture."""
        return float(abs(np.linalg.det(self.matrix[:, :2])) ** -0.5)

    def inverse(self) -> np.ndarray:
        """float64 [2, 3]: the map from the crop to the picture, picture = A^-1 (crop - b)."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return np.column_stack([linear, -linear @ self.matrix[:, 2]])

    def then(self, matrix: np.ndarray) -> Alignment:
        """This map followed by another, float64 [2, 3], from the crop to a frame of the same size."""
        linear, shift = matrix[:, :2], matrix[:, 2]
        return Alignment(np.column_stack([linear @ self.matrix[:, :2], linear @ self.matrix[:, 2] + shift]), self.crop_px)

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """Picture points [..., 2] in crop pixels."""
        return np.asarray(points, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Crop points [..., 2] in picture pixels."""
        inverse = self.inverse()
        return np.asarray(points, dtype=np.float64) @ inverse[:, :2].T + inverse[:, 2]

    def corners(self) -> np.ndarray:
        """float64 [4, 2]: the crop's corners in picture pixels, around from the upper left."""
        side = self.crop_px
        return self.to_picture(np.array([(0, 0), (side, 0), (side, side), (0, side)], dtype=np.float64))

    def to_json(self) -> dict[str, Any]:
        return {"matrix": self.matrix.tolist(), "crop_px": self.crop_px}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Alignment:
        """The inverse of :meth:`to_json`, exact to the last bit. Raises ValueError, KeyError or TypeError for anything else."""
        return cls(np.array(value["matrix"], dtype=np.float64), int(value["crop_px"]))


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, uniform scale and shift that bring `source` [N, 2] closest to `target` [N, 2], as float64 [2, 3].

    Umeyama 1991, least squares of sum |s R x_n + t - y_n|^2, in the plane written with complex numbers:
    s e^(i angle) = sum conj(x_n - mean x) (y_n - mean y) / sum |x_n - mean x|^2. Never a mirror image.
    Raises ValueError when the points of either side coincide or are not finite.
    """
    x = np.asarray(source, dtype=np.float64) @ (1, 1j)
    y = np.asarray(target, dtype=np.float64) @ (1, 1j)
    if x.shape != y.shape or x.ndim != 1 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"expected two equal lists of finite points, got {np.shape(source)} and {np.shape(target)}")
    centred = x - x.mean()
    turn = np.vdot(centred, y - y.mean())
    spread = np.vdot(centred, centred).real
    if spread == 0 or turn == 0:
        raise ValueError("the points coincide or have nothing in common; no similarity brings them together")
    factor = turn / spread
    shift = y.mean() - factor * x.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def align_five_points(
    pixels: np.ndarray, points: np.ndarray, recipe: FivePointRecipe, crop_px: int
) -> tuple[np.ndarray, Alignment]:
    """The crop in which a face's five points lie as near as can be to the recipe's.

    Args:
        pixels: uint8 [H, W, 3].
        points: [5, 2], as `Face.points`.
        recipe: the pack's points.
        crop_px: side of the crop.

    Returns (uint8 [crop_px, crop_px, 3], the alignment).
    """
    target = np.asarray(recipe.points, dtype=np.float64) * (crop_px / recipe.reference_px)
    alignment = Alignment(similarity(points, target), crop_px)
    return resample(pixels, alignment), alignment


def align_whole(pixels: np.ndarray, crop_px: int) -> tuple[np.ndarray, Alignment]:
    """The largest square in the middle of a picture: (uint8 [crop_px, crop_px, 3], the alignment)."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    scale = crop_px / side
    left, top = (width - side) // 2, (height - side) // 2
    alignment = Alignment(np.array([[scale, 0, -left * scale], [0, scale, -top * scale]]), crop_px)
    return resample(pixels, alignment), alignment


def resample(pixels: np.ndarray, alignment: Alignment) -> np.ndarray:
    """The crop of an alignment, uint8 [crop_px, crop_px, 3].

    A crop coarser than the picture averages over the area of each crop pixel: the picture is first reduced by whole
    blocks, then sampled on a fine grid whose cells are averaged. A finer crop is interpolated bicubically.
    What lies beyond the picture is its mirror image, blurred and fading to its median colour.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f"expected uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}")
    span = alignment.picture_px_per_crop_px
    block = max(1, int(span / _REDUCED_PER_CROP_PX))
    inverse = alignment.inverse()
    region, origin = _region(pixels, alignment, block)
    # Crop pixels to pixels of the reduced region.
    inverse = (inverse - np.array([[0, 0, origin[0]], [0, 0, origin[1]]])) / block
    samples = 1 if span <= 1 else int(np.ceil(span / block)) + _MORE_SAMPLES
    fine = _sample(region, inverse, alignment.crop_px * samples, samples)
    crop = functional.avg_pool2d(fine, samples)[0].permute(1, 2, 0)
    return crop.round_().clamp_(0, 255).to(torch.uint8).numpy()


def _sample(region: np.ndarray, inverse: np.ndarray, grid_px: int, samples: int) -> torch.Tensor:
    """float32 [1, 3, grid_px, grid_px] of bicubic samples of `region`, `samples` a side and crop pixel."""
    height, width = region.shape[:2]
    centres = (np.arange(grid_px) + 0.5) / samples
    # grid_sample's coordinates run from -1 to 1 between the outer corners.
    scale = np.array([2 / width, 2 / height])
    along_x, along_y, shift = (inverse.T * scale).astype(np.float64)
    columns = centres[:, None] * along_x
    rows = centres[:, None] * along_y + shift - 1
    grid = torch.from_numpy((rows[:, None] + columns[None]).astype(np.float32))[None]
    image = torch.from_numpy(region).permute(2, 0, 1)[None].float()
    mode = "bicubic" if samples == 1 else "bilinear"
    return functional.grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=False)


def _region(pixels: np.ndarray, alignment: Alignment, block: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The part of the picture a crop needs, averaged over block x block pixels and continued beyond the edges.

    Returns (uint8 [h, w, 3], (x, y) of its upper left corner in picture pixels, both multiples of block).
    """
    height, width = pixels.shape[:2]
    corners = alignment.corners()
    # Two reduced pixels more than the corners span: the reach of the bicubic kernel.
    first = np.floor(corners.min(axis=0) / block).astype(int) - 2
    last = np.ceil(corners.max(axis=0) / block).astype(int) + 2
    reduced_width, reduced_height = -(-width // block), -(-height // block)
    # Of the picture only what is seen or mirrored into view is reduced.
    x0, x1 = _needed(first[0], last[0], reduced_width)
    y0, y1 = _needed(first[1], last[1], reduced_height)
    part = pixels[y0 * block : y1 * block, x0 * block : x1 * block]
    if block > 1:
        part = np.asarray(Image.fromarray(part).reduce(block))
    rows, columns = np.arange(first[1], last[1]), np.arange(first[0], last[0])
    region = part[_mirror(rows, reduced_height) - y0][:, _mirror(columns, reduced_width) - x0]
    beyond = np.maximum(_beyond(rows, reduced_height)[:, None], _beyond(columns, reduced_width)[None])
    if beyond.any():
        region = _soften(region, beyond, side=alignment.crop_px * alignment.picture_px_per_crop_px / block)
    return np.ascontiguousarray(region), (int(first[0]) * block, int(first[1]) * block)


def _needed(first: int, last: int, size: int) -> tuple[int, int]:
    """The smallest range [start, stop) within [0, size) that holds first..last - 1 after mirroring."""
    indices = _mirror(np.arange(first, last), size)
    return int(indices.min()), int(indices.max()) + 1


def _mirror(indices: np.ndarray, size: int) -> np.ndarray:
    """Indices reflected into [0, size) at the outer edges, as often as it takes: -1 is 0, size is size - 1."""
    folded = indices % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)


def _beyond(indices: np.ndarray, size: int) -> np.ndarray:
    """How many pixels each index lies outside [0, size); 0 inside."""
    return np.maximum(np.maximum(-indices, indices - (size - 1)), 0)


def _soften(region: np.ndarray, beyond: np.ndarray, *, side: float) -> np.ndarray:
    """Blurs and fades what lies beyond the picture, as FFHQ's alignment does, so that a mirrored face is no second one.

    Args:
        region: uint8 [h, w, 3].
        beyond: [h, w] distance to the picture in pixels of the region; where it is 0 nothing changes.
        side: the crop's side in pixels of the region.
    """
    blurred = np.asarray(Image.fromarray(region).filter(ImageFilter.GaussianBlur(_BLUR * side)), dtype=np.float32)
    median = np.median(region[beyond == 0], axis=0) if (beyond == 0).any() else np.median(region, axis=(0, 1))
    blur = np.minimum(beyond / (_BLUR_RAMP * side), 1).astype(np.float32)[..., None]
    fade = np.minimum(beyond / (_FADE * side), 1).astype(np.float32)[..., None]
    soft = region + blur * (blurred - region)
    soft += fade * (median.astype(np.float32) - soft)
    return np.rint(soft).astype(np.uint8)
