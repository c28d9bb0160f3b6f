"""The StyleGAN2 generator: mapping, truncation and synthesis, under the state-dict keys of NVlabs' published layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from engines.core.rng import torch_generator
from engines.core.shapes import check_shape
from engines.generators.stylegan2.config import StyleGAN2Config
from engines.generators.stylegan2.mapping import MappingNetwork
from engines.generators.stylegan2.synthesis import NoiseMode, SynthesisNetwork

__all__ = ["Generator"]


class Generator(nn.Module):
    """z -> w -> w_plus -> image. ``mapping(z, label) -> w [N, D]`` and ``synthesis(w_plus, ...) -> image`` are its two parts.

    `seed` decides the starting weights.
    """

    def __init__(self, config: StyleGAN2Config, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        draw = torch_generator(seed)
        self.synthesis = SynthesisNetwork(config, draw=draw)
        self.mapping = MappingNetwork(
            config.z_dim,
            config.w_dim,
            config.mapping_layers,
            class_count=config.class_count,
            width=config.mapping_width,
            linear_w=config.linear_w,
            gate_count=len(config.gates),
            draw=draw,
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Generator:
        """Builds from the JSON form of :class:`StyleGAN2Config`; raises ValueError for what cannot be built."""
        return cls(StyleGAN2Config.from_json(config))

    def config_json(self) -> dict[str, Any]:
        return self.config.to_json()

    def broadcast(self, w: torch.Tensor) -> torch.Tensor:
        """w [N, D] to w_plus [N, L, D] with L equal rows."""
        check_shape(w, (None, self.config.w_dim), "w")
        return w[:, None, :].repeat(1, self.config.num_ws, 1)

    def truncate(self, w: torch.Tensor, psi: float, *, centre: torch.Tensor | None = None) -> torch.Tensor:
        """``centre + psi * (w - centre)`` for w [N, D] or w_plus [N, L, D]; psi = 1 returns w itself.

        centre: None for w_avg, or another one of w's shape, as the mean of a class.
        """
        return w if psi == 1 else (self.mapping.w_avg if centre is None else centre).lerp(w, psi)

    def forward(
        self,
        z: torch.Tensor,
        truncation: float = 1.0,
        *,
        label: torch.Tensor | None = None,
        noise_mode: NoiseMode = "const",
        dtype: torch.dtype = torch.float32,
        resolution: int | None = None,
        noise_generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """z [N, z_dim] (and label [N, class_count] for a class-conditional generator) to image [N, 3, R, R]."""
        w = self.truncate(self.mapping(z, label), truncation)
        return self.synthesis(
            self.broadcast(w),
            noise_mode=noise_mode,
            dtype=dtype,
            resolution=resolution,
            noise_generator=noise_generator,
        )
