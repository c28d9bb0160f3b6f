"""Where hair begins, in template coordinates."""

from __future__ import annotations

import numpy as np

from engines.data.faces.vectors import Array

__all__ = ["azimuth_deg", "hairline"]

_AZIMUTH_DEG = [0, 14, 26, 38, 50, 60, 67, 74, 80, 84, 100, 112, 125, 150, 180]
_HEIGHT = [8.10, 8.10, 8.07, 7.98, 7.84, 7.62, 7.36, 7.26, 7.30, 7.46, 7.46, 7.20, 6.92, 6.74, 6.70]
"""Height of the hairline by azimuth: forehead, temples, sideburns, above the ear, nape."""


def azimuth_deg(points: Array) -> Array:
    """Degrees 0..180 away from the front, about the vertical axis of the skull."""
    return np.degrees(np.abs(np.arctan2(points[:, 0], points[:, 2] - 0.45)))


def hairline(points: Array, recede: float = 0.0, widow: float = 0.0) -> Array:
    """Height [N] of points [N, 3] above the hairline, dm; positive on the scalp.

    `recede` cuts bare bays into the temples, `widow` lets the hair come down in the middle of the forehead.
    """
    azimuth = azimuth_deg(points)
    height = np.interp(azimuth, _AZIMUTH_DEG, _HEIGHT)
    height = height + (recede * 0.07 - widow * 0.05) * np.exp(-((azimuth / 9) ** 2))
    above = points[:, 1] - height
    # On the crown the azimuth is ill-defined; it is certainly scalp.
    crown = (points[:, 1] > 8.25) & (points[:, 2] < 1.0)
    above = np.where(crown, np.maximum(above, 0.1), above)
    if recede > 0:
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        temple = np.sqrt((np.abs(x) - 0.42) ** 2 + (y - 8.04) ** 2 + (z - 1.04) ** 2) - 0.45 * recede
        above = np.minimum(above, temple)
        middle = np.sqrt(x**2 + (y - 8.12) ** 2 + (z - 1.22) ** 2) - 0.20 * recede
        above = np.minimum(above, middle)
    return above
