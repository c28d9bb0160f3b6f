"""What every edit family has in common: attributes, and a change of W+ codes for each of them in two directions.

    z' = z + sum_k |alpha_k| * scale_kd * change_kd(z),    d = add for alpha_k > 0, remove for alpha_k < 0

`scale` is measured on held-out codes, so that |alpha| = 1 means "changed" for every attribute of every family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from engines.core.shapes import check_shape

__all__ = ["DIRECTIONS", "CodeFamily", "EditFamily"]

DIRECTIONS = ("add", "remove")
"""The order of the direction axis of every parameter."""


@runtime_checkable
class EditFamily(Protocol):
    """One way to edit a set of attributes: the edit maps of transport, linear directions, style channels.

    A family that moves codes leaves styles alone (`style_shifts` is empty), one that moves styles leaves codes alone (`edit`
    returns them as they are): whoever paints takes both, and needs to know neither.
    """

    attributes: tuple[str, ...]
    scale: Tensor
    """[K, 2]: what strength 1 multiplies, by attribute and direction."""
    reads_encoded: bool
    """Whether its changes hold for codes that the encoder gives alone; see :func:`engines.editing.compose.composed`."""

    def edit(self, w_plus: Tensor, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> Tensor:
        """Edited codes [N, L, D] for {attribute id: alpha}; layers: (first, end), the rows that take part, None for all."""
        ...

    def style_shifts(self, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> dict[str, Tensor]:
        """What is added to the styles of synthesis layers, by the name of the layer's affine bias."""
        ...


class CodeFamily(nn.Module):
    """A family that moves W+ codes [N, L, D] of K attributes; a subclass says by what (`change`)."""

    scale: Tensor
    reads_encoded = False

    def __init__(self, attributes: Sequence[str], layers: int, dim: int) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        if len(set(self.attributes)) != len(self.attributes):
            raise ValueError(f"edit maps need distinct attributes, got {list(self.attributes)}")
        self.layers, self.dim = int(layers), int(dim)
        self.register_buffer("mean", torch.zeros(layers, dim))
        self.register_buffer("scale", torch.ones(len(self.attributes), len(DIRECTIONS)))

    def change(self, w_plus: Tensor, attribute: str, direction: str) -> Tensor:
        """The change [N, L, D] that strength 1 makes, before `scale`. Raises KeyError for an unknown attribute."""
        raise NotImplementedError(f"{type(self).__name__} must say how it changes codes")

    def edit(self, w_plus: Tensor, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> Tensor:
        """Edited codes [N, L, D].

        w_plus: [N, L, D].
        alphas: strength per attribute id; positive adds, negative removes, 0 does nothing. The order does not matter.
        layers: (first, end), the style layers ``first <= l < end`` that take part; None for all.
        With no strength other than 0 the result equals `w_plus` bit for bit. Raises KeyError for an unknown attribute.
        """
        check_shape(w_plus, (None, self.layers, self.dim), "w_plus")
        first, end = (0, self.layers) if layers is None else layers
        if not 0 <= first < end <= self.layers:
            raise ValueError(f"layers must be (first, end) with 0 <= first < end <= {self.layers}, got {layers}")
        total: Tensor | None = None
        # Summed in the pack's order: floating-point sums depend on it, the caller's mapping must not.
        for attribute in sorted(alphas, key=self._index):
            alpha = float(alphas[attribute])
            if alpha == 0:
                continue
            direction = "add" if alpha > 0 else "remove"
            strength = abs(alpha) * self.scale[self._index(attribute), DIRECTIONS.index(direction)]
            step = strength * self.change(w_plus, attribute, direction)
            total = step if total is None else total + step
        edited = w_plus.clone()
        if total is not None:
            edited[:, first:end] += total[:, first:end].to(edited.dtype)
        return edited

    def style_shifts(self, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> dict[str, Tensor]:
        """None: this family moves codes."""
        return {}

    def forward(self, w_plus: Tensor, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> Tensor:
        return self.edit(w_plus, alphas, layers)

    def _index(self, attribute: str) -> int:
        try:
            return self.attributes.index(attribute)
        except ValueError:
            raise KeyError(f"no edit map for {attribute}; there are {', '.join(self.attributes)}") from None
