"""Where in a picture a reconstruction matters most."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["even_weight_map", "face_weight_map"]


def even_weight_map(size_px: int) -> Tensor:
    """Everywhere alike: ones [1, 1, S, S]."""
    return torch.ones(1, 1, size_px, size_px)


def face_weight_map(points: np.ndarray, size_px: int, *, gain: float = 3.0) -> Tensor:
    """Where a reconstruction matters: [1, 1, S, S] of mean 1, higher over the face and highest at eyes and mouth.

    points: [5, 2] landmarks (eyes, nose, mouth corners) in pixels of `size_px`.
    """
    y, x = torch.meshgrid(torch.arange(size_px) + 0.5, torch.arange(size_px) + 0.5, indexing="ij")

    def blob(centre: np.ndarray, radius: float) -> Tensor:
        return torch.exp(-((x - float(centre[0])) ** 2 + (y - float(centre[1])) ** 2) / (2 * radius**2))

    unit = size_px / 128
    weight = 1 + gain * 0.7 * blob(points.mean(0), 26 * unit)
    for centre in (
        points[0],
        points[1],
        points[3:].mean(0),
        0.7 * points[3] + 0.3 * points[4],
        0.3 * points[3] + 0.7 * points[4],
    ):
        weight = weight + gain * blob(centre, 6.5 * unit)
    return (weight / weight.mean())[None, None]
