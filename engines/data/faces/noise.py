"""Fixed random textures: a tileable volume for skin and cloth, and streaks for hair."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from engines.core.rng import numpy_generator
from engines.data.faces.vectors import F32, Array

__all__ = ["STREAK_PX", "noise", "streaks"]

_CELLS, _FINER = 32, 4
_SIDE = _CELLS * _FINER
"""Side of the volume, 128: a power of two, so that wrapping is a mask."""
STREAK_PX = 255
"""Coordinates into the streak texture are taken modulo this."""


def noise(points: Array, frequency: float, seed: int = 0) -> Array:
    """Roughly standard normal values [N] at points [N, 3]; `frequency` in cells per dm, `seed` shifts the volume."""
    shift = np.array([seed * 21.4 + 10 * _SIDE, seed * 11.1 + 10 * _SIDE, seed * 17.7 + 10 * _SIDE], F32)
    cell = (points * F32(frequency * _FINER) + shift).astype(np.int32) & (_SIDE - 1)
    return np.take(_volume(), (cell[:, 0] << 14) + (cell[:, 1] << 7) + cell[:, 2])


def streaks(across: Array, along: Array, *, mode: str = "constant") -> Array:
    """Values [N] of the streak texture, which varies quickly across hairs and slowly along them."""
    return map_coordinates(_streak_texture(), [across, along], order=1, mode=mode, output=F32)


@lru_cache(maxsize=1)
def _textures() -> tuple[Array, Array]:
    rng = numpy_generator(5)
    volume = rng.standard_normal((_CELLS, _CELLS, _CELLS)).astype(F32)
    volume = gaussian_filter(volume, 0.9, mode="wrap")
    padded, margin = np.pad(volume / volume.std(), 3, mode="wrap"), 3 * _FINER
    volume = zoom(padded, _FINER, order=3, mode="grid-wrap", grid_mode=True)[margin:-margin, margin:-margin, margin:-margin]
    streak = gaussian_filter(rng.standard_normal((256, 256)).astype(F32), (0.6, 6), mode="wrap")
    return np.ascontiguousarray(volume, F32).reshape(-1), streak / streak.std()


def _volume() -> Array:
    return _textures()[0]


def _streak_texture() -> Array:
    return _textures()[1]
