"""Box detector: where the one object of a picture lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engines.predictors.features import FeatureNetwork

__all__ = ["BoxDetector", "box_overlap"]


class BoxDetector(FeatureNetwork):
    """One rectangle a picture; trained on renders, whose rectangles are known."""

    def __init__(self, channels: Sequence[int], hidden: int) -> None:
        super().__init__(channels, hidden, 4)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BoxDetector:
        return cls(config["channels"], int(config["hidden"]))

    def config_json(self) -> dict[str, Any]:
        return dict(self.sizes_json())

    def forward(self, image: Tensor) -> Tensor:
        """Boxes [N, 4], (x0, y0, x1, y1) in shares of a side with x0 < x1 and y0 < y1, for images [N, 3, R, R] in [-1, 1].

        A box whose object is cut off by the border may reach beyond 0 and 1.
        """
        # Centre and size, each between 0 and 1.
        centre, size = torch.sigmoid(self.output(self.features(image)).float()).split(2, dim=1)
        return torch.cat([centre - size / 2, centre + size / 2], dim=1)


def box_overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU [N] of boxes [N, 4] and [N, 4], and their generalised IoU [N] (Rezatofighi et al. 2019), which falls with distance.

    IoU = |A n B| / |A u B|,    GIoU = IoU - |C \\ (A u B)| / |C|,    C the smallest box around both
    """
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    outer_low, outer_high = torch.minimum(a[:, :2], b[:, :2]), torch.maximum(a[:, 2:], b[:, 2:])
    inside = (high - low).clamp_min(0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inside
    around = (outer_high - outer_low).prod(1)
    overlap = inside / union
    return overlap, overlap - (around - union) / around
