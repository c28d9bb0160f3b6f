"""The synthesis network w_plus -> image: skip generator with one style per layer."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from engines.core.shapes import check_shape
from engines.generators.stylegan2.config import StyleGAN2Config
from engines.generators.stylegan2.ops import (
    ACTIVATION_GAIN,
    ACTIVATION_SLOPE,
    EqualisedLinear,
    fir_kernel,
    fir_upsample,
    modulated_conv,
    modulated_projection,
)

__all__ = ["NoiseMode", "SynthesisBlock", "SynthesisLayer", "SynthesisNetwork", "ToRGB", "Trunk"]

NoiseMode = Literal["const", "random", "none"]


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation: ``lrelu(conv(x; w) + strength * noise + bias)``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        *,
        upsamples: bool = False,
        clamp: float | None = None,
        draw: torch.Generator,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3, generator=draw))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("resample_filter", fir_kernel())
        self.register_buffer("noise_const", torch.randn(resolution, resolution, generator=draw))
        self.affine = EqualisedLinear(w_dim, in_channels, draw=draw, bias=1.0)
        self.resolution, self.upsamples, self.clamp = resolution, upsamples, clamp

    def forward(
        self, x: torch.Tensor, w: torch.Tensor, noise_mode: NoiseMode = "const", noise_generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """x [N, I, H, W], w [N, D] to [N, O, R, R], where R is 2H when the layer upsamples, else H."""
        # leaky_relu(g x) = g leaky_relu(x) for g > 0: the activation's gain rides on the scale, the bias and the noise.
        kernel = self.resample_filter if self.upsamples else None
        x = modulated_conv(x, self.weight, self.affine(w), self.bias, gain=ACTIVATION_GAIN, upsample_kernel=kernel)
        noise = self._noise(x, noise_mode, noise_generator)
        if noise is not None:
            x.add_((noise * (self.noise_strength * ACTIVATION_GAIN)).to(x.dtype))
        x = F.leaky_relu_(x, ACTIVATION_SLOPE)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)

    def _noise(self, x: torch.Tensor, mode: NoiseMode, generator: torch.Generator | None) -> torch.Tensor | None:
        if mode == "none":
            return None
        if mode == "const":
            return self.noise_const
        return torch.randn((x.shape[0], 1, self.resolution, self.resolution), generator=generator, device=x.device)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to RGB, without demodulation and activation."""

    def __init__(self, in_channels: int, w_dim: int, *, clamp: float | None = None, draw: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, in_channels, 1, 1, generator=draw))
        self.bias = nn.Parameter(torch.zeros(3))
        self.affine = EqualisedLinear(w_dim, in_channels, draw=draw, bias=1.0)
        self.style_gain = 1 / math.sqrt(in_channels)
        self.clamp = clamp

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """x [N, I, H, W], w [N, D] to RGB [N, 3, H, W] float32."""
        y = modulated_projection(x, self.weight, self.affine(w) * self.style_gain).float() + self.bias[:, None, None]
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """One resolution: conv0 (upsampling; missing at 4x4, which starts from a learned constant), conv1, and the RGB skip."""

    def __init__(self, config: StyleGAN2Config, resolution: int, *, draw: torch.Generator) -> None:
        super().__init__()
        out_channels, clamp = config.channels[resolution], config.conv_clamp
        self.is_first = resolution == config.resolutions[0]
        if self.is_first:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution, generator=draw))
        self.register_buffer("resample_filter", fir_kernel())
        if not self.is_first:
            in_channels = config.channels[resolution // 2]
            self.conv0 = SynthesisLayer(
                in_channels, out_channels, config.w_dim, resolution, upsamples=True, clamp=clamp, draw=draw
            )
        self.conv1 = SynthesisLayer(out_channels, out_channels, config.w_dim, resolution, clamp=clamp, draw=draw)
        self.torgb = ToRGB(out_channels, config.w_dim, clamp=clamp, draw=draw)

    def forward(
        self,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        rows: torch.Tensor,
        dtype: torch.dtype,
        noise_mode: NoiseMode,
        noise_generator: torch.Generator | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """rows [N, 2 or 3, D]: latents, the last row for RGB. Returns features in `dtype` and the RGB sum so far."""
        if self.is_first:
            x = self.const.to(dtype)[None].expand(rows.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        else:
            x = self.conv0(x, rows[:, 0], noise_mode, noise_generator)
        x = self.conv1(x, rows[:, -2], noise_mode, noise_generator)
        rgb = self.torgb(x, rows[:, -1])
        return x, rgb if image is None else fir_upsample(image, self.resample_filter) + rgb


class Trunk(NamedTuple):
    """What the blocks below some resolution make of codes: synthesis goes on from there, any number of times."""

    below: int
    """The resolution of the next block in pixels."""
    features: torch.Tensor
    image: torch.Tensor
    """The RGB sum so far."""


class SynthesisNetwork(nn.Module):
    """w_plus [N, L, D] to image [N, 3, R, R]. Row 0 styles b4.conv1, then every block takes rows 2j-1, 2j, 2j+1:
    conv0, conv1, torgb; a block's torgb shares its row with the next block's conv0."""

    def __init__(self, config: StyleGAN2Config, *, draw: torch.Generator) -> None:
        super().__init__()
        self.config = config
        for resolution in config.resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(config, resolution, draw=draw))

    def forward(
        self,
        w_plus: torch.Tensor,
        *,
        noise_mode: NoiseMode = "const",
        dtype: torch.dtype = torch.float32,
        resolution: int | None = None,
        noise_generator: torch.Generator | None = None,
        trunk: Trunk | None = None,
    ) -> torch.Tensor:
        """Image [N, 3, R, R] float32, nominally in [-1, 1], not clamped.

        noise_mode: ``const`` adds the stored planes, ``random`` fresh ones from `noise_generator` (None: torch's own),
        ``none`` nothing. dtype: of the features; styles and RGB stay float32. resolution: stop at a lower power of two.
        trunk: what :meth:`trunk` made of the same codes in the same way, where it is there already.
        """
        _, image = self._blocks(w_plus, trunk, resolution, dtype, noise_mode, noise_generator)
        return image

    def trunk(self, w_plus: torch.Tensor, below: int, *, dtype: torch.dtype = torch.float32) -> Trunk:
        """The blocks below a resolution, from 8 up, with the stored noise; dtype as in :meth:`forward`."""
        return Trunk(below, *self._blocks(w_plus, None, below // 2, dtype, "const", None))

    def _blocks(
        self,
        w_plus: torch.Tensor,
        trunk: Trunk | None,
        last: int | None,
        dtype: torch.dtype,
        noise_mode: NoiseMode,
        noise_generator: torch.Generator | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and RGB after the block of resolution `last`; None is the finest."""
        check_shape(w_plus, (None, self.config.num_ws, self.config.w_dim), "w_plus")
        if noise_mode not in ("const", "random", "none"):
            raise ValueError(f"noise_mode must be const, random or none, got {noise_mode!r}")
        if last is not None and last not in self.config.resolutions:
            raise ValueError(f"resolution must be one of {list(self.config.resolutions)}, got {last}")
        w_plus = w_plus.float()
        below, x, image = trunk or (0, None, None)
        for index, level in enumerate(self.config.resolutions):
            if level < below:
                continue
            rows = w_plus[:, max(2 * index - 1, 0) : 2 * index + 2]
            x, image = self.get_submodule(f"b{level}")(x, image, rows, dtype, noise_mode, noise_generator)
            if level == last:
                break
        return x, image
