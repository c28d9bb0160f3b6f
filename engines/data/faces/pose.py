"""Turning the head: it turns fully, the shoulders by three tenths, the neck in between."""

from __future__ import annotations

import numpy as np

from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["Pose"]

_PIVOT = np.array([0, 6.35, 0.35])
"""In the neck, dm."""
_STEPS = 8
"""Rotations between the shoulders' and the head's, blended linearly."""
_SHOULDER_Y, _HEAD_Y = 5.35, 6.5
_ABOVE_NECK_Y = 9.0
_SHOULDER_SHARE = 0.3


class Pose:
    """The rotation of a portrait, applied by template height."""

    def __init__(self, portrait: Portrait) -> None:
        yaw, pitch, roll = np.radians([portrait.yaw, portrait.pitch, portrait.roll])
        rotations = []
        for share in np.linspace(_SHOULDER_SHARE, 1, _STEPS):
            nod = max(0, (share - _SHOULDER_SHARE) / (1 - _SHOULDER_SHARE))
            rotations.append(_rotation(yaw * share, pitch * nod, roll * nod))
        self._rotations = np.stack(rotations).astype(F32)

    @property
    def head_rotation(self) -> Array:
        """float32 [3, 3]."""
        return self._rotations[-1]

    def head(self, points: Array) -> Array:
        """Turns what belongs to the head, [..., 3]."""
        return self(points, np.full(points.shape[:-1], _ABOVE_NECK_Y))

    def __call__(self, points: Array, template_y: Array) -> Array:
        """Turns points [..., 3] whose template heights are `template_y` [...]."""
        v = points.reshape(-1, 3) - _PIVOT
        step = smooth(_SHOULDER_Y, _HEAD_Y, template_y.reshape(-1)) * (_STEPS - 1)
        low = np.clip(step.astype(int), 0, _STEPS - 2)
        share = (step - low)[:, None]
        turned = np.empty_like(v, F32)
        full = step >= _STEPS - 1 - 1e-4
        turned[full] = v[full] @ self._rotations[-1].T
        rest = ~full
        if rest.any():
            below = np.einsum("nij,nj->ni", self._rotations[low[rest]], v[rest])
            above = np.einsum("nij,nj->ni", self._rotations[low[rest] + 1], v[rest])
            turned[rest] = below * (1 - share[rest]) + above * share[rest]
        return (turned + _PIVOT).reshape(points.shape).astype(F32)


def _rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Roll after yaw after pitch, radians -> [3, 3]."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
