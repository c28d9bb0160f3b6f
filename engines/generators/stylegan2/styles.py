"""The style space S of a synthesis network: which affine layers make styles, and which row of W+ feeds each."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engines.generators.stylegan2.ops import EqualisedLinear
from engines.generators.stylegan2.synthesis import SynthesisNetwork

__all__ = ["StyleLayer", "style_layers", "styles_of"]


@dataclass(frozen=True, eq=False)
class StyleLayer:
    """One affine layer: the styles ``s = W w + b`` [width] of a convolution."""

    name: str
    """Of the layer in the synthesis network: ``b8.conv0``."""
    row: int
    """The row of W+ that it reads."""
    affine: EqualisedLinear

    @property
    def width(self) -> int:
        return self.affine.weight.shape[0]

    @property
    def bias_name(self) -> str:
        return f"{self.name}.affine.bias"

    def matrix(self) -> torch.Tensor:
        """W [width, D] as it acts, with the layer's gain."""
        return self.affine.weight.detach() * self.affine.weight_gain


def style_layers(synthesis: SynthesisNetwork) -> tuple[StyleLayer, ...]:
    """The 3x3 convolutions in the order in which they paint; the RGB layers, which only colour, are left out."""
    found = []
    for index, level in enumerate(synthesis.config.resolutions):
        block = synthesis.get_submodule(f"b{level}")
        names = ["conv1"] if index == 0 else ["conv0", "conv1"]
        for place, name in enumerate(names):
            found.append(StyleLayer(f"b{level}.{name}", max(2 * index - 1, 0) + place, block.get_submodule(name).affine))
    return tuple(found)


@torch.no_grad()
def styles_of(layers: tuple[StyleLayer, ...], w_plus: torch.Tensor) -> torch.Tensor:
    """Styles [N, S] of codes [N, L, D], layer after layer."""
    return torch.cat([layer.affine(w_plus[:, layer.row]) for layer in layers], dim=1)
