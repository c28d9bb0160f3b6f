"""Region network: where in a picture each attribute would show or shows, so that an edit of it leaves all else alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.predictors.trunk import ConvTrunk

__all__ = ["RegionNetwork"]


class RegionNetwork(nn.Module):
    """Trunk and a decoder that looks back at its maps (Ronneberger et al. 2015, U-Net); trained on true counterfactuals.

    Its trunk has the attribute predictor's design, and may start from its weights.
    """

    def __init__(self, attributes: Sequence[str], channels: Sequence[int]) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        self.channels = tuple(channels)
        self.trunk = ConvTrunk(self.channels)
        self.steps = nn.ModuleList()
        inputs = self.channels[-1]
        for beside in self.channels[-2::-1]:
            outputs = beside // 2 + 16
            self.steps.append(_Step(inputs + beside, outputs))
            inputs = outputs
        self.output = nn.Conv2d(inputs, len(self.attributes), 1)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> RegionNetwork:
        return cls(config["attributes"], config["channels"])

    def config_json(self) -> dict[str, Any]:
        return {"attributes": list(self.attributes), "channels": list(self.channels)}

    def forward(self, image: Tensor) -> Tensor:
        """Logits [N, K, R/2, R/2] that a pair of pixels changes with the attribute, for images [N, 3, R, R] in [-1, 1]."""
        maps = self.trunk(image)
        x = maps[-1]
        for step, beside in zip(self.steps, maps[-2::-1], strict=True):
            x = step(x, beside)
        return self.output(x)

    def probabilities(self, image: Tensor) -> Tensor:
        """[N, K, R, R] in (0, 1), of every pixel."""
        return F.interpolate(torch.sigmoid(self.forward(image).float()), size=image.shape[2:], mode="bilinear")


class _Step(nn.Module):
    """Doubles the resolution, and joins what the trunk had there."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        x = F.interpolate(x, size=beside.shape[2:], mode="bilinear", align_corners=False)
        return F.relu(self.norm(self.conv(torch.cat([x, beside], dim=1))))
