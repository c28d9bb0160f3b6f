"""The residual StyleGAN2 discriminator, under the state-dict keys of NVlabs' published layout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from engines.core.rng import torch_generator
from engines.core.shapes import check_shape
from engines.generators.stylegan2.config import StyleGAN2Config
from engines.generators.stylegan2.mapping import MappingNetwork
from engines.generators.stylegan2.ops import (
    ACTIVATION_GAIN,
    ACTIVATION_SLOPE,
    EqualisedLinear,
    fir_blur,
    fir_downsample,
    fir_kernel,
    minibatch_stddev,
)

__all__ = ["Discriminator", "DiscriminatorBlock", "DiscriminatorEpilogue", "EqualisedConv"]


class EqualisedConv(nn.Module):
    """Convolution with the weight scaled by ``1 / sqrt(I k^2)``, optionally downsampling, biased and activated."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        activation: bool = True,
        has_bias: bool = True,
        downsamples: bool = False,
        clamp: float | None = None,
        draw: torch.Generator,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size, generator=draw))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if has_bias else None
        self.register_buffer("resample_filter", fir_kernel())
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.padding = kernel_size // 2
        self.activation, self.downsamples, self.clamp = activation, downsamples, clamp

    def forward(self, x: torch.Tensor, *, gain: float = 1.0) -> torch.Tensor:
        """x [N, I, H, W] to `gain` times the layer's output [N, O, H or H/2, W or W/2]."""
        # leaky_relu(g x) = g leaky_relu(x) for g > 0: the activation's gain rides on the weight and the bias.
        scale = gain * ACTIVATION_GAIN if self.activation else gain
        weight = (self.weight * (self.weight_gain * scale)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * scale).to(x.dtype)
        if not self.downsamples:
            y = F.conv2d(x, weight, bias, padding=self.padding)
        elif self.padding:
            y = F.conv2d(fir_blur(x, self.resample_filter, padding=2), weight, bias, stride=2)
        else:
            y = F.conv2d(fir_downsample(x, self.resample_filter), weight, bias)
        if self.activation:
            y = F.leaky_relu_(y, ACTIVATION_SLOPE)
        return y if self.clamp is None else y.clamp(-self.clamp * gain, self.clamp * gain)


class DiscriminatorBlock(nn.Module):
    """From resolution R to R/2: ``(conv1(conv0(x)) + skip(x)) / sqrt(2)``; the first block starts from RGB."""

    def __init__(self, config: StyleGAN2Config, resolution: int, *, draw: torch.Generator) -> None:
        super().__init__()
        channels, narrower, clamp = config.channels[resolution], config.channels[resolution // 2], config.conv_clamp
        self.register_buffer("resample_filter", fir_kernel())
        self.is_first = resolution == config.resolution
        if self.is_first:
            self.fromrgb = EqualisedConv(3, channels, 1, clamp=clamp, draw=draw)
        self.conv0 = EqualisedConv(channels, channels, 3, clamp=clamp, draw=draw)
        self.conv1 = EqualisedConv(channels, narrower, 3, downsamples=True, clamp=clamp, draw=draw)
        self.skip = EqualisedConv(channels, narrower, 1, activation=False, has_bias=False, downsamples=True, draw=draw)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, R, R] (RGB for the first block) to [N, C', R/2, R/2]."""
        if self.is_first:
            x = self.fromrgb(x)
        skip = self.skip(x, gain=math.sqrt(0.5))
        return skip + self.conv1(self.conv0(x), gain=math.sqrt(0.5))


class DiscriminatorEpilogue(nn.Module):
    """4x4 features to logits: minibatch standard deviation, convolution, two fully connected layers."""

    def __init__(self, config: StyleGAN2Config, *, draw: torch.Generator) -> None:
        super().__init__()
        channels = config.channels[4]
        self.group = config.minibatch_group
        self.conv = EqualisedConv(channels + 1, channels, 3, clamp=config.conv_clamp, draw=draw)
        self.fc = EqualisedLinear(channels * 16, channels, draw=draw, activation=True)
        self.out = EqualisedLinear(channels, channels if config.class_count else 1, draw=draw)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, C, 4, 4] to [N, 1], or [N, C] features for the projection on the class."""
        x = self.conv(minibatch_stddev(x.float(), self.group))
        return self.out(self.fc(x.flatten(1)))


class Discriminator(nn.Module):
    """Image -> logit, high for real. With classes the logit is the projection ``<out(x), m(label)> / sqrt(C)``.

    `seed` decides the starting weights.
    """

    def __init__(self, config: StyleGAN2Config, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        draw = torch_generator(seed)
        for resolution in reversed(config.resolutions[1:]):
            self.add_module(f"b{resolution}", DiscriminatorBlock(config, resolution, draw=draw))
        if config.class_count:
            self.mapping = MappingNetwork(
                0,
                config.channels[4],
                config.label_layers,
                class_count=config.class_count,
                tracks_average=False,
                draw=draw,
            )
        self.b4 = DiscriminatorEpilogue(config, draw=draw)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Discriminator:
        """Builds from the JSON form of :class:`StyleGAN2Config`; raises ValueError for what cannot be built."""
        return cls(StyleGAN2Config.from_json(config))

    def config_json(self) -> dict[str, Any]:
        return self.config.to_json()

    def forward(
        self, image: torch.Tensor, label: torch.Tensor | None = None, *, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """image [N, 3, R, R] in [-1, 1] (and label [N, class_count] with classes) to logits [N] float32.

        dtype: of the features above 4x4; the epilogue stays float32.
        """
        check_shape(image, (None, 3, self.config.resolution, self.config.resolution), "image")
        x = image.to(dtype).contiguous(memory_format=torch.channels_last)
        for resolution in reversed(self.config.resolutions[1:]):
            x = self.get_submodule(f"b{resolution}")(x)
        x = self.b4(x)
        if self.config.class_count:
            direction = self.mapping(None, label)
            return (x * direction).sum(dim=1) / math.sqrt(x.shape[1])
        return x[:, 0]
