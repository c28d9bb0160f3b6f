"""One map an attribute for both directions: what a Latent Transformer learns, and what a linear direction is.

    T_k(z, alpha) = z + alpha * f_k(z),    f_k(z)_l = (z_l - mean_l) A_kl B_kl + b_kl        (Yao et al. 2021)

alpha > 0 adds the attribute, alpha < 0 removes it by the same map. Rank 0 keeps b alone: one direction in W+ for every
code, as InterFaceGAN, GANSpace and SeFa have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engines.core.shapes import check_shape
from engines.editing.family import CodeFamily

__all__ = ["SharedMaps"]


class SharedMaps(CodeFamily):
    """Maps f_k on W+ codes [N, L, D] of K attributes, one affine layer per style layer.

    rank: the inner size r of ``A [D, r] B [r, D]``; 0 for a direction alone, None for full matrices (as `matrix`).
    Parameters start at zero: an untrained map leaves every code as it is.
    """

    def __init__(self, attributes: Sequence[str], layers: int, dim: int, rank: int | None = 0) -> None:
        super().__init__(attributes, layers, dim)
        if rank is not None and not 0 <= rank <= dim:
            raise ValueError(f"edit maps need a rank from 0 to {dim}, got {rank}")
        self.rank = rank
        shape = (len(self.attributes), layers, dim)
        self.bias = nn.Parameter(torch.zeros(shape))
        if rank is None:
            self.matrix = nn.Parameter(torch.zeros(*shape, dim))
        elif rank:
            self.left = nn.Parameter(torch.zeros(*shape, rank))
            self.right = nn.Parameter(torch.zeros(*shape[:2], rank, dim))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SharedMaps:
        rank = config["rank"]
        return cls(config["attributes"], int(config["layers"]), int(config["dim"]), None if rank is None else int(rank))

    def config_json(self) -> dict[str, Any]:
        return {"attributes": list(self.attributes), "layers": self.layers, "dim": self.dim, "rank": self.rank}

    def change(self, w_plus: Tensor, attribute: str, direction: str) -> Tensor:
        """``f_k(w_plus)`` to add, ``-f_k(w_plus)`` to remove, [N, L, D], before `scale`."""
        moved = self.map(w_plus, attribute)
        return moved if direction == "add" else -moved

    def map(self, w_plus: Tensor, attribute: str) -> Tensor:
        """f_k(w_plus) [N, L, D]."""
        check_shape(w_plus, (None, self.layers, self.dim), "w_plus")
        k = self._index(attribute)
        if self.rank == 0:
            return self.bias[k].expand_as(w_plus)
        centred = (w_plus - self.mean).transpose(0, 1)  # [L, N, D], so that every layer is one matrix product
        moved = centred @ self.matrix[k] if self.rank is None else centred @ self.left[k] @ self.right[k]
        return moved.transpose(0, 1) + self.bias[k]
