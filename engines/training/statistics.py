"""Latent statistics of a pack: what truncation, priors and warnings refer to."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Generator

__all__ = ["STATISTICS_PICTURES", "class_statistics", "latent_statistics"]

STATISTICS_PICTURES = 8000
"""Training pictures whose codes the statistics of a pack are taken from."""

_EXACT_SIDE = 4096
"""Matrices whose smaller side is longer are decomposed by random projection: 8,000 codes of 18 x 512 in seconds."""
_OVERSAMPLING, _POWER_ITERATIONS = 32, 4


def latent_statistics(w_avg: Tensor, w_plus: Tensor, *, rank: int = 256) -> dict[str, Tensor]:
    """Tensors of the component ``statistics``.

    w_avg [D] of the mapping network; w_plus [N, L, D] codes of training pictures. Returns ``w_avg``, ``w_plus_mean``
    [L, D] and ``w_plus_factors`` [rank, L * D], the leading principal axes times their standard deviations, so that the
    covariance of the flattened codes is about F^T F.
    """
    flat = w_plus.flatten(1)
    mean = flat.mean(0)
    singular, axes = _leading((flat - mean) / (len(flat) - 1) ** 0.5, rank)
    rank = min(rank, len(singular))
    return {
        "w_avg": w_avg.clone(),
        "w_plus_mean": mean.view(w_plus.shape[1:]).clone(),
        "w_plus_factors": (singular[:rank, None] * axes[:rank]).clone(),
    }


def _leading(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Singular values [r], falling, and right singular vectors [r, d] of a matrix [n, d], at least `rank` where there are.

    Large matrices by the randomised method of Halko et al. 2011 (algorithm 5.1 after 4.4), which always draws the same.
    """
    if min(matrix.shape) <= _EXACT_SIDE:
        _, singular, axes = torch.linalg.svd(matrix, full_matrices=False)
        return singular, axes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, singular, vectors = torch.svd_lowrank(matrix, q=rank + _OVERSAMPLING, niter=_POWER_ITERATIONS)
    return singular, vectors.T


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
