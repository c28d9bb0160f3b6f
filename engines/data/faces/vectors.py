"""Small array helpers of the renderer; everything is float32 unless it says otherwise."""

from __future__ import annotations

import numpy as np

__all__ = ["F32", "Array", "cross_normals", "dot", "smooth", "unit", "weigh"]

F32 = np.float32
Array = np.ndarray


def smooth(start: float, end: float, x: Array) -> Array:
    """Smoothstep: 0 at `start`, 1 at `end` (which may be the smaller one), with flat ends."""
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def unit(v: Array) -> Array:
    """Vectors [..., 3] scaled to length one."""
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    length = np.sqrt(x * x + y * y + z * z) + F32(1e-9)
    return v / length[..., None]


def dot(a: Array, b: Array) -> Array:
    """Inner products over the last axis."""
    return np.einsum("...i,...i->...", a, b)


def weigh(values: Array, triangles: Array, weights: Array) -> Array:
    """Vertex values [V, C] interpolated at barycentric weights [N, 3] of triangles [N, 3]."""
    corners = [np.take(values, triangles[:, k], axis=0) * weights[:, k : k + 1] for k in range(3)]
    return corners[0] + corners[1] + corners[2]


def cross_normals(vertices: Array, triangles: Array) -> Array:
    """Normals of triangles [N, 3], as long as twice their area."""
    origin = vertices[triangles[:, 0]]
    return np.cross(vertices[triangles[:, 1]] - origin, vertices[triangles[:, 2]] - origin)
