"""Codes that have nothing to do with the picture that a generator is tuned for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.generators.labels import random_labels

__all__ = ["random_codes"]


def random_codes(generator: nn.Module, count: int, draw: torch.Generator, labels: Tensor | None = None) -> Tensor:
    """W+ codes [count, L, D] of random latents, M(z); of labels [count, C], or of random classes where there are any."""
    device = next(generator.parameters()).device
    with torch.no_grad():
        z = torch.randn(count, generator.config.z_dim, generator=draw)
        if labels is None:
            labels = random_labels(count, generator.config.class_count, draw)
        return generator.broadcast(generator.mapping(z.to(device), labels.to(device)))
