"""Teeth, tongue and the dark behind them."""

from __future__ import annotations

import numpy as np

from engines.data.faces.colours import linear
from engines.data.faces.skin import INNER_MOUTH
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["darken_mouth", "teeth_colour"]

TONGUE = np.array([0.42, 0.13, 0.12], F32)
_TOOTH_WIDTH = 0.085
_GUM = np.array([0.45, 0.16, 0.15], F32)


def teeth_colour(at: Array) -> Array:
    """Linear RGB [N, 3] at template points [N, 3]: gums above, gaps between teeth, darker towards the corners."""
    x, y = at[:, 0], at[:, 1]
    colour = 1.35 * linear((238, 229, 214)) * (0.86 + 0.14 * smooth(6.5, 6.8, y))[:, None]
    colour = colour.astype(np.float64)
    gum = smooth(6.79, 6.83, y)[:, None] * 0.7
    colour = colour * (1 - gum) + gum * _GUM
    gap = np.abs(np.sin(x * np.pi / _TOOTH_WIDTH))
    colour *= (0.80 + 0.20 * smooth(0, 0.35, gap))[:, None]
    colour *= (0.12 + 0.88 * smooth(0.25, 0.12, np.abs(x)))[:, None]
    return colour


def darken_mouth(at: Array, colour: Array, specular: Array, inside: Array) -> None:
    """Darkens teeth, tongue and mouth flesh with depth, in place; `inside` bool [N] marks teeth and tongue."""
    flesh = (colour[:, 0] == INNER_MOUTH[0]) & (colour[:, 1] == INNER_MOUTH[1])
    inside = inside | flesh
    if inside.any():
        light = smooth(0.90, 1.27, at[inside][:, 2])[:, None]
        colour[inside] *= 0.12 + 0.88 * light
        specular[inside] *= light[:, 0] ** 2
