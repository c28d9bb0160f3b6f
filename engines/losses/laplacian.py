"""The Laplacian pyramid (Burt and Adelson 1983) and the L1 distance over its levels: L_rec of near-perfect inversion."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from engines.core.shapes import check_shape

__all__ = ["DEFAULT_LEVELS", "laplacian_pyramid", "laplacian_pyramid_l1"]

DEFAULT_LEVELS = 5
_TAPS = (1.0, 4.0, 6.0, 4.0, 1.0)
_NOTHING = 1e-6
"""A weight map whose mean is below this counts as this: nothing of it is left, and its level adds about 0."""


def laplacian_pyramid_l1(
    prediction: Tensor, target: Tensor, *, levels: int = DEFAULT_LEVELS, weight_map: Tensor | None = None
) -> Tensor:
    """``sum_l mean |L_l(p) - L_l(t)|``, [N]: every level counts alike, however few pixels it has.

    prediction [N, C, H, W], target [1 or N, C, H, W].
    levels: at least 1; the last is the low-pass. Levels beyond a side of 1 pixel are left out.
    weight_map: [1 or N, 1, H, W] >= 0; each level's mean is weighted with the map, reduced to its size.
    """
    # The pyramid is linear: that of the difference is the difference of the two, at half the price.
    pyramid = laplacian_pyramid(prediction - target, levels)
    if weight_map is None:
        return torch.stack([level.abs().flatten(1).mean(1) for level in pyramid]).sum(0)
    check_shape(weight_map, (None, 1, *prediction.shape[2:]), "weight_map")
    total = prediction.new_zeros(len(prediction))
    for index, level in enumerate(pyramid):
        if index:
            weight_map = _reduce(weight_map)
        weighted = (level.abs().mean(1, keepdim=True) * weight_map).flatten(1).mean(1)
        total = total + weighted / weight_map.flatten(1).mean(1).clamp_min(_NOTHING)
    return total


def laplacian_pyramid(image: Tensor, levels: int = DEFAULT_LEVELS) -> list[Tensor]:
    """L_0 .. L_{levels-1} of images [N, C, H, W], from fine to coarse; each level halves the sides, rounded up.

    g_0 = image,  g_{l+1} = reduce(g_l),  L_l = g_l - expand(g_{l+1}),  L_last = g_last
    """
    if levels < 1:
        raise ValueError(f"levels must be at least 1, got {levels}")
    pyramid = []
    for _ in range(levels - 1):
        if max(image.shape[2:]) == 1:
            break
        coarse = _reduce(image)
        pyramid.append(image - _expand(coarse, image.shape[2:]))
        image = coarse
    return [*pyramid, image]


def _reduce(image: Tensor) -> Tensor:
    """Filtered with the binomial kernel, then every second row and column: [N, C, ceil(H/2), ceil(W/2)]."""
    channels = image.shape[1]
    # Zeros outside, made good by the kernel's share inside: reflecting is not defined for a side of 1 or 2 pixels.
    filtered = F.conv2d(image, _kernel(image, channels), stride=2, padding=2, groups=channels)
    inside = F.conv2d(torch.ones_like(image[:1, :1]), _kernel(image, 1), stride=2, padding=2)
    return filtered / inside


def _expand(image: Tensor, size: torch.Size) -> Tensor:
    """To twice the size (one less where `size` is odd) by the same kernel: pixels lie on the even rows and columns."""
    channels = image.shape[1]
    kernel = _kernel(image, channels)
    odd = [side % 2 for side in size]
    extra = [1 - o for o in odd]
    expanded = F.conv_transpose2d(image, kernel, stride=2, padding=2, output_padding=extra, groups=channels)
    ones = torch.ones_like(image[:1, :1])
    inside = F.conv_transpose2d(ones, _kernel(image, 1), stride=2, padding=2, output_padding=extra)
    return expanded / inside


def _kernel(like: Tensor, channels: int) -> Tensor:
    """Depthwise weights [channels, 1, 5, 5] that sum to 1 each."""
    taps = torch.tensor(_TAPS, dtype=like.dtype, device=like.device) / sum(_TAPS)
    return torch.outer(taps, taps).expand(channels, 1, 5, 5)
