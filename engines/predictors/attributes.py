"""Image attribute predictor: which attributes a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engines.predictors.features import FeatureNetwork

__all__ = ["AttributePredictor"]


class AttributePredictor(FeatureNetwork):
    """One logit an attribute; trained with binary cross-entropy on exact labels.

    `temperature` [K] calibrates the probabilities on held-out pictures (Guo et al. 2017): p = sigmoid(logit / T).
    """

    def __init__(self, attributes: Sequence[str], channels: Sequence[int], hidden: int) -> None:
        super().__init__(channels, hidden, len(attributes))
        self.attributes = tuple(attributes)
        self.register_buffer("temperature", torch.ones(len(self.attributes)))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AttributePredictor:
        return cls(config["attributes"], config["channels"], int(config["hidden"]))

    def config_json(self) -> dict[str, Any]:
        return {"attributes": list(self.attributes), **self.sizes_json()}

    def forward(self, image: Tensor) -> Tensor:
        """Logits [N, K] for images [N, 3, R, R] in [-1, 1]."""
        return self.output(self.dropout(self.features(image)))

    def probabilities(self, image: Tensor) -> Tensor:
        """Calibrated probabilities [N, K] in (0, 1)."""
        return torch.sigmoid(self.forward(image).float() / self.temperature)
