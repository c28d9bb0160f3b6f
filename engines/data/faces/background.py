"""Out-of-focus backgrounds."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from engines.core.rng import numpy_generator
from engines.data.faces.colours import linear
from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["background"]

_SIDE = 32
"""Backgrounds are blurred anyway: they are computed at this size and enlarged."""


def background(portrait: Portrait, side_px: int) -> Array:
    """Linear RGB float32 [side_px, side_px, 3]."""
    rng = numpy_generator(portrait.bg_seed)
    first = linear(np.array(portrait.bg_color) * 255.0)
    second = np.clip(first * rng.uniform(0.45, 1.5) * np.exp(rng.normal(0, 0.12, 3)), 0.003, 1)
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / (_SIDE - 1.0)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) * 1.2, 0, 1)[..., None]
    image = first * (1 - slope) + second * slope
    if portrait.bg_kind != "plain":
        image = _mottled(image, 4 if portrait.bg_kind == "soft" else 6, rng)
    if portrait.bg_kind == "bokeh":
        image = _with_lights(image, first, x, y, rng)
    if portrait.bg_kind == "blocks":
        image = _with_blocks(image, x, y, rng)
    image = gaussian_filter(np.clip(image, 0.002, 1.2), (1.2, 1.2, 0))
    channels = [Image.fromarray(image[..., k].astype(F32)).resize((side_px, side_px), Image.BICUBIC) for k in range(3)]
    return np.stack([np.asarray(channel) for channel in channels], -1).clip(0.001)


def _mottled(image: Array, cells: int, rng: np.random.Generator) -> Array:
    clouds = rng.standard_normal((cells, cells, 3)) * 0.22 + rng.standard_normal((cells, cells, 1)) * 1.1
    return image * np.exp(0.33 * zoom(clouds, (_SIDE / cells, _SIDE / cells, 1), order=3))


def _with_lights(image: Array, colour: Array, x: Array, y: Array, rng: np.random.Generator) -> Array:
    for _ in range(rng.integers(4, 14)):
        centre_x, centre_y, radius = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.04, 0.12)
        disc = smooth(radius, radius * 0.7, np.hypot(x - centre_x, y - centre_y))[..., None]
        light = np.clip(colour * 0.8 + rng.uniform(0, 0.2) * rng.uniform(0.6, 1, 3), 0, 1)
        image = image + disc * light * rng.uniform(0.2, 0.9)
    return image


def _with_blocks(image: Array, x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Upright stripes, as of walls, doors and people."""
    for _ in range(rng.integers(1, 4)):
        centre, width = rng.uniform(0, 1), rng.uniform(0.08, 0.4)
        stripe = smooth(width, width * 0.75, np.abs(x - centre + 0.1 * (y - 0.5) * rng.normal()))[..., None]
        other = np.clip(image * rng.uniform(0.35, 1.9) * np.exp(rng.normal(0, 0.15, 3)), 0.003, 1)
        image = image * (1 - stripe) + stripe * other
    return image
