"""Identity network: how alike two pictures are as persons, whatever the pose, light, expression or glasses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.predictors.trunk import ConvTrunk

__all__ = ["IdentityNetwork"]


class IdentityNetwork(nn.Module):
    """Unit embeddings; the cosine of two is the identity similarity in [-1, 1].

    Trained with the normalised-temperature cross-entropy (InfoNCE) on pairs of pictures of the same person.
    """

    def __init__(self, channels: Sequence[int], embedding: int) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.trunk = ConvTrunk(self.channels)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.embedding = nn.Linear(self.channels[-1] * 16, embedding)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> IdentityNetwork:
        return cls(config["channels"], int(config["embedding"]))

    def config_json(self) -> dict[str, Any]:
        return {"channels": list(self.channels), "embedding": self.embedding.out_features}

    def forward(self, image: Tensor) -> Tensor:
        """Unit vectors [N, E] for images [N, 3, R, R] in [-1, 1]."""
        maps = self.pool(self.trunk(image)[-1])
        return F.normalize(self.embedding(maps.flatten(1)).float(), dim=1)

    @staticmethod
    def similarity(a: Tensor, b: Tensor) -> Tensor:
        """Cosine similarity [N] of two batches of embeddings [N, E]."""
        return torch.sum(a * b, dim=1)
