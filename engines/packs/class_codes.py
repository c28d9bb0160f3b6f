"""What the codes of a class-conditional pack's classes are like: means from its statistics, covariances from its mapping."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.core.cache import BoundedCache
from engines.core.rng import torch_generator
from engines.packs.load import Pack

__all__ = ["class_covariance", "class_mean"]

_SAMPLES = 4096
_covariances: BoundedCache[Tensor] = BoundedCache(32 << 20)


def class_mean(pack: Pack, label: Tensor) -> Tensor:
    """The mean w [D] of a label's [C] classes by their weights; of a pack without classes w_avg."""
    return label.to(pack.device) @ pack.statistics["w_class_avg"] if pack.manifest.classes else pack.statistics["w_avg"]


def class_covariance(pack: Pack, label: Tensor) -> Tensor:
    """The covariance [D, D] of w within a label's [C] classes, by their weights."""
    return sum(weight * _of_class(pack, number) for number, weight in enumerate(label.tolist()) if weight)


def _of_class(pack: Pack, number: int) -> Tensor:
    key = (pack.component_sha256("generator"), str(pack.device), number)

    def measure() -> tuple[Tensor, int]:
        with torch.inference_mode(False), torch.no_grad():
            z = torch.randn(_SAMPLES, pack.manifest.latent.z_dim, generator=torch_generator(0)).to(pack.device)
            label = torch.eye(len(pack.manifest.classes), device=pack.device)[number]
            covariance = torch.cov(pack.generator.mapping(z, label.expand(_SAMPLES, -1)).T)
        return covariance, covariance.numel() * covariance.element_size()

    return _covariances.get(key, measure)
