"""Necklines and cloth."""

from __future__ import annotations

import numpy as np

from engines.core.rng import numpy_generator
from engines.data.faces.colours import linear
from engines.data.faces.noise import noise
from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["cloth_colour", "cloth_height"]


def cloth_height(portrait: Portrait, points: Array) -> Array:
    """How far template points [N, 3] lie under the neckline, dm; positive where there is cloth."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    away = np.abs(x)
    base = 5.66 + 0.28 * smooth(0.9, 0.1, z) + 0.02 * np.cos(3 * x)
    if portrait.neck == "crew":
        line = base + 0.02
    elif portrait.neck == "v":
        line = base + 0.03 - np.maximum(0, 0.62 - 1.35 * away) * smooth(0.3, 0.7, z)
    elif portrait.neck == "scoop":
        line = base - 0.25 * smooth(0.75, 0.0, away) * smooth(0.3, 0.7, z) - 0.05
    elif portrait.neck == "turtle":
        line = base + 0.36
    else:
        line = base + 0.20 - np.maximum(0, 0.52 - 2.1 * away) * smooth(0.4, 0.75, z)
    return line - y


def cloth_colour(portrait: Portrait, points: Array) -> Array:
    """Linear RGB [N, 3] at template points on the cloth, with a seam along the neckline."""
    plain = linear(portrait.cloth_color)
    colour = plain * (1 + 0.10 * noise(points, 5.0, 9) + 0.10 * noise(points, 40.0, 10))[:, None]
    if portrait.cloth_pattern == "stripes":
        rng = numpy_generator(portrait.cloth_seed)
        other = np.clip(plain * rng.uniform(0.3, 2.5) + rng.uniform(0, 0.2, 3), 0.01, 0.9)
        stripe = smooth(-0.1, 0.1, np.sin(points[:, 1] * 2 * np.pi / 0.16))[:, None]
        colour = colour * (1 - stripe) + other * stripe
    depth = cloth_height(portrait, points)
    seam = np.exp(-(((depth - 0.07) / 0.015) ** 2)) * 0.25 + np.exp(-((depth / 0.02) ** 2)) * 0.35
    return (colour * (1 - seam)[:, None]).astype(F32)
