"""The only border between uint8 RGB [H, W, 3] outside and float [N, 3, H, W] in [-1, 1] inside."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["to_tensor", "to_uint8"]


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [H, W, 3] or [N, H, W, 3] to float32 [N, 3, H, W] in [-1, 1]. Raises ValueError for anything else."""
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or pictures.shape[-1] != 3:
        raise ValueError(f"expected uint8 [H, W, 3] or [N, H, W, 3], got {pictures.dtype} {list(pictures.shape)}")
    batch = pictures if pictures.ndim == 4 else pictures[None]
    return torch.from_numpy(np.require(batch, requirements=("C", "W"))).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_uint8(image: torch.Tensor) -> np.ndarray:
    """float [N, 3, H, W] in [-1, 1] (clamped) to uint8 [N, H, W, 3], rounded to nearest."""
    scaled = image.detach().float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
