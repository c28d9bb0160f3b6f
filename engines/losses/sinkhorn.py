"""The transport losses of Doubinsky et al. 2023 (Latent Wasserstein), on GeomLoss' debiased Sinkhorn divergence.

GeomLoss' cost for p = 2 is ``c(x, y) = 1/2 ||x - y||^2``, that of Eq. 4; the attribute cost of Eq. 5 is the same cost in a
scaled feature space, so that no cost matrix of our own is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.core.errors import MissingExtraError
from engines.core.shapes import check_shape

__all__ = ["attribute_features", "sinkhorn_divergence"]


def sinkhorn_divergence(
    x: Tensor,
    y: Tensor,
    *,
    x_weights: Tensor | None = None,
    y_weights: Tensor | None = None,
    blur: float,
    scaling: float = 0.5,
    diameter: float | None = None,
) -> Tensor:
    """Debiased Sinkhorn divergence of two weighted clouds, a scalar (Eq. 3 and 4; Feydy et al. 2019):

        S(a, b) = OT_eps(a, b) - 1/2 OT_eps(a, a) - 1/2 OT_eps(b, b),    c = 1/2 ||x - y||^2,  eps = blur^2

    x, y: points [N, d], [M, d]; gradients flow to both.
    x_weights, y_weights: masses [N], [M] >= 0 that sum to 1 each; None is uniform.
    blur: the scale below which points are not told apart, in the units of x.
    scaling: ratio of successive scales while eps falls from diameter^2 to blur^2; nearer to 1 is slower and more exact.
    diameter: an upper bound of the distances; measured when None.
    """
    try:
        from geomloss import SamplesLoss
    except ImportError as error:
        raise MissingExtraError("Transport losses need GeomLoss: install it with pip install -r requirements.txt.") from error
    check_shape(x, (None, y.shape[-1]), "x")
    loss = SamplesLoss("sinkhorn", p=2, blur=blur, scaling=scaling, diameter=diameter, debias=True, backend="tensorized")
    if x_weights is None:
        x_weights = x.new_full((len(x),), 1 / len(x))
    if y_weights is None:
        y_weights = y.new_full((len(y),), 1 / len(y))
    return loss(x_weights, x, y_weights, y)


def attribute_features(logits: Tensor, relevance: Tensor) -> Tensor:
    """``sqrt(relevance_l) * F_l`` [N, K]: the space in which half the squared distance is the cost of Eq. 5.

    logits: F(w) [N, K].
    relevance: [K] in [0, 1], ``1 - gamma_lk`` for l != k and 0 for k itself.
    """
    check_shape(relevance, (logits.shape[-1],), "relevance")
    return logits * torch.sqrt(relevance)
