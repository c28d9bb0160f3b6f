"""Image class predictor: of which class the object in a picture is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engines.predictors.features import FeatureNetwork

__all__ = ["ClassPredictor"]


class ClassPredictor(FeatureNetwork):
    """One logit a class, of which exactly one holds; trained with cross-entropy on exact labels.

    `temperature` [] calibrates the probabilities on held-out pictures (Guo et al. 2017): p = softmax(logits / T). The most
    probable class, one-hot, is the label c~ from which the search of a class vector starts (Huh et al. 2020, section 3.4; see
    :func:`engines.inversion.objects.predicted_label`).
    """

    def __init__(self, classes: Sequence[str], channels: Sequence[int], hidden: int) -> None:
        super().__init__(channels, hidden, len(classes))
        self.classes = tuple(classes)
        self.register_buffer("temperature", torch.ones(()))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ClassPredictor:
        return cls(config["classes"], config["channels"], int(config["hidden"]))

    def config_json(self) -> dict[str, Any]:
        return {"classes": list(self.classes), **self.sizes_json()}

    def forward(self, image: Tensor) -> Tensor:
        """Logits [N, C] for images [N, 3, R, R] in [-1, 1]."""
        return self.output(self.dropout(self.features(image)))

    def probabilities(self, image: Tensor) -> Tensor:
        """Calibrated probabilities [N, C], rows of sum 1."""
        return torch.softmax(self.forward(image).float() / self.temperature, dim=1)

    def class_table(self, image: Tensor) -> dict[str, float]:
        """Class id -> calibrated probability of one image [1, 3, R, R]."""
        (row,) = self.probabilities(image).tolist()
        return dict(zip(self.classes, row, strict=True))
