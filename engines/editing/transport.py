"""From the codes of one class to those of another: the optimal transport map between normal distributions.

    T(w) = m_t + A (w - m_s),   A = S_s^-1/2 (S_s^1/2 S_t S_s^1/2)^1/2 S_s^-1/2

T carries N(m_s, S_s) to N(m_t, S_t), and of all maps that do it moves codes the least (Peyre and Cuturi 2019, Remark 2.31):
what both classes share stays as it is. On the way, w + alpha (T(w) - w), codes are those of McCann's interpolation.

Compared on samples of ten classes of creatures: the same latent z with another label keeps 78 % of the attributes' answers, and
83 % of the pictures are then seen as of the other class; T keeps 98 % and gets 80 %. The difference of class means got 20 %
where T got 50 % (before adversarial training).
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.core.shapes import check_shape

__all__ = ["normal_transport", "transported"]

_LEAST_VARIANCE = 1e-3
"""Of the mean variance, added along every axis: where neither class varies the map is the identity."""


def normal_transport(source: Tensor, target: Tensor) -> Tensor:
    """A [D, D], symmetric, for covariances S_s and S_t [D, D]."""
    dim = source.shape[0]
    check_shape(source, (dim, dim), "source")
    check_shape(target, (dim, dim), "target")
    ridge = _LEAST_VARIANCE * (source.trace() + target.trace()).double() / (2 * dim) * torch.eye(dim, device=source.device)
    root, inverse = _roots(source.double() + ridge)
    middle, _ = _roots(root @ (target.double() + ridge) @ root)
    return (inverse @ middle @ inverse).to(source.dtype)


def transported(w_plus: Tensor, alpha: float, source_mean: Tensor, target_mean: Tensor, matrix: Tensor) -> Tensor:
    """``w + alpha (T(w) - w)`` of every row of codes [N, L, D]; means [D], matrix A [D, D]."""
    centred = w_plus - source_mean
    return w_plus + alpha * (centred @ matrix.T - centred + target_mean - source_mean)


def _roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a symmetric positive matrix, and the inverse of that."""
    values, axes = torch.linalg.eigh(matrix)
    values = values.clamp_min(torch.finfo(values.dtype).eps * float(values.max())).sqrt()
    return (axes * values) @ axes.T, (axes / values) @ axes.T
