"""Steering: directions in code space that shift and zoom what the generator paints (Jahanian et al. 2020).

G(w + x d_x + y d_y + ln(f) d_zoom)  is about  G(w) shifted by (x, y) of its side and enlarged f times around its middle
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engines.core.shapes import check_shape

__all__ = ["MOVES", "Steering"]

MOVES = ("shift_x", "shift_y", "zoom")
"""The order of the directions."""


class Steering(nn.Module):
    """The three directions [L, D]. `shift_most` and `zoom_most` bound what may be asked of them: they were trained so far."""

    def __init__(self, layers: int, dim: int, *, shift_most: float, zoom_most: float) -> None:
        super().__init__()
        if not (0 < shift_most < 1 and 1 < zoom_most < 4):
            raise ValueError(f"shifts up to 0..1 and zooms up to 1..4 are needed, got {shift_most} and {zoom_most}")
        self.layers, self.dim = int(layers), int(dim)
        self.shift_most, self.zoom_most = float(shift_most), float(zoom_most)
        self.register_buffer("directions", torch.zeros(len(MOVES), layers, dim))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Steering:
        most = {name: float(config[name]) for name in ("shift_most", "zoom_most")}
        return cls(int(config["layers"]), int(config["dim"]), **most)

    def config_json(self) -> dict[str, Any]:
        return {"layers": self.layers, "dim": self.dim, "shift_most": self.shift_most, "zoom_most": self.zoom_most}

    def moved(self, w_plus: Tensor, shift: tuple[float, float], zoom: float) -> Tensor:
        """Codes [N, L, D] whose pictures are shifted to the right and down by shares of a side, and `zoom` times as large."""
        return self.steered(w_plus, w_plus.new_tensor([[*shift, math.log(zoom)]]))

    def steered(self, w_plus: Tensor, amounts: Tensor) -> Tensor:
        """Codes [N, L, D] moved by amounts [N or 1, 3]: x, y, and the logarithm of the zoom."""
        check_shape(w_plus, (None, self.layers, self.dim), "w_plus")
        return w_plus + torch.einsum("nm,mld->nld", amounts, self.directions)
