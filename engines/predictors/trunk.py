"""The convolutional trunk that the image predictors share in design (not in weights)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ConvTrunk"]


class _Stage(nn.Module):
    """3x3 convolution that halves the resolution, then a residual 3x3 one; both normalised."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm0 = nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(outputs, outputs, 3, padding=1, groups=max(1, outputs // 32), bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm0(self.conv0(x)))
        return F.relu(x + self.norm1(self.conv1(x)))


class ConvTrunk(nn.Module):
    """Image [N, 3, R, R] to feature maps, stage i at resolution R / 2^(i+1)."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        inputs = [3, *channels[:-1]]
        self.stages = nn.ModuleList(_Stage(i, o, 2) for i, o in zip(inputs, channels, strict=True))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Feature maps [N, C_i, R / 2^(i+1), R / 2^(i+1)] of every stage."""
        maps = []
        x = image.contiguous(memory_format=torch.channels_last)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
