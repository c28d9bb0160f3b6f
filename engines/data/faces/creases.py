"""Lines and folds of old skin."""

from __future__ import annotations

import numpy as np

from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["creases"]

_NOSE_WING, _BESIDE_MOUTH = np.array([0.185, 7.02]), np.array([0.335, 6.66])
"""Ends of the nasolabial fold, template (x, y)."""


def creases(portrait: Portrait, at: Array, front: Array, coarse: Array, medium: Array, colour: Array) -> Array:
    """`colour` [N, 3] darkened in the creases at template points [N, 3], with age spots; noise and `front` are [N]."""
    x, y, z = at[:, 0], at[:, 1], at[:, 2]
    away = np.abs(x)
    strength = portrait.wrinkles
    forehead = smooth(7.66, 7.74, y) * smooth(8.06, 7.98, y) * smooth(0.48, 0.3, away) * front
    height = np.sin((y + 0.025 * np.cos(5 * x + portrait.skin_seed % 6) + 0.008 * coarse) * 2 * np.pi / 0.095)
    lines = np.clip(height, 0.35, 1) - 0.35
    crows_feet = np.exp(-(((away - 0.52) / 0.06) ** 2 + ((y - 7.36) / 0.09) ** 2)) * smooth(0.5, 0.8, z)
    rays = np.clip(np.sin(np.arctan2(y - 7.36, away - 0.40) * 16 + coarse), 0.3, 1) - 0.3
    fold = np.exp(-((_fold_distance(away, y) / 0.017) ** 2)) * front
    glabella = np.exp(-(((away - 0.055) / 0.012) ** 2 + ((y - 7.53) / 0.07) ** 2)) * front
    bag_line = (y - 7.185 + 0.18 * (away - 0.27) ** 2 * 8) / 0.016
    eye_bag = np.exp(-(((away - 0.27) / 0.13) ** 2 + bag_line**2)) * front
    marionette = np.exp(-(((away - 0.275 - 0.10 * (6.62 - y)) / 0.016) ** 2 + ((y - 6.55) / 0.08) ** 2)) * front
    rings = np.clip(np.sin(y * 2 * np.pi / 0.16 + 0.8 * coarse), 0.55, 1)
    neck = rings * smooth(6.15, 6.0, y) * smooth(5.5, 5.7, y) - 0.0
    depth = 0.80 * forehead * lines + 0.75 * crows_feet * rays + 0.72 * fold + 0.45 * glabella
    depth = depth + 0.34 * eye_bag + 0.45 * marionette + 0.18 * neck
    crease = np.minimum(strength * depth, 0.66)
    colour = colour * (1 - crease[:, None] * np.array([0.55, 0.72, 0.75], F32))
    spots = smooth(0.7, 1.8, medium)[:, None]
    return colour * (1 - 0.13 * strength * spots * np.array([0.5, 1, 1.2], F32))


def _fold_distance(away: Array, y: Array) -> Array:
    """Distance [N] to the nasolabial fold, which bows outward a little."""
    a, along = _NOSE_WING, _BESIDE_MOUTH - _NOSE_WING
    t = np.clip(((away - a[0]) * along[0] + (y - a[1]) * along[1]) / (along**2).sum(), 0, 1)
    return np.hypot(away - a[0] - t * along[0] - 0.02 * np.sin(np.pi * t), y - a[1] - t * along[1])
