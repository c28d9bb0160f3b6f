"""The edit maps of a pack: for every attribute one affine map that adds it and one that removes it.

Doubinsky et al. 2023, Eq. 1, with one map a direction and one affine layer per style layer:

    z' = z + sum_k |alpha_k| * scale_kd * H_kd(z),    d = add for alpha_k > 0, remove for alpha_k < 0
    H_kd(z)_l = (z_l - mean_l) A_kdl B_kdl + b_kdl

`scale` is measured on held-out codes, so that |alpha| = 1 means "changed" for every attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.core.shapes import check_shape
from engines.editing.family import DIRECTIONS, CodeFamily

__all__ = ["DIRECTIONS", "EditMaps"]


class EditMaps(CodeFamily):
    """Affine edit maps on W+ codes [N, L, D] for K attributes and both directions.

    rank: the inner size r of ``A [D, r] B [r, D]``; None stores full matrices [D, D] instead (as `matrix`).
    Parameters start at zero: an untrained map leaves every code as it is.
    """

    def __init__(self, attributes: Sequence[str], layers: int, dim: int, rank: int | None = None) -> None:
        super().__init__(attributes, layers, dim)
        if rank is not None and not 1 <= rank <= dim:
            raise ValueError(f"edit maps need a rank from 1 to {dim}, got {rank}")
        self.rank = rank
        maps = (len(self.attributes), len(DIRECTIONS))
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
