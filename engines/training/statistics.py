"""Latent statistics of a pack: what truncation, priors and warnings refer to."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Generator

__all__ = ["STATISTICS_PICTURES", "class_statistics", "latent_statistics"]

STATISTICS_PICTURES = 8000
"""Training pictures whose codes the statistics of a pack are taken from."""


def latent_statistics(w_avg: Tensor, w_plus: Tensor, *, rank: int = 256) -> dict[str, Tensor]:
    """Tensors of the component ``statistics``.

    w_avg [D] of the mapping network; w_plus [N, L, D] codes of training pictures. Returns ``w_avg``, ``w_plus_mean``
    [L, D] and ``w_plus_factors`` [rank, L * D], the leading principal axes times their standard deviations, so that the
    covariance of the flattened codes is about F^T F.
    """
    flat = w_plus.flatten(1)
    mean = flat.mean(0)
    _, singular, axes = torch.linalg.svd((flat - mean) / (len(flat) - 1) ** 0.5, full_matrices=False)
    rank = min(rank, len(singular))
    return {
        "w_avg": w_avg.clone(),
        "w_plus_mean": mean.view(w_plus.shape[1:]).clone(),
        "w_plus_factors": (singular[:rank, None] * axes[:rank]).clone(),
    }


@torch.no_grad()
def class_statistics(generator: Generator, *, samples: int = 4096) -> dict[str, Tensor]:
    """``w_class_avg`` [C, D], the mean w of every class of a class-conditional generator; nothing of another one."""
    config = generator.config
    if not config.class_count:
        return {}
    z = torch.randn(samples, config.z_dim, generator=torch_generator(0))
    labels = torch.eye(config.class_count)
    means = [generator.mapping(z, label.expand(samples, -1)).mean(0) for label in labels]
    return {"w_class_avg": torch.stack(means)}
