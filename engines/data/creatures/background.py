"""What is behind a creature: flat, a gradient, a texture, or clutter. Computed at twice the size and averaged down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engines.core.rng import numpy_generator
from engines.data.creatures.creature import Creature
from engines.data.creatures.palette import oklch_to_srgb

__all__ = ["PLAINS", "TEXTURES", "background"]

_FINER = 2
_CLUTTER_SHAPES = 45


def background(creature: Creature, size_px: int) -> np.ndarray:
    """sRGB float64 [size_px, size_px, 3] in 0..1."""
    side = size_px * _FINER
    rng = numpy_generator(creature.background_seed)
    middles = (np.arange(side) + 0.5) / side
    y, x = np.meshgrid(middles, middles, indexing="ij")
    shade, turn = _KINDS[creature.background_kind](x, y, rng)
    lightness = np.clip(creature.background_lightness + shade, 0.05, 0.98)
    colours = oklch_to_srgb(lightness, creature.background_chroma, creature.background_hue + turn)
    return colours.reshape(size_px, _FINER, size_px, _FINER, 3).mean(axis=(1, 3))


Field = tuple[np.ndarray, np.ndarray | float]
"""Change of lightness [side, side], and of hue in degrees."""


def _flat(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    return np.zeros_like(x), 0.0


def _gradient(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    along = _along(x, y, rng.uniform(0, 2 * np.pi))
    return rng.uniform(0.05, 0.09) * 2 * along, rng.uniform(-18, 18) * along


def _stripes(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    along = _along(x, y, rng.uniform(0, 2 * np.pi))
    return _two_tone(rng, np.sin(2 * np.pi * along * rng.uniform(5, 9))), 0.0


def _checks(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    angle, often = rng.uniform(0, np.pi / 2), rng.uniform(2.5, 4.5)
    u, v = (np.sin(2 * np.pi * often * _along(x, y, angle + turn)) for turn in (0, np.pi / 2))
    return _two_tone(rng, u * v), 0.0


def _dots(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    angle, often = rng.uniform(0, np.pi / 2), rng.uniform(5, 8)
    u, v = (often * _along(x, y, angle + turn) for turn in (0, np.pi / 2))
    return _two_tone(rng, 0.3 - np.hypot(u - np.rint(u), v - np.rint(v))), 0.0


def _waves(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    angle = rng.uniform(0, 2 * np.pi)
    bent = _along(x, y, angle) + rng.uniform(0.02, 0.05) * np.sin(
        2 * np.pi * rng.uniform(2, 4) * _along(x, y, angle + np.pi / 2)
    )
    return _two_tone(rng, np.sin(2 * np.pi * bent * rng.uniform(5, 8))), 0.0


def _clouds(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    """Three octaves of smoothed noise."""
    total = sum(_noise(x, y, cells, rng) * weight for cells, weight in ((4, 0.5), (8, 0.3), (16, 0.2)))
    return rng.uniform(0.3, 0.4) * (total - total.mean()), 30 * (_noise(x, y, 3, rng) - 0.5)


def _clutter(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Field:
    """Overlapping discs, bars and boxes of all hues, with grain: a crowded photograph's worth of edges."""
    shade, turn = np.zeros_like(x), np.zeros_like(x)
    for _ in range(_CLUTTER_SHAPES):
        angle = rng.uniform(0, 2 * np.pi)
        u, v = (_along(x, y, angle + quarter) - rng.uniform(-0.6, 0.6) for quarter in (0, np.pi / 2))
        width, height = rng.uniform(0.03, 0.22, 2)
        inside = np.hypot(u / width, v / width) < 1 if rng.random() < 0.5 else (np.abs(u) < width) & (np.abs(v) < height)
        shade = np.where(inside, rng.uniform(-0.2, 0.2), shade)
        turn = np.where(inside, rng.uniform(-60, 60), turn)
    return shade + rng.normal(0, 0.03, x.shape), turn


def _along(x: np.ndarray, y: np.ndarray, angle: float) -> np.ndarray:
    """How far a point lies in a direction, from the picture's middle."""
    return (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)


def _two_tone(rng: np.random.Generator, sign: np.ndarray) -> np.ndarray:
    """Lighter where `sign` is positive, darker elsewhere."""
    return rng.uniform(0.035, 0.055) * np.where(sign > 0, 1.0, -1.0)


def _noise(x: np.ndarray, y: np.ndarray, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Random values in 0..1 at the corners of `cells` x `cells` squares, smoothly joined (Perlin's ease curve)."""
    corners = rng.random((cells + 1, cells + 1))
    i, j = (np.minimum((axis * cells).astype(int), cells - 1) for axis in (y, x))
    u, v = (t * t * (3 - 2 * t) for t in (y * cells - i, x * cells - j))
    above = corners[i, j] * (1 - v) + corners[i, j + 1] * v
    below = corners[i + 1, j] * (1 - v) + corners[i + 1, j + 1] * v
    return above * (1 - u) + below * u


PLAINS = ("flat", "gradient")
TEXTURES = ("stripes", "checks", "dots", "waves", "clouds")
_KINDS: dict[str, Callable[[np.ndarray, np.ndarray, np.random.Generator], Field]] = {
    "flat": _flat,
    "gradient": _gradient,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "waves": _waves,
    "clouds": _clouds,
    "clutter": _clutter,
}
