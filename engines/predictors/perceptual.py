"""Perceptual network: a distance between pictures in the features of a network that knows pictures of the pack's kind.

The form is that of LPIPS (Zhang et al. 2018, Eq. 1) with uniform weights: at every stage features are scaled to
unit length over channels, and

    d(a, b) = mean over stages of mean over positions of ||f_s(a) - f_s(b)||^2 .

Its trunk was trained on renders only, to tell their attributes, classes and continuous factors (pose, light, place, size).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.predictors.trunk import ConvTrunk

__all__ = ["PerceptualNetwork"]


class PerceptualNetwork(nn.Module):
    """Feature maps and distance of images [N, 3, R, R] in [-1, 1]."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.trunk = ConvTrunk(self.channels)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PerceptualNetwork:
        return cls(config["channels"])

    def config_json(self) -> dict[str, Any]:
        return {"channels": list(self.channels)}

    def features(self, image: Tensor) -> list[Tensor]:
        """Channel-normalised feature maps of every stage."""
        maps = self.trunk(image)
        return [m * torch.rsqrt(m.square().sum(1, keepdim=True) + 1e-6) for m in maps]

    def distance_to(self, image: Tensor, target_features: Sequence[Tensor]) -> Tensor:
        """Distances [N] of images to a target whose :meth:`features` are known."""
        terms = [m.mean((1, 2)) for m in self._stage_maps(image, target_features)]
        return torch.stack([t.float() for t in terms]).mean(0)

    def distance_maps(self, image: Tensor, target_features: Sequence[Tensor]) -> list[Tensor]:
        """Maps [N, 1, h, w] of every stage; the sum of their means is :meth:`distance_to`."""
        maps = self._stage_maps(image, target_features)
        return [m[:, None] / len(maps) for m in maps]

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances [N], 0 for equal pictures."""
        return self.distance_to(a, self.features(b))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.distance(a, b)

    def _stage_maps(self, image: Tensor, target_features: Sequence[Tensor]) -> list[Tensor]:
        """||f_s(image) - f_s(target)||^2 at every position of every stage, [N, h, w]."""
        return [(a - b).square().sum(1) for a, b in zip(self.features(image), target_features, strict=True)]
