"""A transport cost that follows what pictures look like, for the price of a Euclidean one.

Doubinsky et al. 2023, section 5, name as future work a cost "based on the perceptual LPIPS metric or an equivalent proxy
learned in the latent space". The pack's perceptual distance is a squared Euclidean distance of features phi of pictures; their
best linear prediction from the pictures' codes makes it a quadratic form of codes,

    phi(G(w)) ~ B x,    d(G(w), G(w')) ~ (x - x')^T M (x - x'),    M = B^T B,

x the leading principal coordinates of w in deviations. What of phi is not linear in x is lost; `agreement` says how much of the
order of distances is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from engines.predictors.perceptual import PerceptualNetwork

__all__ = ["PerceptualSpace", "agreement", "embedded", "fit_perceptual_space"]

_BATCH = 25
_RIDGE_SHARE = 0.01
"""Ridge as a share of the number of codes, which is each standardised coordinate's sum of squares."""


class PerceptualSpace:
    """Linear coordinates of codes in which half the squared distance is the predicted perceptual distance, up to a factor.

    A :class:`engines.training.lw_map.CodeSpace`. `unit` is the codes' own: the cost changes its shape, not its scale, so that
    lambda and blur mean what they mean for the Euclidean cost.
    """

    def __init__(self, mean: Tensor, projection: Tensor, unit: Tensor) -> None:
        """mean: [L, D]; projection: [L*D, c], to coordinates of mean squared norm 1; unit: []."""
        self.mean, self.unit = mean, unit
        self._projection = projection

    def __call__(self, codes: Tensor) -> Tensor:
        """Coordinates [n, c] of codes [n, L, D]."""
        return (codes - self.mean).flatten(1) @ self._projection


def embedded(network: PerceptualNetwork, image: Tensor) -> Tensor:
    """phi [N, F] of images [N, 3, R, R] in [-1, 1]: squared Euclidean distances of it are the network's distances."""
    maps = network.features(image)
    return torch.cat([(m.float() / (len(maps) * m.shape[2] * m.shape[3]) ** 0.5).flatten(1) for m in maps], 1)


@torch.no_grad()
def fit_perceptual_space(
    codes: Tensor,
    mean: Tensor,
    factors: Tensor,
    pictures: Callable[[Tensor], Tensor],
    network: PerceptualNetwork,
    *,
    components: int = 128,
    report: Callable[[int], None] = lambda done: None,
) -> PerceptualSpace:
    """The space of the linear fit, by ridge regression on the pictures of some codes.

    codes: [n, L, D], n several times `components`. mean, factors: the codes' statistics, as a pack has them.
    pictures: codes [m, L, D] to images [m, 3, R, R]; network: the perceptual one. report: hears how many codes are done.
    Features are summed up as they come: memory grows with `components`, not with n.
    """
    variance = factors.square().sum(1)
    variance = variance[:components][variance[:components] > 1e-6 * variance[0]]
    kept = len(variance)
    axes = factors[:kept] / variance.sqrt()[:, None]  # [r, L*D], orthonormal
    standard = (axes / variance.sqrt()[:, None]).T  # [L*D, r]
    x = (codes - mean).flatten(1).float() @ standard
    x = x - x.mean(0)  # the features then need no centring of their own
    products: Tensor | None = None
    for start in range(0, len(codes), _BATCH):
        found = x[start : start + _BATCH].T @ embedded(network, pictures(codes[start : start + _BATCH]))
        products = found if products is None else products + found
        report(min(start + _BATCH, len(codes)))
    if products is None:
        raise ValueError("a perceptual space needs codes to be fitted on")
    gram = x.T @ x + _RIDGE_SHARE * len(codes) * torch.eye(kept)
    fit = torch.linalg.solve(gram.double(), products.double())  # B^T, [r, F]
    values, vectors = torch.linalg.eigh(fit @ fit.T)
    root = vectors * values.clamp_min(0).sqrt()  # M = root root^T
    # Coordinates x have variance 1: the mean squared norm of x root is the trace of M.
    root = root / values.clamp_min(0).sum().clamp_min(1e-30).sqrt()
    return PerceptualSpace(mean, standard @ root.float(), factors.square().sum().sqrt())


@torch.no_grad()
def agreement(
    spaces: Mapping[str, Callable[[Tensor], Tensor]],
    codes: Tensor,
    pictures: Callable[[Tensor], Tensor],
    network: PerceptualNetwork,
) -> dict[str, float]:
    """Spearman's rank correlation of each space's squared distances with the perceptual ones, over pairs of codes [n, L, D].

    Pairs are neighbours in the order of `codes`, the last one with the first: n of them, NaN for fewer than 3.
    """
    features = torch.cat([embedded(network, pictures(part)) for part in codes.split(_BATCH)])
    truth = _squared_steps(features)
    return {name: _rank_correlation(_squared_steps(space(codes)), truth) for name, space in spaces.items()}


def _squared_steps(points: Tensor) -> np.ndarray:
    return (points - points.roll(1, 0)).square().sum(1).double().numpy()


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3:
        return float("nan")
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])
