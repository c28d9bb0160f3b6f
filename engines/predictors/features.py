"""What the predictors of whole pictures share in design: a convolutional trunk, a plan of 4 x 4 places, features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engines.predictors.trunk import ConvTrunk

__all__ = ["FeatureNetwork"]


class FeatureNetwork(nn.Module):
    """Trunk and features; what is told from them, and by which `output`, says the network that inherits."""

    def __init__(self, channels: Sequence[int], hidden: int, outputs: int) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.trunk = ConvTrunk(self.channels)
        # The last maps are kept as a 4x4 plan: where something is, matters for hair and mouth.
        self.hidden = nn.Linear(self.channels[-1] * 16, hidden)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(hidden, outputs)

    def features(self, image: Tensor) -> Tensor:
        """Penultimate features [N, hidden]."""
        return torch.relu(self.hidden(self.pool(self.trunk(image)[-1]).flatten(1)))

    def sizes_json(self) -> dict[str, object]:
        """The sizes, as a configuration names them."""
        return {"channels": list(self.channels), "hidden": self.hidden.out_features}
