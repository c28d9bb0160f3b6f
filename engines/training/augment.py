"""What photographs have and renders lack: casts, blur, noise, compression, a crop that is a little off.

Networks that must hold on photographs see their inputs through these. Everything is seeded by the caller.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.io import decode_jpeg, encode_jpeg

__all__ = ["degrade", "jitter_crop", "recolour"]


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low


def jitter_crop(
    images: Tensor, generator: torch.Generator, *, shift: float = 0.03, scale: float = 0.06, degrees: float = 4.0
) -> Tensor:
    """Small similarity transforms with reflected borders; `shift` and `scale` are fractions of the side."""
    count = len(images)
    angle = _uniform(count, -degrees, degrees, generator) * math.pi / 180
    size = 1 + _uniform(count, -scale, scale, generator)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = torch.cos(angle) * size
    matrix[:, 0, 1] = -torch.sin(angle) * size
    matrix[:, 1, 0] = torch.sin(angle) * size
    matrix[:, 0, 2] = 2 * _uniform(count, -shift, shift, generator)
    matrix[:, 1, 2] = 2 * _uniform(count, -shift, shift, generator)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def recolour(images: Tensor, generator: torch.Generator, *, strength: float = 1.0) -> Tensor:
    """Exposure, contrast, saturation and colour cast, each a little, per picture."""
    count = len(images)
    gain = 1 + strength * _uniform(count, -0.15, 0.15, generator)[:, None, None, None]
    cast = 1 + strength * (torch.rand(count, 3, generator=generator) - 0.5)[:, :, None, None] * 0.12
    offset = strength * _uniform(count, -0.10, 0.10, generator)[:, None, None, None]
    gray = images.mean(1, keepdim=True)
    saturation = 1 + strength * _uniform(count, -0.25, 0.25, generator)[:, None, None, None]
    coloured = gray + (images - gray) * saturation
    return (((coloured + 1) * gain * cast) - 1 + offset).clamp(-1, 1)


def degrade(images: Tensor, generator: torch.Generator) -> Tensor:
    """Blur by resampling, sensor noise and JPEG, each on a part of the batch."""
    count, _, height, width = images.shape
    out = images.clone()
    draws = torch.rand(count, 3, generator=generator)
    for factor in (0.5, 0.7):
        # Soft pictures: small uploads, and reconstructions.
        chosen = (draws[:, 0] > factor - 0.25) & (draws[:, 0] < factor - 0.05)
        if chosen.any():
            small = F.interpolate(out[chosen], scale_factor=factor, mode="bilinear", antialias=True, align_corners=False)
            out[chosen] = F.interpolate(small, size=(height, width), mode="bicubic", align_corners=False).clamp(-1, 1)
    noisy = draws[:, 1] < 0.4
    if noisy.any():
        sigma = _uniform(int(noisy.sum()), 0.0, 0.06, generator)[:, None, None, None]
        chosen = out[noisy]
        out[noisy] = (chosen + sigma * torch.randn(chosen.shape, generator=generator)).clamp(-1, 1)
    quality = torch.randint(35, 92, (count,), generator=generator)
    for i in torch.nonzero(draws[:, 2] < 0.2).flatten().tolist():
        byte = ((out[i] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        out[i] = decode_jpeg(encode_jpeg(byte, quality=int(quality[i]))).float() / 127.5 - 1
    return out
