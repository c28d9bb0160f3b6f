"""Image attribute predictor: which attributes a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.predictors.trunk import ConvTrunk

__all__ = ["AttributePredictor"]


class AttributePredictor(nn.Module):
    """One logit an attribute; trained with binary cross-entropy on exact labels.

    `temperature` [K] calibrates the probabilities on held-out pictures (Guo et al. 2017): p = sigmoid(logit / T).
    """

    def __init__(self, attributes: Sequence[str], channels: Sequence[int], hidden: int) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        self.channels = tuple(channels)
        self.trunk = ConvTrunk(self.channels)
        # The last maps are kept as a 4x4 plan: where something is, matters for hair and mouth.
        self.hidden = nn.Linear(self.channels[-1] * 16, hidden)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(hidden, len(self.attributes))
        self.register_buffer("temperature", torch.ones(len(self.attributes)))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AttributePredictor:
        return cls(config["attributes"], config["channels"], int(config["hidden"]))

    def config_json(self) -> dict[str, Any]:
        return {"attributes": list(self.attributes), "channels": list(self.channels), "hidden": self.hidden.out_features}

    def features(self, image: Tensor) -> Tensor:
        """Penultimate features [N, hidden]."""
        return torch.relu(self.hidden(self.pool(self.trunk(image)[-1]).flatten(1)))

    def forward(self, image: Tensor) -> Tensor:
        """Logits [N, K] for images [N, 3, R, R] in [-1, 1]."""
        return self.output(self.dropout(self.features(image)))

    def probabilities(self, image: Tensor) -> Tensor:
        """Calibrated probabilities [N, K] in (0, 1)."""
        return torch.sigmoid(self.forward(image).float() / self.temperature)
