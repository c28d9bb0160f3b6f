"""Eyebrows, painted as streaks along a curve."""

from __future__ import annotations

import numpy as np

from engines.data.faces.noise import STREAK_PX, streaks
from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["brow_opacity"]

_X = np.array([0.02, 0.09, 0.16, 0.26, 0.36, 0.44, 0.52, 0.57])
_Y = np.array([7.552, 7.554, 7.562, 7.575, 7.583, 7.578, 7.552, 7.528])
_HALF_THICKNESS = np.array([0.0, 0.026, 0.036, 0.036, 0.031, 0.024, 0.013, 0.0])
"""The brow from the nose to the temple, template dm."""


def brow_opacity(portrait: Portrait, at: Array, front: Array) -> Array:
    """Opacity [N] at template points [N, 3]; men's brows are thicker."""
    x, y, z = at[:, 0], at[:, 1], at[:, 2]
    away = np.abs(x)
    arch = portrait.brow_arch * 0.012 * np.sin(np.pi * np.clip((away - 0.1) / 0.42, 0, 1))
    above = y - (np.interp(away, _X, _Y).astype(F32) + arch)
    fullness = 0.72 + 1.05 * np.clip(portrait.brow_thick + 0.50 * (portrait.gender - 0.5), 0.02, 1.2)
    half = np.interp(away, _X, _HALF_THICKNESS).astype(F32) * fullness
    streak = np.zeros_like(x)
    near = np.flatnonzero((np.abs(above) < 0.3) & (half > 0.002) & (z > 0.6))
    across = (away * 170 - above * 150 * (1.6 - 2.2 * away))[near] % STREAK_PX
    along = (above * 300 + 90 * (x > 0))[near] % STREAK_PX
    streak[near] = streaks(across, along)
    opacity = smooth(1.35, 0.45, np.abs(above) / (half + 1e-4) + 0.22 * streak) * (half > 0.002) * front
    opacity = opacity * smooth(0.065, 0.15, away + 0.015 * streak) * np.clip(0.86 + 0.28 * streak, 0.25, 1.0)
    return opacity * (0.55 + 0.45 * portrait.brow_dark)
