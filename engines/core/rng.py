"""The only place that makes random generators: every draw in the project descends from an explicit seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = ["numpy_generator", "torch_generator", "z_for_seeds"]


def numpy_generator(*seed: int) -> np.random.Generator:
    """A NumPy generator for a seed path, e.g. ``numpy_generator(seed, index)``."""
    return np.random.default_rng([int(s) for s in seed])


def torch_generator(*seed: int) -> torch.Generator:
    """A CPU torch generator for a seed path."""
    # The length is part of the path: a seed sequence alone takes (0,) and (0, 0) for the same.
    state = np.random.SeedSequence([len(seed), *(int(s) for s in seed)]).generate_state(2, np.uint32)
    import torch  # here, since the processes that render need no torch and start faster without

    return torch.Generator().manual_seed((int(state[0]) << 31) ^ int(state[1]))


def z_for_seeds(seeds: list[int], z_dim: int) -> torch.Tensor:
    """Standard normal latents [len(seeds), z_dim], one generator a seed: batching never changes a picture."""
    import torch

    return torch.stack([torch.randn(z_dim, generator=torch_generator(seed)) for seed in seeds])
