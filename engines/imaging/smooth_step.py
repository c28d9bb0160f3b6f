"""A fade without a kink at either end."""

from __future__ import annotations

import torch

__all__ = ["smooth_step"]


def smooth_step(t: torch.Tensor) -> torch.Tensor:
    """3 t^2 - 2 t^3 of t clamped to [0, 1]."""
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)
