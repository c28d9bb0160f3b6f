"""How unusual a code, or a change of codes, is for the generator."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.core.shapes import check_shape

__all__ = ["CodePrior"]

REST_SHARE = 10.0
"""Variance that every direction has, as a share of the mean one: what the statistics never saw is unlikely, not forbidden."""


class CodePrior:
    """The normal distribution of W+ codes, N(mean, C), C = F^T F + s^2 I, F [r, L*D] the factors of the pack's statistics.

    With the thin singular value decomposition F = U diag(f) V, the symmetric root of C is

        A = V^T (diag(sqrt(f^2 + s^2)) - s I) V + s I

    so that x ~ N(0, I) becomes a typical change A x for 2 r L D products, and its squared Mahalanobis distance is |x|^2.
    """

    def __init__(self, mean: Tensor, factors: Tensor, *, rest_share: float = REST_SHARE) -> None:
        """mean: [L, D] (or of any shape, which codes then have); factors: [r, L*D]; rest_share: see REST_SHARE."""
        check_shape(factors, (None, mean.numel()), "factors")
        rows = factors.double()
        # F F^T = U diag(f^2) U^T has r rows only: its eigenvectors cost a tenth of the SVD of F, and V = diag(1 / f) U^T F.
        variance, rotation = torch.linalg.eigh(rows @ rows.T)
        rest = rest_share * variance.sum() / mean.numel()
        # Every direction has a variance of s^2 already; nothing is lost by leaving out those that hardly add to it.
        keep = variance > 1e-3 * rest
        variance, rotation = variance[keep], rotation[:, keep]
        self.mean = mean
        self._directions = ((rotation.T @ rows) / variance.sqrt()[:, None]).to(mean.dtype)  # [r, L*D], orthonormal rows
        self._deviation = (variance + rest).sqrt().to(mean.dtype)
        self._rest_deviation = float(rest.sqrt())
        self._own_deviation = variance.sqrt().to(mean.dtype)  # without the rest: how far the codes themselves vary
        # For y ~ N(0, F^T F) the squared distance is a sum of share_i chi^2 with share = f^2 / (f^2 + s^2).
        share = variance / (variance + rest)
        usual = (share.sum() + 2 * (2 * share.square().sum()).sqrt()) / mean.numel()
        self.usual_distance = float(usual)
        """What :meth:`distance` hardly exceeds for codes of real pictures: mean and twice its deviation, were they normal."""

    def unwhitened(self, x: Tensor) -> Tensor:
        """A x: changes of codes [N, L, D] from whitened coordinates of the same shape."""
        return self._scaled(x, self._deviation - self._rest_deviation, self._rest_deviation)

    def leading(self, count: int) -> Tensor:
        """At most `count` rows [k, L*D] in whitened coordinates: the principal directions along which codes vary most.

        Each is as long as the codes' own deviation: for y ~ N(0, I), A (y @ leading) is a typical change of codes.
        """
        most = min(count, len(self._deviation))
        # Variances rise: the last ones are the largest.
        return (self._directions * (self._own_deviation / self._deviation)[:, None])[-most:].flip(0)

    def whitened(self, change: Tensor) -> Tensor:
        """A^-1 d, the inverse of :meth:`unwhitened`."""
        return self._scaled(change, 1 / self._deviation - 1 / self._rest_deviation, 1 / self._rest_deviation)

    def distance(self, w_plus: Tensor) -> Tensor:
        """Squared Mahalanobis distance [N] of codes [N, L, D] from the mean, per dimension: about 1 for draws of N(mean, C).

        For codes of real pictures it is far smaller, since C gives every direction more than they have; see `usual_distance`.
        """
        return self.whitened(w_plus - self.mean).square().flatten(1).mean(1)

    def _scaled(self, x: Tensor, inside: Tensor, everywhere: float) -> Tensor:
        flat = x.flatten(1)
        coordinates = flat @ self._directions.T  # [N, r]
        return (everywhere * flat + (coordinates * inside) @ self._directions).view_as(x)
