"""Glasses, and the accessories of the out-of-distribution set: hats, a headscarf, earrings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engines.data.faces.headspace import distance
from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth, unit

__all__ = ["HATS", "FaceMarks", "Mesh", "earring", "glasses", "hat"]

HATS = ("beanie", "cap", "headscarf")
_RIM_POINTS = 40
_RIMS = {"round": (0.235, 0.215, 2.0), "rect": (0.265, 0.165, 4.5), "square": (0.26, 0.205, 3.2), "oval": (0.255, 0.175, 2.3)}
"""Half width, half height (dm) and exponent of the superellipse of each lens shape."""
_FRAME_RADIUS = {"thin": 0.014, "medium": 0.024, "thick": 0.036}
_HAT_GAP = {"beanie": 0.10, "cap": 0.11, "headscarf": 0.06}
"""Distance between a hat and the head, dm."""


class Mesh(NamedTuple):
    vertices: Array
    """[V, 3]."""
    triangles: Array
    """int [F, 3]."""


class FaceMarks(NamedTuple):
    """Where glasses rest, on the neutral identity before it is turned."""

    eye_l: Array
    eye_r: Array
    bridge: Array
    ear_l: Array
    ear_r: Array
    cornea_z: float
    brow_z: float


def glasses(portrait: Portrait, marks: FaceMarks) -> tuple[Mesh, Mesh]:
    """Frame and lenses."""
    eye_gap = marks.eye_l[0] - marks.eye_r[0]
    scale = eye_gap / 0.58
    half_width, half_height, exponent = _RIMS[portrait.glasses_shape]
    if portrait.sunglasses:
        half_width, half_height = half_width * 1.1, half_height * 1.12
    half_width, half_height = half_width * scale * portrait.glasses_size, half_height * scale * portrait.glasses_size
    radius = _FRAME_RADIUS[portrait.glasses_frame] * scale
    front = max(marks.bridge[2] + 0.03, marks.cornea_z + 0.13, marks.brow_z + 0.03)
    height = 0.5 * (marks.eye_l[1] + marks.eye_r[1]) - 0.035 * scale
    apart = max(0.5 * eye_gap + 0.01, half_width + 0.075 * scale)
    middle = 0.5 * (marks.eye_l[0] + marks.eye_r[0])
    angle = np.linspace(0, 2 * np.pi, _RIM_POINTS, endpoint=False)
    rim_x = _superellipse(np.cos(angle), exponent) * half_width
    rim_y = _superellipse(np.sin(angle), exponent) * half_height

    def curved(x: Array) -> Array:
        return -0.16 * (np.abs(x - middle) / 0.6) ** 2 * scale

    frame, lenses = [], []
    around = np.arange(_RIM_POINTS)
    fan = np.stack([0 * around, 1 + around, 1 + (around + 1) % _RIM_POINTS], 1)
    for side, ear in ((1, marks.ear_l), (-1, marks.ear_r)):
        x = middle + side * apart + side * rim_x
        rim = np.stack([x, height + rim_y, front + curved(x) - 0.10 * (rim_y < 0) * (-rim_y)], 1)
        frame.append(_tube(rim, radius, closed=True, flat=0.8))
        lenses.append(Mesh(np.concatenate([rim.mean(0)[None], rim]), fan))
        hinge_x = middle + side * (apart + half_width)
        hinge = np.array([hinge_x, height + 0.35 * half_height, front + curved(np.array(hinge_x))])
        ear_top = np.array([ear[0] + side * 0.02, ear[1] + 0.0, ear[2] + 0.02])
        ear_end = ear_top + np.array([-side * 0.02, -0.16, -0.22])
        bend = hinge + [side * 0.02, 0, -0.08]
        halfway = 0.5 * (hinge + ear_top) + [side * 0.015, 0, 0]
        frame.append(_tube(np.array([hinge, bend, halfway, ear_top, ear_end]), radius * 0.9))
    inner = apart - half_width
    t = np.linspace(-1, 1, 7)
    bridge_y = height + 0.06 * scale + 0.035 * scale * (1 - t**2)
    frame.append(_tube(np.stack([middle + t * (inner + 0.01), bridge_y, front + 0.0 * t + 0.02], 1), radius * 0.95))
    return _joined(frame), _joined(lenses)


def earring(lobe: Array, side: int) -> Mesh:
    """A ring hanging from `lobe` [3]."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = lobe + np.stack([0.03 * side + 0 * angle, -0.10 + 0.10 * np.cos(angle), 0.10 * np.sin(angle)], 1)
    return _tube(ring, 0.02, closed=True)


