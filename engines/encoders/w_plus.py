"""Encoder from an image to W+ codes, with optional iterations that see the current reconstruction.

The first pass predicts one w for all layers plus a W+ offset per layer (as e4e does); an iteration gets the picture
and the current reconstruction, and predicts a change of the codes (ReStyle, Alaluf et al. 2021, Eq. 2):

    w+_0 = norm(w(x)) + d(x),    w+_{t+1} = w+_t + u(x, G(w+_t))

`norm` is a batch normalisation without affine part, so that the mapped latents have unit scale.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.errors import PackFieldError
from engines.core.shapes import check_shape

__all__ = ["EncoderConfig", "WPlusEncoder"]


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of a :class:`WPlusEncoder`."""

    resolution: int
    layers: int
    dim: int
    channels: dict[int, int]
    """Channels at every resolution from 4 to `resolution`."""
    hidden: int = 384
    coarsest_input_px: int = 32
    """The picture enters at every resolution from here to `resolution`."""

    def __post_init__(self) -> None:
        sizes = []
        size = 4
        while size <= self.resolution:
            sizes.append(size)
            size *= 2
        if sizes[-1] != self.resolution or sorted(self.channels) != sizes:
            raise PackFieldError(f"encoder: channels must be given for {sizes}, got {sorted(self.channels)}")

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EncoderConfig:
        return cls(**{**value, "channels": {int(k): int(v) for k, v in value["channels"].items()}})

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "channels": {str(k): v for k, v in self.channels.items()}}


class _DownBlock(nn.Module):
    """Residual block that halves the resolution: strided convolution beside an averaged shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.norm(self.conv(x)), 0.2) + self.skip(F.avg_pool2d(x, 2))


class WPlusEncoder(nn.Module):
    """Image [N, 3, R, R] in [-1, 1] to W+ codes [N, L, D]."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        inputs = [r for r in sorted(channels) if r >= config.coarsest_input_px]
        # Six channels: the picture and the current reconstruction.
        self.from_rgb = nn.ModuleDict({str(r): nn.Conv2d(6, channels[r], 3, padding=1) for r in inputs})
        self.blocks = nn.ModuleDict({str(r): _DownBlock(channels[r], channels[r // 2]) for r in sorted(channels) if r > 4})
        # What a finer level passes down is scaled by a learned gate; started at 0 it would never open.
        self.gates = nn.ParameterDict({str(r): nn.Parameter(torch.tensor(0.35)) for r in inputs[1:]})
        self.hidden = nn.Linear(channels[4] * 16, config.hidden)
        self.w_head = nn.Linear(config.hidden, config.dim)
        self.w_norm = nn.BatchNorm1d(config.dim, affine=False)
        self.offset_head = nn.Linear(config.hidden, config.layers * config.dim)
        self.update_head = nn.Linear(config.hidden, config.layers * config.dim)
        for head in (self.offset_head, self.update_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WPlusEncoder:
        return cls(EncoderConfig.from_json(config))

    def config_json(self) -> dict[str, Any]:
        return self.config.to_json()

    def forward(self, image: Tensor, current: Tensor | None = None, w_plus: Tensor | None = None) -> Tensor:
        """W+ codes [N, L, D].

        image: [N, 3, r, r], r = the resolution, or a coarser one while a training grows.
        current, w_plus: the reconstruction so far and its codes, for an iteration; both or none.
        """
        if (current is None) != (w_plus is None):
            raise ValueError("an iteration needs both the current reconstruction and its codes")
        features = self.trunk(image, current)
        if w_plus is not None:
            check_shape(w_plus, (len(image), self.config.layers, self.config.dim), "w_plus")
            return w_plus + self.update_head(features).float().view(w_plus.shape)
        w, offsets = self.heads(features)
        return w[:, None] + offsets

    def heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised w [N, D] and W+ offsets [N, L, D] of the first pass."""
        w = self.w_norm(self.w_head(features).float())
        return w, self.offset_head(features).float().view(len(features), self.config.layers, self.config.dim)

    def trunk(self, image: Tensor, current: Tensor | None) -> Tensor:
        """Hidden features [N, hidden] of picture and current reconstruction (zeros in the first pass)."""
        size = image.shape[-1]
        check_shape(image, (None, 3, size, size), "image")
        both = torch.cat([image, torch.zeros_like(image) if current is None else current], 1)
        levels = {size: both.contiguous(memory_format=torch.channels_last)}
        while size > self.config.coarsest_input_px:
            levels[size // 2] = F.avg_pool2d(levels[size], 2)
            size //= 2
        below: Tensor | None = None
        for resolution in sorted(levels, reverse=True):
            x = self.from_rgb[str(resolution)](levels[resolution])
            if below is not None:
                x = x + below
            below = self.blocks[str(resolution)](x)
            if resolution > self.config.coarsest_input_px:
                below = below * self.gates[str(resolution)].to(below.dtype)
        resolution = self.config.coarsest_input_px // 2
        while resolution > 4:
            below = self.blocks[str(resolution)](below)
            resolution //= 2
        return F.leaky_relu(self.hidden(below.flatten(1)), 0.2)
