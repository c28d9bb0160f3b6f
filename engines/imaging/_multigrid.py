"""Laplace's equation on a part of a grid: the operator, and one multigrid cycle as a preconditioner for it.

Matrix-free: a level is three arrays, so that a region of many millions of pixels needs some 65 bytes a pixel in all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

__all__ = ["GridLaplacian", "multigrid_cycle"]

# Up to so many unknowns a level is solved directly: a region of that size needs no coarser one.
_DIRECT_UNKNOWNS = 3000
# Damping of Jacobi's method: 4/5 damps what a coarser grid cannot see best, by 3/5 a sweep (Trottenberg et al. 2001, 2.1).
_DAMPING = np.float32(0.8)
_SWEEPS = 2


@dataclass(frozen=True, eq=False)
class GridLaplacian:
    """(A u)_p = out_p u_p + sum over the four neighbours q of weight_pq (u_p - u_q), u [h, w] being 0 outside a region."""

    right: np.ndarray
    """float32 [h, w - 1]: weight of the link to the pixel on the right; 0 where either end lies outside the region."""
    down: np.ndarray
    """float32 [h - 1, w]: the same to the pixel below."""
    out: np.ndarray
    """float32 [h, w]: weight of all links that lead out of the region, where u is 0."""

    @classmethod
    def of_region(cls, inside: np.ndarray) -> GridLaplacian:
        """The operator of a bool [h, w] region with all weights 1; what lies beyond the array is no neighbour."""
        right, down = inside[:, :-1] & inside[:, 1:], inside[:-1] & inside[1:]
        out = np.zeros(inside.shape, np.float32)
        out[:, :-1] += ~right
        out[:, 1:] += ~right
        out[:-1] += ~down
        out[1:] += ~down
        return cls(right.astype(np.float32), down.astype(np.float32), out * inside)

    @property
    def shape(self) -> tuple[int, int]:
        return self.out.shape

    @cached_property
    def diagonal(self) -> np.ndarray:
        """float32 [h, w]: the weight of all links of a pixel, above 0 inside the region and 0 outside."""
        total = self.out.copy()
        total[:, :-1] += self.right
        total[:, 1:] += self.right
        total[:-1] += self.down
        total[1:] += self.down
        return total

    @cached_property
    def inside(self) -> np.ndarray:
        """bool [h, w]: the region."""
        return self.diagonal > 0

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """A u, float32 [h, w]."""
        result = self.diagonal * u
        product = self.right * u[:, 1:]
        result[:, :-1] -= product
        result[:, 1:] -= np.multiply(self.right, u[:, :-1], out=product)
        product = self.down * u[1:]
        result[:-1] -= product
        result[1:] -= np.multiply(self.down, u[:-1], out=product)
        return result

    def coarser(self) -> GridLaplacian:
        """The operator on blocks of 2 x 2 pixels.

        Two links join two blocks whose centres lie twice as far apart, so each of them counts half. Links that lead out
        count in full: the region's border keeps a block from moving as it does its pixels.
        """
        height, width = (-(-side // 2) for side in self.shape)
        right, down, out = (np.zeros((2 * height, 2 * width), np.float32) for _ in range(3))
        right[: self.shape[0], : self.shape[1] - 1] = self.right
        down[: self.shape[0] - 1, : self.shape[1]] = self.down
        out[: self.shape[0], : self.shape[1]] = self.out
        return GridLaplacian(
            (right[::2, 1:-1:2] + right[1::2, 1:-1:2]) / 2,
            (down[1:-1:2, ::2] + down[1:-1:2, 1::2]) / 2,
            sum(out[i::2, j::2] for i in (0, 1) for j in (0, 1)),
        )

    def direct_solver(self) -> Callable[[np.ndarray], np.ndarray]:
        """b [h, w] -> A^-1 b by a sparse factorisation."""
        inside = self.inside
        index = np.cumsum(inside).reshape(self.shape) - 1
        rows, columns, weights = [index[inside]], [index[inside]], [self.diagonal[inside]]
        for ends, weight in (((index[:, :-1], index[:, 1:]), self.right), ((index[:-1], index[1:]), self.down)):
            linked = weight > 0
            first, second = (end[linked] for end in ends)
            rows += [first, second]
            columns += [second, first]
            weights += [-weight[linked]] * 2
        values = np.concatenate(weights).astype(np.float64)
        factors = splu(csc_matrix((values, (np.concatenate(rows), np.concatenate(columns)))))

        def solve(b: np.ndarray) -> np.ndarray:
            u = np.zeros(self.shape, np.float32)
            u[inside] = factors.solve(b[inside].astype(np.float64))
            return u

        return solve


def multigrid_cycle(operator: GridLaplacian) -> Callable[[np.ndarray], np.ndarray]:
    """b [h, w] -> nearly A^-1 b: one symmetric V-cycle, the same linear map each time, positive definite.

    Jacobi smoothing on every level, bilinear interpolation and its transpose between them, and a direct solve on the
    coarsest. A must be regular: at least one link leads out of the region.
    """
    if int(operator.inside.sum()) <= _DIRECT_UNKNOWNS:
        return operator.direct_solver()
    coarse = operator.coarser()
    correct = multigrid_cycle(coarse)
    step = _DAMPING * operator.inside / np.where(operator.inside, operator.diagonal, 1)

    def smooth(u: np.ndarray, b: np.ndarray, sweeps: int) -> None:
        for _ in range(sweeps):
            residual = operator(u)
            np.subtract(b, residual, out=residual)
            residual *= step
            u += residual

    def cycle(b: np.ndarray) -> np.ndarray:
        u = step * b  # a sweep from zero
        smooth(u, b, _SWEEPS - 1)
        correction = _interpolated(correct(_restricted(b - operator(u), coarse.shape) * coarse.inside), operator.shape)
        correction *= operator.inside
        u += correction
        smooth(u, b, _SWEEPS)
        return u

    return cycle


def _interpolated(u: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bilinear interpolation between the centres of blocks [H, W] to the centres of their pixels, `shape` [h, w]."""
    return _finer(_finer(u, shape[0]).T, shape[1]).T


def _restricted(u: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The transpose of :func:`_interpolated`."""
    return _coarser(_coarser(u, shape[0]).T, shape[1]).T


def _finer(u: np.ndarray, rows: int) -> np.ndarray:
    """Along the first axis: 3/4 of the own block and 1/4 of the nearer neighbour, or of itself at the ends."""
    padded = np.pad(u, ((1, 1), (0, 0)), mode="edge")
    fine = np.empty((2 * len(u), u.shape[1]), np.float32)
    fine[::2] = np.float32(0.75) * u + np.float32(0.25) * padded[:-2]
    fine[1::2] = np.float32(0.75) * u + np.float32(0.25) * padded[2:]
    return fine[:rows]


def _coarser(u: np.ndarray, rows: int) -> np.ndarray:
    if len(u) < 2 * rows:
        u = np.pad(u, ((0, 1), (0, 0)))
    even, odd = u[::2], u[1::2]
    coarse = np.float32(0.75) * (even + odd)
    coarse[:-1] += np.float32(0.25) * even[1:]
    coarse[0] += np.float32(0.25) * even[0]
    coarse[1:] += np.float32(0.25) * odd[:-1]
    coarse[-1] += np.float32(0.25) * odd[-1]
    return coarse