def hat(kind: str) -> Mesh:
    """A beanie, cap or headscarf around the template's head."""
    columns, rows = 48, 14
    azimuth = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    centre = np.array([0, 7.75, 0.45])
    away_deg = np.abs(np.degrees(np.arctan2(np.sin(azimuth), np.cos(azimuth))))
    if kind == "headscarf":
        rim_elevation = np.interp(away_deg, [0, 30, 60, 90, 180], [0.42, 0.30, -0.45, -1.25, -1.3])
    else:
        rim_elevation = np.interp(away_deg, [0, 60, 100, 180], [0.12, 0.05, -0.22, -0.45])
    rings = []
    for row in range(rows):
        up = row / (rows - 1)
        elevation = rim_elevation + (np.pi / 2 - 1e-3 - rim_elevation) * up
        level = np.cos(elevation)
        direction = np.stack([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level], 1)
        radius = np.full(columns, 0.3)
        for _ in range(14):  # march to the surface of the head plus the gap
            height = distance(centre + direction * radius[:, None])[:, 0]
            radius = radius + np.clip(_HAT_GAP[kind] - height, -0.1, 0.15)
        extra = (0.10 * smooth(0.4, 1, up) if kind == "beanie" else 0.05 * smooth(0.2, 0.8, up)) * np.ones(columns)
        if kind == "beanie" and row < 3:
            extra = extra + 0.03  # the turned-up brim
        rings.append(centre + direction * (radius + extra)[:, None])
    vertices, triangles = np.concatenate(rings), _grid_triangles(rows, columns)
    if kind == "cap":
        rim, outer = _visor(azimuth, rings[0])
        first, i = len(vertices), np.arange(14)
        vertices = np.concatenate([vertices, rim, outer])
        near, far = first + i, first + 15 + i
        triangles = np.concatenate([triangles, np.stack([near, far, far + 1], 1), np.stack([near, far + 1, near + 1], 1)])
    return Mesh(vertices.astype(F32), triangles.astype(np.int32))


def _superellipse(wave: Array, exponent: float) -> Array:
    return np.sign(wave) * np.abs(wave) ** (2 / exponent)


def _tube(path: Array, radius: float, *, sides: int = 6, closed: bool = False, flat: float = 1.0) -> Mesh:
    """A tube along `path` [K, 3]; `flat` scales the section in depth."""
    size = len(path)
    tangent = unit(np.roll(path, -1, 0) - np.roll(path, 1, 0)) if closed else unit(np.gradient(path, axis=0))
    sideways = np.array([0.13, 0.2, 1.0]) if np.abs(tangent[:, 2]).mean() < 0.7 else np.array([0.05, 1.0, 0.1])
    a = unit(np.cross(tangent, sideways))
    b = np.cross(tangent, a)
    angle = np.arange(sides) / sides * 2 * np.pi
    section = np.cos(angle)[None, :, None] * a[:, None] + flat * np.sin(angle)[None, :, None] * b[:, None]
    vertices = path[:, None] + radius * section
    triangles, k = [], np.arange(sides)
    after = (k + 1) % sides
    for i in range(size if closed else size - 1):
        j = (i + 1) % size
        triangles.append(np.stack([i * sides + k, j * sides + k, j * sides + after], 1))
        triangles.append(np.stack([i * sides + k, j * sides + after, i * sides + after], 1))
    return Mesh(vertices.reshape(-1, 3), np.concatenate(triangles))


def _joined(parts: list[Mesh]) -> Mesh:
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])
    triangles = [part.triangles + start for part, start in zip(parts, starts[:-1], strict=True)]
    return Mesh(np.concatenate([part.vertices for part in parts]), np.concatenate(triangles))


def _grid_triangles(rows: int, columns: int) -> Array:
    """Two triangles per cell of a grid that closes around its columns."""
    triangles = []
    here = np.arange(columns)
    after = (here + 1) % columns
    for row in range(rows - 1):
        low, high = row * columns, (row + 1) * columns
        triangles.append(np.stack([low + here, low + after, high + after], 1))
        triangles.append(np.stack([low + here, high + after, high + here], 1))
    return np.concatenate(triangles)


def _visor(azimuth: Array, rim: Array) -> tuple[Array, Array]:
    """Inner and outer edge [15, 3] of a cap's visor, from the lowest ring [N, 3]."""
    signed = np.where(azimuth > np.pi, azimuth - 2 * np.pi, azimuth)
    order = np.argsort(signed)
    a = np.linspace(-0.95, 0.95, 15)
    inner = np.stack([np.interp(a, signed[order], rim[order, i]) for i in range(3)], 1)
    return inner, inner + np.stack([0.25 * np.sin(a), -0.14 - 0.05 * np.abs(a), 0.62 * np.cos(a) ** 0.7], 1)
