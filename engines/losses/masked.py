"""Losses under a mask (Huh et al. 2020, Eq. 4 and Appendix B): what matters counts fully, the rest less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from engines.core.shapes import check_shape

__all__ = ["FeatureDistance", "masked_distance", "masked_l1", "masked_mse", "rectangle_mask"]

_NOTHING = 1e-6
"""A mask whose mean is below this counts as this: nothing of it is left, and the loss is about 0."""


class FeatureDistance(Protocol):
    """A perceptual distance that is a sum over stages of means of distance maps."""

    def features(self, image: Tensor) -> list[Tensor]:
        """What :meth:`distance_maps` compares, of images [N, 3, R, R] in [-1, 1]."""

    def distance_maps(self, image: Tensor, target_features: Sequence[Tensor]) -> list[Tensor]:
        """Maps [N, 1, h, w] of every stage, whose means add up to the distance of `image` to the target."""


def masked_l1(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """``sum(m |p - t|) / (C sum(m))``, [N]: the first term of Eq. 4 as a mean over pixels and channels.

    prediction [N, C, H, W], target [1 or N, C, H, W], mask [1 or N, 1, H, W] >= 0.
    """
    return _masked_mean((prediction - target).abs(), mask)


def masked_mse(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """``sum(m (p - t)^2) / (C sum(m))``, [N]; shapes as in :func:`masked_l1`."""
    return _masked_mean((prediction - target).square(), mask)


def masked_distance(network: FeatureDistance, image: Tensor, target_features: Sequence[Tensor], mask: Tensor) -> Tensor:
    """The second term of Eq. 4, [N]: each stage's map is averaged with the mask, resized bilinearly to the map, as weights.

    A mask of ones gives the network's own distance. mask: [1 or N, 1, H, W] >= 0, of the image's size.
    """
    maps = network.distance_maps(image, target_features)
    sizes = (F.interpolate(mask, size=m.shape[2:], mode="bilinear", align_corners=False) for m in maps)
    return torch.stack([_masked_mean(m.float(), resized) for m, resized in zip(maps, sizes, strict=True)]).sum(0)


def rectangle_mask(rectangle: tuple[float, float, float, float] | None, side: int, outside: float) -> Tensor:
    """Mask [1, 1, side, side]: 1 inside the rectangle (x0, y0, x1, y1) in pixels, `outside` elsewhere; None is 1 everywhere.

    A pixel that the rectangle's border crosses has the value in between.
    """
    if rectangle is None:
        return torch.ones(1, 1, side, side)
    x0, y0, x1, y1 = rectangle
    inside = torch.outer(_covered(y0, y1, side), _covered(x0, x1, side))
    return (outside + (1 - outside) * inside)[None, None]


def _covered(first: float, end: float, side: int) -> Tensor:
    """How much of each pixel [i, i + 1] lies in [first, end], [side]."""
    left = torch.arange(side, dtype=torch.float32)
    return ((left + 1).clamp(max=end) - left.clamp(min=first)).clamp(0, 1)


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    check_shape(mask, (None, 1, *values.shape[2:]), "mask")
    weighted = (values.mean(1, keepdim=True) * mask).flatten(1).mean(1)
    return weighted / mask.flatten(1).mean(1).clamp_min(_NOTHING)
