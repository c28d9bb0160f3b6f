"""The transforms of Huh et al. 2020, section 3.3: T brings a picture to where, and as bright as, the generator would paint it.

    T(y)(p) = b(y(S p + t)),   S = diag(s_x, s_y),   b(v) = (v + 1) e^gamma - 1

p runs over [-1, 1]^2 between the outer corners of the frame. The inverse has scale 1 / s, shift -t / s and brightness -gamma.
Brightness acts on the logarithm of light above black (v = -1): what a darker lamp does, and its inverse is exact, since
nothing is clamped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

__all__ = ["Transform", "initial_transform", "transform_images", "transform_masks"]

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Transform:
    """One T. Raises ValueError for values that are not finite or a scale that is not positive."""

    scale: tuple[float, float] = (1.0, 1.0)
    """(s_x, s_y) > 0: how much of the picture the generator's frame spans; above 1 the picture shrinks."""
    shift: tuple[float, float] = (0.0, 0.0)
    """(t_x, t_y): the picture's point at the middle of the generator's frame, in half sides from its own middle."""
    brightness: float = 0.0
    """gamma; above 0 the picture becomes brighter."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", (float(self.scale[0]), float(self.scale[1])))
        object.__setattr__(self, "shift", (float(self.shift[0]), float(self.shift[1])))
        object.__setattr__(self, "brightness", float(self.brightness))
        if not all(math.isfinite(value) for value in (*self.scale, *self.shift, self.brightness)) or min(self.scale) <= 0:
            raise ValueError(f"a transform needs finite values and scales above 0, got {self}")

    @property
    def moves(self) -> bool:
        """Whether anything changes its place or size."""
        return self.scale != (1.0, 1.0) or self.shift != (0.0, 0.0)

    def inverse(self) -> Transform:
        """T^-1: from the generator's frame back to the picture."""
        (sx, sy), (tx, ty) = self.scale, self.shift
        return Transform((1 / sx, 1 / sy), (-tx / sx, -ty / sy), -self.brightness)

    def matrix(self, crop_px: int) -> np.ndarray:
        """float64 [2, 3]: generator's frame = matrix @ (x, y, 1) for (x, y) in the crop, both in pixels of a side of `crop_px`.

        Continuous pixel coordinates, the origin at the outer corner of the first pixel, as in imaging.align.
        """
        half = crop_px / 2
        rows = [
            (1 / scale if axis == 0 else 0.0, 1 / scale if axis == 1 else 0.0, half * (1 - (1 + shift) / scale))
            for axis, (scale, shift) in enumerate(zip(self.scale, self.shift, strict=True))
        ]
        return np.array(rows, dtype=np.float64)

    def apply(self, images: Tensor) -> Tensor:
        """T of images [N, C, H, W] in [-1, 1]; see :func:`transform_images`."""
        return transform_images(images, [self])

    def to_json(self) -> dict[str, Any]:
        return {"scale": list(self.scale), "shift": list(self.shift), "brightness": self.brightness}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Transform:
        """The inverse of :meth:`to_json`. Raises ValueError, KeyError, TypeError or IndexError for anything else."""
        return cls(tuple(value["scale"]), tuple(value["shift"]), value["brightness"])


def transform_images(
    images: Tensor, transforms: Sequence[Transform], *, beyond: Literal["mirror", "grey"] = "mirror"
) -> Tensor:
    """T_i of images [N or 1, C, H, W] for N (or 1) transforms, [N, C, H, W]: cubic, and averaged where the picture shrinks.

    beyond: what lies outside the image: its mirror image, or mid grey (0).
    """
    moved = _sampled(images, transforms, _cubic, mirror=beyond == "mirror")
    if not any(t.brightness for t in transforms):
        return moved
    gains = torch.tensor([math.exp(t.brightness) for t in transforms], dtype=images.dtype, device=images.device)
    gains = gains[:, None, None, None]
    if beyond == "mirror":
        return (moved + 1) * gains - 1
    # Grey stays grey, however bright the image becomes.
    return moved * gains + (gains - 1) * transform_masks(torch.ones_like(images[:, :1]), transforms)


