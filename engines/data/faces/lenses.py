"""Lenses of glasses, laid over the finished light of what lies behind them."""

from __future__ import annotations

import numpy as np

from engines.data.faces.accessories import Mesh
from engines.data.faces.camera import Camera
from engines.data.faces.colours import linear
from engines.data.faces.lighting import Lamps
from engines.data.faces.portrait import Portrait
from engines.data.faces.pose import Pose
from engines.data.faces.tracing import Scene
from engines.data.faces.vectors import Array, smooth

__all__ = ["lay_lenses"]

_REACH_X, _REACH_Y = 0.72, 0.45
"""Lenses lie within this distance of the middle between the eyes, dm."""


def lay_lenses(portrait: Portrait, lenses: Mesh, camera: Camera, pose: Pose, lamps: Lamps, depth: Array, image: Array) -> None:
    """Changes `image` [rays, 3] in place where a lens lies before what is at `depth` [rays]."""
    near = (np.abs(camera.offset_x) < _REACH_X).reshape(-1) & (np.abs(camera.offset_y) < _REACH_Y).reshape(-1)
    rays = np.flatnonzero(near)
    hits = Scene(lenses.vertices, lenses.triangles).intersect(camera.position, camera.directions[rays])
    covered = (hits.triangle >= 0) & (hits.distance < depth[rays])
    rays = rays[covered]
    point = camera.position + camera.directions[rays] * hits.distance[covered][:, None]
    up = (point - camera.eyes_middle) @ pose.head_rotation[:, 1]
    sideways = (point - camera.eyes_middle) @ pose.head_rotation[:, 0]
    sky = smooth(0.0, 0.22, up + 0.35 * np.sin(portrait.light_az) * sideways) ** 2
    behind = image[rays]
    if portrait.sunglasses:
        through = (0.02 + 0.05 * smooth(0.02, -0.2, up))[:, None]  # lighter towards the lower rim
        reflected = (0.10 * sky)[:, None] * (lamps.key_colour * 0.5 + lamps.ambient_colour)
        image[rays] = behind * through + linear(portrait.lens_color) * 0.12 + reflected
    else:
        reflected = (0.020 * sky + 0.003)[:, None] * (lamps.key_colour * 0.6 + lamps.ambient_colour)
        image[rays] = behind * 0.95 + reflected
