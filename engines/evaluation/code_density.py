"""How typical codes are among real ones: two densities, and the score below which a given share of real codes lies.

A score is higher for what is more typical. Where a limit is taken from real codes that the density was not fitted on, other
real codes lie below it as often as was asked for, whatever the density's faults: it is a test of a stated level, not an
opinion about likelihoods.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.evaluation.metrics import nearest_neighbours

__all__ = ["CodeNeighbours", "NormalDensity", "fit_normal", "limit_of"]

COMPONENTS = (8, 16, 32, 64, 128, 256, 512)
"""Numbers of principal components among which held-out likelihood chooses."""

_HELD_OUT_SHARE = 0.2
_LEAST_NOISE = 1e-12  # of the mean variance: codes that fill a subspace have no variance outside it


class NormalDensity:
    """The normal density of probabilistic principal component analysis (Tipping & Bishop 1999), fitted in closed form.

        C = U (Lambda - s^2 I) U^T + s^2 I

    U, Lambda: the q leading principal axes of the codes and their variances; s^2: the mean of the d - q other variances
    (Eq. 8). A full covariance of 2,000 coordinates would need far more codes than there are.
    """

    def __init__(self, codes: np.ndarray | _Principal, components: int) -> None:
        """codes: [n, d] (or [n, L, D]), n >= 3, or what is known of them; components: q, cut to what n and d allow."""
        known = codes if isinstance(codes, _Principal) else _Principal(codes)
        dim, variances = len(known.mean), known.variances
        self.mean = known.mean
        self.components = max(1, min(components, len(variances) - 1, dim - 1))
        self._axes, self._variances = known.axes[: self.components], variances[: self.components]
        rest = known.total - self._variances.sum()
        self._noise = max(rest / max(1, dim - self.components), _LEAST_NOISE * variances.mean())
        self._log_determinant = np.log(self._variances).sum() + (dim - self.components) * np.log(self._noise)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """log N(w; mean, C) [m] of codes [m, d] (or [m, L, D])."""
        centred = _flat(codes) - self.mean
        inside = centred @ self._axes.T
        rest = np.maximum(np.square(centred).sum(axis=1) - np.square(inside).sum(axis=1), 0)
        distance = np.square(inside) @ (1 / self._variances) + rest / self._noise
        return -0.5 * (distance + self._log_determinant + centred.shape[1] * np.log(2 * np.pi))


def fit_normal(codes: np.ndarray, components: Sequence[int] = COMPONENTS) -> NormalDensity:
    """The density of codes [n, d] whose number of components makes a held-out fifth of them most likely, fitted on all."""
    kept = len(codes) - round(_HELD_OUT_SHARE * len(codes))
    known, tried = _Principal(codes[:kept]), {}
    for count in components:
        density = NormalDensity(known, count)
        if density.components not in tried:
            tried[density.components] = float(density(codes[kept:]).mean())
    return NormalDensity(codes, max(tried, key=lambda count: tried[count]))


class CodeNeighbours:
    """Minus the distance to the k-th nearest of real codes: a density without a shape (Loftsgaarden & Quesenberry 1965)."""

    def __init__(self, codes: np.ndarray, k: int = 5) -> None:
        """codes: [n, d] (or [n, L, D]), n >= k."""
        self._codes, self._k = np.asarray(codes, np.float32).reshape(len(codes), -1), k
        if len(codes) < k:
            raise ValueError(f"{k} neighbours need at least as many codes, got {len(codes)}")

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """[m] of codes [m, d] (or [m, L, D])."""
        queries = np.asarray(codes, np.float32).reshape(len(codes), -1)
        return -nearest_neighbours(queries, self._codes, k=self._k)[1][:, -1]


def limit_of(scores: np.ndarray, share: float) -> float:
    """The score below which the share `share` of `scores` [n] lies, up to 1 / n."""
    return float(np.quantile(np.asarray(scores, np.float64), share))


def _flat(codes: np.ndarray) -> np.ndarray:
    return np.asarray(codes, np.float64).reshape(len(codes), -1)


class _Principal:
    """The principal components of codes, decomposed once for densities of any number of them.

    By the smaller of the two products: the eigenvectors of X X^T are those of X^T X seen from the other side.
    """

    def __init__(self, codes: np.ndarray) -> None:
        flat = _flat(codes)
        count, dim = flat.shape
        if count < 3:
            raise ValueError(f"a density needs at least 3 codes, got {count}")
        self.mean = flat.mean(axis=0)
        centred = flat - self.mean
        self.total = float(np.square(centred).sum() / count)
        """Sum of all variances."""
        if count > dim:
            values, vectors = np.linalg.eigh(centred.T @ centred / count)
            axes = vectors.T
        else:
            values, vectors = np.linalg.eigh(centred @ centred.T / count)
            axes = vectors.T @ centred
        order = np.argsort(values)[::-1]
        there = order[values[order] > 1e-10 * max(values[order[0]], 1e-300)]
        self.variances = values[there]
        """[r], falling; those of no variance are left out."""
        self.axes = axes[there] / np.linalg.norm(axes[there], axis=1, keepdims=True)
        """[r, d], orthonormal."""