def transform_masks(masks: Tensor, transforms: Sequence[Transform]) -> Tensor:
    """T_i of masks [N or 1, 1, H, W] for N (or 1) transforms, linear, 0 outside; brightness leaves masks alone."""
    return _sampled(masks, transforms, _linear, mirror=False)


def initial_transform(mask: Rectangle | None, side: int, object_box: Rectangle | None = None) -> Transform:
    """The T that brings the object in the picture to where the generator paints its objects, equal along both axes.

    mask: (x0, y0, x1, y1) of the object in pixels of a crop of `side`; with None the crop stays as it is.
    object_box: the generator's typical object, its mean centre and usual size, in shares (0..1) of a side; with None
    objects are in the middle and have any size.
    """
    if mask is None:
        return Transform()
    low, high = (np.array(mask[:2]) / side, np.array(mask[2:]) / side)
    if object_box is None:
        scale, centre = 1.0, np.zeros(2)
    else:
        usual_low, usual_high = np.array(object_box[:2]), np.array(object_box[2:])
        scale = float(((high - low) / (usual_high - usual_low)).max())
        centre = usual_low + usual_high - 1
    # S c + t = the object's centre, c the centre of the generator's objects.
    shift = low + high - 1 - scale * centre
    return Transform((scale, scale), (float(shift[0]), float(shift[1])))


def _sampled(images: Tensor, transforms: Sequence[Transform], kernel: Callable[[Tensor], Tensor], *, mirror: bool) -> Tensor:
    """What an affine grid sampler does; since axes stay parallel it is one matrix for rows and one for columns."""
    if not any(t.moves for t in transforms):
        return images.expand(max(len(images), len(transforms)), -1, -1, -1)
    across, down = (
        _resampling(
            [t.scale[axis] for t in transforms], [t.shift[axis] for t in transforms], images.shape[3 - axis], kernel, mirror
        ).to(images)
        for axis in (0, 1)
    )
    return down[:, None] @ images @ across.transpose(1, 2)[:, None]


def _resampling(
    scales: Sequence[float], shifts: Sequence[float], size: int, kernel: Callable[[Tensor], Tensor], mirror: bool
) -> Tensor:
    """Matrices [N, size, size] that take the samples of an axis to those at s p + t.

    The kernel is stretched by a scale above 1, so that what shrinks is averaged and not skipped.
    """
    scale, shift = (torch.tensor(values, dtype=torch.float64)[:, None] for values in (scales, shifts))
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) * (2 / size) - 1
    at = (scale * centres + shift + 1) * (size / 2) - 0.5  # [N, size], in samples
    stretch = scale.clamp_min(1)
    reach = math.ceil(2 * float(stretch.max()))
    taps = at.floor().long()[..., None] + torch.arange(-reach, reach + 1)  # [N, size, K]
    distance = taps - at[..., None]
    weights = _level(kernel(distance / stretch[..., None]), distance)
    if mirror:
        folded = taps % (2 * size)
        taps = torch.minimum(folded, 2 * size - 1 - folded)
    else:
        weights = torch.where((taps >= 0) & (taps < size), weights, 0)
        taps = taps.clamp(0, size - 1)
    return torch.zeros(len(scales), size, size, dtype=torch.float64).scatter_add_(2, taps, weights)


def _level(weights: Tensor, distance: Tensor) -> Tensor:
    """Weights of sum 1 and mean distance 0: a stretched kernel would otherwise shift what it averages by up to .01 samples."""
    weights = weights / weights.sum(-1, keepdim=True)
    spread = weights.abs()
    around = distance - (spread * distance).sum(-1, keepdim=True) / spread.sum(-1, keepdim=True)
    slope = (weights * distance).sum(-1, keepdim=True) / (spread * around * distance).sum(-1, keepdim=True).clamp_min(1e-12)
    return weights - slope * spread * around


def _linear(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp_min(0)


def _cubic(x: Tensor) -> Tensor:
    """Keys 1981 with a = -1/2: exact for parabolas."""
    x = x.abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))
