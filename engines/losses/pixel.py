"""Pixel losses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["mse", "pyramid_l1"]


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference [N] of images [N, C, H, W]."""
    return (prediction - target).square().flatten(1).mean(1)


def pyramid_l1(
    prediction: Tensor, target: Tensor, *, levels: int = 3, detail_weight: float = 2.0, weight_map: Tensor | None = None
) -> Tensor:
    """L1 on averaged-down copies plus the L1 of what the first averaging takes away, [N].

    sum_{l < levels} |down_l(p) - down_l(t)|_1  +  detail_weight * |(p - up(down_1 p)) - (t - up(down_1 t))|_1,
    each a mean over pixels, weighted by `weight_map` [1 or N, 1, H, W] of mean 1 where one is given.
    """
    difference = prediction - target
    total = torch.zeros(len(prediction), dtype=difference.dtype)
    residual = difference - F.interpolate(F.avg_pool2d(difference, 2), scale_factor=2, mode="bilinear", align_corners=False)
    weighted = residual.abs() if weight_map is None else residual.abs() * weight_map
    total = total.to(difference.device) + detail_weight * weighted.flatten(1).mean(1)
    for level in range(levels):
        weighted = difference.abs() if weight_map is None else difference.abs() * weight_map
        total = total + weighted.flatten(1).mean(1)
        if level + 1 < levels:
            difference = F.avg_pool2d(difference, 2)
            weight_map = None if weight_map is None else F.avg_pool2d(weight_map, 2)
    return total
