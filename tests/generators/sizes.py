"""Tiny networks that the generator tests share."""

from __future__ import annotations

import torch

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Discriminator, Generator, StyleGAN2Config


def tiny_config(**changes) -> StyleGAN2Config:
    fields = {"resolution": 16, "z_dim": 6, "w_dim": 5, "mapping_layers": 2, "channels": {4: 7, 8: 6, 16: 3}}
    return StyleGAN2Config(**{**fields, **changes})


def lively(network: Generator | Discriminator, seed: int = 7) -> Generator | Discriminator:
    """Every bias, noise strength and average, which start at a constant, gets a random value: none may go unnoticed."""
    draw = torch_generator(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("bias", "noise_strength", "w_avg")):
                scale = 20 if name.startswith("mapping.fc") else 0.3
                tensor.add_(scale * torch.randn(tensor.shape, generator=draw))
    return network


def normal(*shape: int, seed: int = 3, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch_generator(seed), dtype=dtype)
