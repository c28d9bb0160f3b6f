"""Which labels a picture has, as a function of normal noise: the part of a mapping network that takes decisions.

Labels c in {0, 1}^K are modelled one after another:

    p_k = sigma(v_k . silu(A [c_1 .. c_(k-1)] + e_k) + b_k),    c_k = 1 where Phi(u_k) < p_k,    u ~ N(0, I)

so that u gives labels in the joint distribution that was learned, each of its coordinates deciding one label. A smooth map from
noise to codes goes through half-drawn glasses to get from faces without them to faces with them; behind gates no latent
lies there.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from engines.core.shapes import check_shape

__all__ = ["LabelGates"]

_WIDTH = 128


class LabelGates(nn.Module):
    """The model of K labels."""

    def __init__(self, count: int, *, draw: torch.Generator) -> None:
        super().__init__()
        self.count = count
        self.enter = nn.Parameter(torch.randn(_WIDTH, count, generator=draw) / math.sqrt(count))
        self.offsets = nn.Parameter(0.1 * torch.randn(count, _WIDTH, generator=draw))
        self.leave = nn.Parameter(torch.randn(count, _WIDTH, generator=draw) / math.sqrt(_WIDTH))
        self.bias = nn.Parameter(torch.zeros(count))

    def logits(self, labels: torch.Tensor) -> torch.Tensor:
        """Logits [N, K] of p_k, each given the labels [N, K] before it."""
        check_shape(labels, (None, self.count), "labels")
        # Row k of the running sum is what the labels up to k say; the first label is told nothing.
        told = torch.cumsum(labels[:, :, None] * self.enter.t(), dim=1)
        told = F.pad(told[:, :-1], (0, 0, 1, 0))
        return (F.silu(told + self.offsets) * self.leave).sum(2) + self.bias

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        """The labels [N, K], 0 or 1, that noise u [N, K] decides.

        Gradients are those of sigma(logit p_k - logit Phi(u_k)), so that a search by gradient can reach the other side.
        """
        check_shape(u, (None, self.count), "u")
        quantiles = torch.logit(torch.special.ndtr(u.float()), eps=1e-6)
        decided: list[torch.Tensor] = []
        told = u.new_zeros(len(u), _WIDTH, dtype=torch.float32)
        for k in range(self.count):
            logit = (F.silu(told + self.offsets[k]) * self.leave[k]).sum(1) + self.bias[k] - quantiles[:, k]
            soft = logit.sigmoid()
            label = (logit > 0).float() + soft - soft.detach()
            decided.append(label)
            told = told + label[:, None] * self.enter[:, k]
        return torch.stack(decided, dim=1)
