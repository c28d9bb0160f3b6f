"""Latent classifier F: which attributes a W+ code has, without making its picture.

The MLP of Yao et al. 2021 (L*D -> 2048 -> 512 -> K, leaky ReLU 0.2), with hidden widths scaled to the pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.core.shapes import check_shape

__all__ = ["LatentClassifier"]


class LatentClassifier(nn.Module):
    """One logit an attribute for W+ codes [N, L, D].

    The codes are standardised by `mean` [L, D] and `deviation` [], the training codes' mean and their overall standard
    deviation: one number for all coordinates, because the small ones are noise that must not be blown up.
    """

    def __init__(self, attributes: Sequence[str], layers: int, dim: int, hidden: Sequence[int] = (256, 64)) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        self.layers, self.dim, self.hidden = int(layers), int(dim), tuple(int(h) for h in hidden)
        self.register_buffer("mean", torch.zeros(layers, dim))
        self.register_buffer("deviation", torch.ones(()))
        stack: list[nn.Module] = []
        width = layers * dim
        for size in self.hidden:
            stack += [nn.Linear(width, size), nn.LeakyReLU(0.2)]
            width = size
        self.body = nn.Sequential(*stack)
        self.output = nn.Linear(width, len(self.attributes))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LatentClassifier:
        return cls(config["attributes"], int(config["layers"]), int(config["dim"]), config["hidden"])

    def config_json(self) -> dict[str, Any]:
        return {"attributes": list(self.attributes), "layers": self.layers, "dim": self.dim, "hidden": list(self.hidden)}

    def forward(self, w_plus: Tensor) -> Tensor:
        """Logits [N, K]."""
        check_shape(w_plus, (None, self.layers, self.dim), "w_plus")
        standard = (w_plus - self.mean) / self.deviation
        return self.output(self.body(standard.flatten(1)))

    def probabilities(self, w_plus: Tensor) -> Tensor:
        """sigmoid(F(w)) [N, K]."""
        return torch.sigmoid(self.forward(w_plus))
