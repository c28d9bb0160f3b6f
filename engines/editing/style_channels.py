"""Edits of single style channels (StyleSpace, Wu et al. 2021): a constant is added to a few coordinates of S.

The style of a synthesis layer is ``s = W w + b``, so a shift of s is a shift of the layer's affine bias: the codes stay as
they are, and so do all the other channels, which no change of w could promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.editing.family import DIRECTIONS

__all__ = ["StyleChannels"]


class StyleChannels(nn.Module):
    """Shifts of style channels of K attributes.

    channels: (name of an affine bias in the synthesis network, row of W+ that feeds it, width) of every style layer, in the
    order in which the columns of `shift` [K, S] follow each other; S is the sum of the widths.
    """

    scale: Tensor
    reads_encoded = False

    def __init__(self, attributes: Sequence[str], channels: Sequence[tuple[str, int, int]]) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        if len(set(self.attributes)) != len(self.attributes):
            raise ValueError(f"style channels need distinct attributes, got {list(self.attributes)}")
        self.channels = tuple((str(name), int(row), int(width)) for name, row, width in channels)
        self.register_buffer("scale", torch.ones(len(self.attributes), len(DIRECTIONS)))
        self.register_buffer("shift", torch.zeros(len(self.attributes), sum(width for _, _, width in self.channels)))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> StyleChannels:
        return cls(config["attributes"], config["channels"])

    def config_json(self) -> dict[str, Any]:
        return {"attributes": list(self.attributes), "channels": [list(channel) for channel in self.channels]}

    def edit(self, w_plus: Tensor, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> Tensor:
        """The codes themselves: this family moves styles."""
        return w_plus.clone()

    def style_shifts(self, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> dict[str, Tensor]:
        """{name of an affine bias: shift [width]} of the layers that change, for {attribute id: alpha}.

        layers: (first, end), the rows of W+ whose style layers take part; None for all. KeyError: an unknown attribute.
        """
        total = torch.zeros_like(self.shift[0])
        for attribute in sorted(alphas, key=self._index):
            alpha, k = float(alphas[attribute]), self._index(attribute)
            total = total + alpha * self.scale[k, DIRECTIONS.index("add" if alpha > 0 else "remove")] * self.shift[k]
        parts = total.split([width for _, _, width in self.channels])
        return {
            name: part
            for (name, row, _), part in zip(self.channels, parts, strict=True)
            if bool(part.any()) and (layers is None or layers[0] <= row < layers[1])
        }

    def _index(self, attribute: str) -> int:
        try:
            return self.attributes.index(attribute)
        except ValueError:
            raise KeyError(f"no style channels for {attribute}; there are {', '.join(self.attributes)}") from None
