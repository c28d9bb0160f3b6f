"""Poisson blending: a part of one picture set into another without a seam (Pérez, Gangnet, Blake 2003).

The result f keeps the target's pixels outside a region and, inside, follows a guidance field v of gradients (Eq. 7):

    sum_q (f_p - f_q) = sum_q v_pq   for every p of the region, q its neighbours within the picture (two to four),

where f_q is the target's where q lies outside. Solved for is the correction f - source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.fft import dctn, idctn
from scipy.sparse.linalg import LinearOperator, cg

from engines.imaging._multigrid import GridLaplacian, multigrid_cycle

__all__ = ["poisson_blend"]

# Norm of the residual by that of the right-hand side; some hundredths of a level in the result.
_TOLERANCE = 1e-5
# A multigrid cycle takes a digit off the residual in about two iterations, whatever the region's size and shape.
_MOST_ITERATIONS = 100


def poisson_blend(
    target: np.ndarray,
    source: np.ndarray,
    region: np.ndarray,
    *,
    mixed: bool = False,
    share: np.ndarray | None = None,
) -> np.ndarray:
    """The target with the source's gradients inside the region.

    Args:
        target: uint8 [H, W, 3].
        source: uint8 or float32 [H, W, 3] in levels 0..255; used in the region and one pixel around it.
        region: bool [H, W]. At the picture's border, where nothing fixes the result, its slope across is the source's. A
            region of the whole picture has no fixed pixel at all: there the result has the target's mean.
        mixed: take the steeper of the two pictures' gradients at every link between neighbours (Eq. 12), which keeps the
            target's texture where the source is smooth.
        share: float32 [H, W] in 0..1, how much of a link's gradient is the source's, the rest being the target's (mean of
            its two ends); None is 1 everywhere. Falling to 0 towards the region's border it hides where the region ends.

    Returns a new uint8 [H, W, 3]; source equal to target gives the target bit for bit. Raises ValueError for other shapes.
    """
    _check(target, source, region, share)
    result = target.copy()
    if not region.any():
        return result
    window = _window(region)
    inside = region[window]
    if inside.all():
        solve = _solve_whole
    else:
        operator = GridLaplacian.of_region(inside)
        cycle = multigrid_cycle(operator)

        def solve(b: np.ndarray) -> np.ndarray:
            return _solve(operator, cycle, b)

    share = None if share is None else share[window]
    for channel in range(3):
        t, s = (picture[window][..., channel].astype(np.float32) for picture in (target, source))
        blended = s + solve(_right_hand_side(t, s, inside, mixed, share))
        if inside.all():
            blended += np.float32(t.mean(dtype=np.float64) - blended.mean(dtype=np.float64))
        result[window][..., channel][inside] = np.clip(np.rint(blended[inside]), 0, 255).astype(np.uint8)
    return result


def _check(target: np.ndarray, source: np.ndarray, region: np.ndarray, share: np.ndarray | None) -> None:
    if target.dtype != np.uint8 or target.ndim != 3 or target.shape[2] != 3:
        raise ValueError(f"expected a target uint8 [H, W, 3], got {target.dtype} {list(target.shape)}")
    if source.shape != target.shape:
        raise ValueError(f"source and target differ in shape: {list(source.shape)}, {list(target.shape)}")
    if region.dtype != bool or region.shape != target.shape[:2]:
        raise ValueError(f"expected a region bool {list(target.shape[:2])}, got {region.dtype} {list(region.shape)}")
    if share is not None and share.shape != region.shape:
        raise ValueError(f"share and region differ in shape: {list(share.shape)}, {list(region.shape)}")


def _window(region: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the region and of one pixel around it, within the picture."""
    spans = []
    for axis in (1, 0):
        used = np.flatnonzero(region.any(axis=axis))
        spans.append(slice(max(int(used[0]) - 1, 0), int(used[-1]) + 2))
    return spans[0], spans[1]


def _right_hand_side(
    target: np.ndarray, source: np.ndarray, inside: np.ndarray, mixed: bool, share: np.ndarray | None
) -> np.ndarray:
    """b [h, w] of A u = b for the correction u = f - source of one channel, 0 outside the region.

    b_p = sum_q (v_pq - (s_p - s_q)) + sum over the q outside of (t_q - s_q)
    """
    fixed = np.where(inside, np.float32(0), target - source)
    b = np.zeros_like(source)
    for near, far in _links():
        b[near] += fixed[far]
        b[far] += fixed[near]
        if mixed or share is not None:
            weight = None if share is None else (share[near] + share[far]) / 2
            # v - slope of the source, both from near to far.
            bend = _bend(target[far] - target[near], source[far] - source[near], mixed, weight)
            b[near] -= bend
            b[far] += bend
    return b * inside


def _bend(target: np.ndarray, source: np.ndarray, mixed: bool, weight: np.ndarray | None) -> np.ndarray:
    """Guidance less the source's slope, from both pictures' slopes along all links in one direction."""
    guidance = np.where(np.abs(target) > np.abs(source), target, source) if mixed else source
    if weight is not None:
        guidance = target + weight * (guidance - target)
    return guidance - source


def _links() -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Both ends of all links between neighbours in a row, then of those in a column."""
    everything = slice(None)
    yield (everything, slice(None, -1)), (everything, slice(1, None))
    yield (slice(None, -1), everything), (slice(1, None), everything)


def _solve(operator: GridLaplacian, cycle: Callable[[np.ndarray], np.ndarray], b: np.ndarray) -> np.ndarray:
    """u [h, w] of A u = b by conjugate gradients, preconditioned by a multigrid cycle."""

    def flat(function: Callable[[np.ndarray], np.ndarray]) -> LinearOperator:
        return LinearOperator((b.size, b.size), lambda x: function(x.reshape(b.shape)).ravel(), dtype=np.float32)

    u, missed = cg(flat(operator), b.ravel(), rtol=_TOLERANCE, M=flat(cycle), maxiter=_MOST_ITERATIONS)
    if missed:
        raise RuntimeError(f"conjugate gradients did not converge in {_MOST_ITERATIONS} iterations")
    return u.reshape(b.shape)


def _solve_whole(b: np.ndarray) -> np.ndarray:
    """u [H, W] of A u = b for a region of the whole picture, with mean 0: cosines are the eigenvectors of A.

    A cos(pi i (x + 1/2) / W) = (2 - 2 cos(pi i / W)) cos(pi i (x + 1/2) / W), and the same along y.
    """
    along_y, along_x = (2 - 2 * np.cos(np.pi * np.arange(side) / side) for side in b.shape)
    eigenvalues = along_y[:, None] + along_x
    eigenvalues[0, 0] = 1
    waves = dctn(b.astype(np.float64), overwrite_x=True) / eigenvalues
    waves[0, 0] = 0
    return idctn(waves, overwrite_x=True).astype(np.float32)
