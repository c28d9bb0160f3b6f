"""The edit maps of a pack: for every attribute one affine map that adds it and one that removes it.

Doubinsky et al. 2023, Eq. 1, with one map a direction and one affine layer per style layer:

    z' = z + sum_k |alpha_k| * scale_kd * H_kd(z),    d = add for alpha_k > 0, remove for alpha_k < 0
    H_kd(z)_l = (z_l - mean_l) A_kdl B_kdl + b_kdl

`scale` is measured on held-out codes, so that |alpha| = 1 means "changed" for every attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.core.shapes import check_shape

__all__ = ["DIRECTIONS", "EditMaps"]

DIRECTIONS = ("add", "remove")
"""The order of the direction axis of every parameter."""


class EditMaps(nn.Module):
    """Affine edit maps on W+ codes [N, L, D] for K attributes and both directions.

    rank: the inner size r of ``A [D, r] B [r, D]``; None stores full matrices [D, D] instead (as `matrix`).
    Parameters start at zero: an untrained map leaves every code as it is.
    """

    def __init__(self, attributes: Sequence[str], layers: int, dim: int, rank: int | None = None) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        if len(set(self.attributes)) != len(self.attributes):
            raise ValueError(f"edit maps need distinct attributes, got {list(self.attributes)}")
        if rank is not None and not 1 <= rank <= dim:
            raise ValueError(f"edit maps need a rank from 1 to {dim}, got {rank}")
        self.layers, self.dim, self.rank = int(layers), int(dim), rank
        maps = (len(self.attributes), len(DIRECTIONS))
        self.register_buffer("mean", torch.zeros(layers, dim))
        self.register_buffer("scale", torch.ones(maps))
        self.bias = nn.Parameter(torch.zeros(*maps, layers, dim))
        if rank is None:
            self.matrix = nn.Parameter(torch.zeros(*maps, layers, dim, dim))
        else:
            self.left = nn.Parameter(torch.zeros(*maps, layers, dim, rank))
            self.right = nn.Parameter(torch.zeros(*maps, layers, rank, dim))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> EditMaps:
        rank = config["rank"]
        return cls(config["attributes"], int(config["layers"]), int(config["dim"]), None if rank is None else int(rank))

    def config_json(self) -> dict[str, Any]:
        return {"attributes": list(self.attributes), "layers": self.layers, "dim": self.dim, "rank": self.rank}

    def change(self, w_plus: Tensor, attribute: str, direction: str) -> Tensor:
        """H_kd(w_plus) [N, L, D] of one attribute and direction, before `scale`."""
        check_shape(w_plus, (None, self.layers, self.dim), "w_plus")
        k, d = self._index(attribute), DIRECTIONS.index(direction)
        # Layers first, so that every layer is one matrix product.
        centred = (w_plus - self.mean).transpose(0, 1)  # [L, N, D]
        if self.rank is None:
            moved = centred @ self.matrix[k, d]
        else:
            moved = centred @ self.left[k, d] @ self.right[k, d]
        return moved.transpose(0, 1) + self.bias[k, d]

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

    def forward(self, w_plus: Tensor, alphas: Mapping[str, float], layers: tuple[int, int] | None = None) -> Tensor:
        return self.edit(w_plus, alphas, layers)

    def _index(self, attribute: str) -> int:
        try:
            return self.attributes.index(attribute)
        except ValueError:
            raise KeyError(f"no edit map for {attribute}; there are {', '.join(self.attributes)}") from None
