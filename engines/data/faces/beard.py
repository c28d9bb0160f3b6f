"""Beard and moustache: where they grow, how they are painted, and their hairs."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from engines.core.rng import numpy_generator
from engines.data.faces.head import Head
from engines.data.faces.headspace import triangle_weights
from engines.data.faces.mesh import SKIN
from engines.data.faces.portrait import Portrait
from engines.data.faces.strands import Strands
from engines.data.faces.vectors import F32, Array, smooth, unit

__all__ = ["beard_paint", "beard_regions", "beard_strands"]

_CHEEK_LINE_X = [0.0, 0.14, 0.25, 0.33, 0.45, 0.58, 0.66, 0.70]
_CHEEK_LINE_Y = [6.60, 6.60, 6.70, 6.83, 6.88, 6.98, 7.25, 7.40]
"""Upper border of a beard: under the lip, past the corners of the mouth, up to the sideburns."""
_PAINT = {"stubble": 0.72, "short": 0.78, "full": 0.9, "goatee": 0.75}
_ROOTS = 9000


def beard_regions(points: Array, beard_line: float) -> tuple[Array, Array]:
    """0..1 masks [N] of the beard (cheeks, chin, jaw, neck) and of the moustache at template points [N, 3]."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    away = np.abs(x)
    border = np.interp(away, _CHEEK_LINE_X, _CHEEK_LINE_Y) + beard_line * 0.05
    jaw = smooth(0.03, -0.05, y - border) * smooth(0.30, 0.55, z) * smooth(6.02, 6.20, y + 0.25 * (z - 0.9) * (z < 0.9))
    # Two bare patches under the lower lip.
    jaw = jaw * (1 - 0.75 * np.exp(-(((away - 0.13) / 0.05) ** 2 + ((y - 6.53) / 0.035) ** 2)))
    upper = smooth(0.035, -0.02, y - np.interp(away, [0, 0.10, 0.2, 0.31], [6.875, 6.875, 6.83, 6.70]))
    lower = smooth(6.70, 6.745, y + 0.35 * np.maximum(away - 0.19, 0))
    return jaw, upper * lower * smooth(0.345, 0.27, away) * (z > 1.0)


def beard_paint(portrait: Portrait, points: Array, coarse: Array, medium: Array) -> Array | None:
    """Opacity [N] of the beard painted on the skin under its hairs; `coarse` and `medium` are skin noise."""
    if portrait.beard == "none" and not portrait.mustache:
        return None
    jaw, moustache = beard_regions(points, portrait.beard_line)
    opacity: Array | float = 0
    if portrait.beard != "none":
        opacity = _goatee(portrait, jaw, points) * _PAINT[portrait.beard]
    if portrait.mustache:
        opacity = np.maximum(opacity, moustache * 0.92)
    return np.clip(opacity * (1 + 0.07 * medium + 0.05 * coarse), 0, 0.95)


def beard_strands(head: Head, portrait: Portrait, vertices: Array, normals: Array) -> Strands | None:
    """Hairs on the face as it is, smile included (not yet turned): vertices and normals [V, 3]."""
    if portrait.beard in ("none", "stubble") and not portrait.mustache:
        return None
    face, weights, points = _roots(head)
    rng = numpy_generator(portrait.beard_seed)
    root = (vertices[head.triangles[face]] * weights[..., None]).sum(1)
    normal = unit((normals[head.triangles[face]] * weights[..., None]).sum(1))
    jaw, moustache = beard_regions(points, portrait.beard_line)
    jaw = _goatee(portrait, jaw, points)
    density, length = np.zeros(len(root)), np.zeros(len(root))
    if portrait.beard in ("short", "full", "goatee"):
        density = np.maximum(density, jaw)
        if portrait.beard == "short":
            length = jaw * 0.06
        else:
            length = jaw * (0.10 + 0.22 * portrait.beard_len * smooth(6.9, 6.4, points[:, 1]))
    if portrait.mustache:
        density = np.maximum(density, moustache)
        length = np.maximum(length, moustache * (0.085 + 0.06 * portrait.beard_len))
    grown = density > 0.25 + 0.5 * rng.random(len(root))
    root, normal, points = root[grown], normal[grown], points[grown]
    length = length[grown] * (0.6 + 0.8 * rng.random(grown.sum()))
    if not len(root):
        return None
    outward = 0.35 * np.sign(points[:, 0]) * (points[:, 1] > 6.72)  # the moustache parts in the middle
    down = np.stack([outward, -1 + 0 * length, 0.15 + 0 * length], 1)
    first = unit(0.55 * normal + 0.8 * down + 0.30 * rng.standard_normal(root.shape))
    second = unit(0.25 * normal + 1.0 * down + 0.30 * rng.standard_normal(root.shape))
    tip = root + first * (length * 0.5)[:, None] + second * (length * 0.5)[:, None]
    line = np.stack([root - 0.005 * normal, tip], 1).astype(F32)
    width = (0.020 * (0.7 + 0.6 * rng.random((len(root), 1))) * np.array([[1.0, 0.3]])).astype(F32)
    return Strands(line, width, rng.random(len(root)).astype(F32))


def _goatee(portrait: Portrait, jaw: Array, points: Array) -> Array:
    """The jaw mask, cut down to the chin where the beard is a goatee."""
    if portrait.beard != "goatee":
        return jaw
    return jaw * smooth(0.30, 0.20, np.abs(points[:, 0])) * smooth(6.05, 6.15, points[:, 1])


class _Roots(NamedTuple):
    face: Array
    """int [N]: triangle."""
    weights: Array
    """float32 [N, 3]: barycentric."""
    points: Array
    """[N, 3]: template position."""


@lru_cache(maxsize=1)
def _roots(head: Head) -> _Roots:
    """Where a beard could grow: random points of the lower face outside lips and mouth."""
    centre = head.template[head.triangles].mean(1)
    lower_face = (centre[:, 1] < 7.3) & (centre[:, 1] > 6.0) & (centre[:, 2] > 0.3)
    uv = head.corner_uv.mean(1)
    bare = (head.texture("inner_mouth", uv) < 0.3) & (head.texture("lips", uv) < 0.5)
    faces = np.flatnonzero((head.group == SKIN) & lower_face & ~head.is_ear & bare)
    corners = head.template[head.triangles[faces]]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    rng = numpy_generator(3)
    face = faces[rng.choice(len(faces), _ROOTS, p=area / area.sum())]
    weights = triangle_weights(rng, _ROOTS).astype(F32)
    points = (head.template[head.triangles[face]] * weights[..., None]).sum(1)
    jaw, moustache = beard_regions(points, 0.0)
    rooted = (jaw > 0.05) | (moustache > 0.05)
    return _Roots(face[rooted], weights[rooted], points[rooted])
