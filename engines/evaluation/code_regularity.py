"""How regular W+ codes are: how much their layers differ, and how near each layer's code is to those of the mapping network.

Tov et al. 2021 (e4e): a code of W has the same w in every layer, and that w is one the mapping network could have
given. Codes may leave W by both ways, and each has a measure here.
"""

from __future__ import annotations

import numpy as np

from engines.evaluation.code_density import fit_normal, limit_of

__all__ = ["MappedCodes", "layer_spread", "pulled"]

LEAST_CODES = 20
OUTSIDE_SHARE = 0.05
"""The share of mapped codes that themselves count as outside."""

_FITTED_SHARE = 2 / 3


def pulled(codes: np.ndarray, t: float) -> np.ndarray:
    """``m + t (w - m)`` of codes float32 [n, L, D], m the mean over the layers; exactly w for t = 1."""
    middle = codes.mean(axis=1, keepdims=True, dtype=np.float64).astype(codes.dtype)
    # The other way of writing it: m + (w - m) is w up to rounding only.
    return (codes.dtype.type(t) * codes + codes.dtype.type(1 - t) * middle).astype(codes.dtype)


def layer_spread(codes: np.ndarray) -> np.ndarray:
    """Root mean square distance [n] of the layers' codes from their mean, of codes [n, L, D], in the codes' own numbers."""
    exact = np.asarray(codes, np.float64)
    apart = exact - exact.mean(axis=1, keepdims=True)
    return np.sqrt(np.square(apart).sum(axis=2).mean(axis=1))


class MappedCodes:
    """What the mapping network's codes are like: their spread, their density, and where it is unusually low."""

    def __init__(self, w: np.ndarray) -> None:
        """w: [n, D], codes of the mapping network, n >= 20; the density is fitted on two thirds, its limit is from the rest."""
        if len(w) < LEAST_CODES:
            raise ValueError(f"at least {LEAST_CODES} mapped codes are needed, got {len(w)}")
        exact = np.asarray(w, np.float64)
        fitted = round(_FITTED_SHARE * len(exact))
        self.spread = float(np.sqrt(np.square(exact - exact.mean(axis=0)).sum(axis=1).mean()))
        """Root mean square distance of mapped codes from their mean: how far one picture's w is from the average one."""
        self._density = fit_normal(exact[:fitted])
        held_out = self._density(exact[fitted:])
        self.limit = limit_of(held_out, OUTSIDE_SHARE)
        """The log density below which the share OUTSIDE_SHARE of mapped codes lies that the density was not fitted on."""
        self._usual = float(held_out.mean())

    def layer_spread(self, codes: np.ndarray) -> np.ndarray:
        """:func:`layer_spread` [n] of codes [n, L, D] by `spread`: 1 where layers differ as much as pictures do."""
        return layer_spread(codes) / self.spread

    def scores(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of codes [n, L, D], as means over the layers, [n] each.

        First the log density per coordinate less that of mapped codes: 0 is usual, below is less likely. Then the share of
        layers whose code is less likely than `limit`.
        """
        count, layers, dim = codes.shape
        log_density = self._density(codes.reshape(count * layers, dim)).reshape(count, layers)
        return (log_density.mean(axis=1) - self._usual) / dim, (log_density < self.limit).mean(axis=1)
