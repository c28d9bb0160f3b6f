"""Eyeballs: iris, pupil, white, and the shade of the lids."""

from __future__ import annotations

import numpy as np

from engines.data.faces.colours import IRIS
from engines.data.faces.noise import noise
from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth, unit

__all__ = ["eye_colour"]

_IRIS_RAD, _PUPIL_RAD = 0.47, 0.185
"""Angular radii seen from the centre of the eyeball."""


def eye_colour(portrait: Portrait, normals: Array, centre: Array, camera: Array, head_rotation: Array) -> Array:
    """Linear RGB [N, 3] on one eyeball; `normals` [N, 3] point away from its centre [3]."""
    look = _gaze(portrait, centre, camera, head_rotation)
    up = unit(head_rotation @ np.array([0, 1.0, 0]))
    sideways = unit(np.cross(up, look))
    angle = np.arccos(np.clip(normals @ look, -1, 1))
    around = np.arctan2(normals @ np.cross(look, sideways), normals @ sideways)
    iris_edge, pupil_edge = _IRIS_RAD * portrait.iris_size, _PUPIL_RAD * portrait.pupil
    fibres = 1 + 0.18 * np.sin(around * 23 + 3 * np.sin(around * 7)) * smooth(pupil_edge, iris_edge, angle)
    part = angle / iris_edge
    ring = 1.15 - 0.25 * part + 0.35 * np.exp(-(((part - 0.6) / 0.2) ** 2))
    iris = IRIS[portrait.eye_color] * (fibres * ring)[:, None]
    iris = iris * (0.25 + 0.75 * smooth(1.02, 0.80, part))[:, None]  # the dark limbal ring
    white = np.array([0.66, 0.61, 0.58], F32) * (1 - 0.03 * noise(normals * 1.0, 9.0, 2))[:, None]
    corner = smooth(0.55, 1.0, angle)[:, None]
    white = white * (1 - corner * np.array([0.20, 0.38, 0.38], F32))
    inner = smooth(iris_edge * 1.10, iris_edge * 0.97, angle)[:, None]
    colour = white * (1 - inner) + iris * inner
    pupil = smooth(pupil_edge * 1.12, pupil_edge * 0.88, angle)[:, None]
    colour = colour * (1 - pupil) + 0.004 * pupil
    # The upper lid and its lashes shade the eye, and the corners lie deeper.
    openness = 1 - 0.6 * portrait.squint * 0.3
    below_lid = smooth(0.42 * openness, 0.02, normals @ up)
    to_side = unit(head_rotation @ np.array([1.0, 0, 0]))
    from_corner = smooth(0.95, 0.35, np.abs(normals @ to_side))
    return colour * ((0.42 + 0.58 * below_lid) * (0.62 + 0.38 * from_corner))[:, None]


def _gaze(portrait: Portrait, centre: Array, camera: Array, head_rotation: Array) -> Array:
    ahead = head_rotation @ unit(np.array([0, 0, 1.0]))
    to_camera = unit(camera - centre)
    wander = head_rotation @ np.array([portrait.gaze[0], portrait.gaze[1], 0])
    return unit(ahead * (1 - portrait.eye_contact) + to_camera * portrait.eye_contact + wander)
