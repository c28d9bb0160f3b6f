"""The pinhole camera: cropped as FFHQ crops its photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.data.faces.head import Head
from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, unit

__all__ = ["Camera", "camera_for"]


@dataclass(frozen=True)
class Camera:
    """Looks along -z at the plane of the face."""

    position: Array
    """float32 [3]."""
    crop_dm: float
    """Side of the picture on the plane of the face."""
    focus_dm: float
    """Distance to that plane."""
    eyes_middle: Array
    """[3], in the posed scene."""
    offset_x: Array
    offset_y: Array
    """[n, n]: where each ray meets the plane of the face, relative to the picture's centre."""
    directions: Array
    """float32 [n * n, 3]: unit rays, row by row from the upper left corner."""


def camera_for(head: Head, portrait: Portrait, posed_neutral: Array, rays_px: int) -> Camera:
    """The crop of FFHQ: the side is the larger of 4 eye distances and 3.6 eye-to-mouth distances, about a centre a tenth of
    the way from the eyes to the mouth. It is taken from the posed identity without expression, hair or glasses, so that none
    of these moves the picture.
    """
    left, right = (posed_neutral[eye].mean(0) for eye in head.eyes)
    mouth = 0.5 * (posed_neutral[head.landmarks["mouth_l"]] + posed_neutral[head.landmarks["mouth_r"]])
    eyes = 0.5 * (left + right)
    side = max(4.0 * np.linalg.norm(left - right), 3.6 * np.linalg.norm(eyes - mouth)) * 1.015 * portrait.zoom
    centre = eyes + 0.1 * (mouth - eyes)
    # FFHQ leaves a little more room above; the shifts are the photographer's.
    middle = centre + np.array([portrait.shift_x * side, 0.042 * side + portrait.shift_y * side, 0])
    position = np.array([middle[0], middle[1], centre[2] + portrait.cam_dist], F32)
    grid = ((np.arange(rays_px) + 0.5) / rays_px - 0.5) * side
    x, y = np.meshgrid(grid, -grid)
    directions = unit(np.stack([x, y, np.full_like(x, -portrait.cam_dist)], -1).reshape(-1, 3)).astype(F32)
    return Camera(position, side, portrait.cam_dist, eyes, x - (eyes - middle)[0], y - (eyes - middle)[1], directions)
