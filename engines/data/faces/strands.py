"""Strands: grown along a comb field close to the head, waved, and drawn as ribbons that face the camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.data.faces.headspace import distance
from engines.data.faces.vectors import F32, Array, smooth, unit

__all__ = ["Strands", "along_head", "grow", "ribbons", "subdivided", "wave"]

Comb = Callable[[Array, Array], Array]
"""(points [N, 3], outward directions [N, 3]) -> directions to grow in [N, 3]."""


@dataclass(frozen=True)
class Strands:
    """N strands of K points."""

    points: Array
    """float32 [N, K, 3], root first."""
    width: Array
    """float32 [N, K], dm."""
    chance: Array
    """float32 [N] in 0..1: each strand's own tint, gray and shine."""


def along_head(directions: Array, outward: Array) -> Array:
    """The part of the directions that runs along the head, as unit vectors."""
    directions = directions.astype(F32)
    return unit(directions - (directions * outward).sum(1, keepdims=True) * outward)


def grow(
    roots: Array,
    normals: Array,
    length: Array,
    segments: int,
    comb: Comb,
    rng: np.random.Generator,
    *,
    gravity: float,
    clearance: Array | float,
    lift: float = 0.6,
    jitter: float = 0.05,
    inertia: float = 0.55,
    cling: float = 0.0,
    keep_out: Callable[[Array], Array] | None = None,
) -> Array:
    """Points [N, segments + 1, 3] of strands of `length` [N] dm from `roots` [N, 3].

    `clearance` is the distance kept from the head, `cling` pulls back what strays beyond it, `lift` raises the root,
    `keep_out` moves points out of a forbidden region (the face).
    """
    step = (length / segments)[:, None].astype(F32)
    clearance = np.asarray(clearance, F32)

    def shaken() -> Array:
        return F32(jitter) * rng.standard_normal((len(roots), 3), dtype=F32)

    points, outward = roots, distance(roots)[:, 1:]
    direction = unit(normals * F32(lift) + comb(points, outward).astype(F32) + shaken())
    line = [points]
    for segment in range(segments):
        t = (segment + 1) / segments
        combed = comb(points, outward)
        weight = np.array([0, -gravity * t, 0], F32)
        direction = unit(inertia * direction + (1 - inertia) * combed.astype(F32) + weight + shaken())
        wanted = points + direction * step
        field = distance(wanted)
        gap = clearance * min(1.0, 0.35 + 1.3 * t)
        push = np.maximum(gap - field[:, 0], 0)[:, None]
        if cling:
            push = push - cling * (np.clip(field[:, 0] - gap, 0, 0.25) * smooth(6.9, 7.4, wanted[:, 1]))[:, None]
        outward = field[:, 1:]
        wanted = wanted + push * outward
        if keep_out is not None:
            wanted = keep_out(wanted).astype(F32)
        direction = unit(wanted - points)
        points = points + direction * step
        line.append(points)
    return np.stack(line, 1)


def subdivided(points: Array) -> Array:
    """Strands [N, K, 3] with a point added in the middle of each segment."""
    middle = 0.5 * (points[:, :-1] + points[:, 1:])
    fine = np.empty((len(points), 2 * points.shape[1] - 1, 3), points.dtype)
    fine[:, 0::2], fine[:, 1::2] = points, middle
    return fine


def wave(points: Array, amplitude: float, frequency: float, phase: float, rng: np.random.Generator) -> Array:
    """Winds strands [N, K, 3] about themselves; neighbours share their phase, so that waves look like locks."""
    count, size = points.shape[:2]
    along = np.linspace(0, 1, size)[None, :]
    steps = np.cumsum(np.linalg.norm(np.diff(points, axis=1), axis=2), 1)
    arc = np.concatenate([np.zeros((count, 1)), steps], 1)
    tangent = unit(np.gradient(points, axis=1))
    outward = unit(distance(points.reshape(-1, 3))[:, 1:]).reshape(points.shape)
    side = np.cross(tangent, outward)
    root = points[:, 0]
    lock = 5.0 * np.sin(2.1 * root[:, 0] + phase) + 4 * np.sin(2.7 * root[:, 2] + 1.3) + 0.5 * rng.standard_normal(count)
    reach = amplitude * np.minimum(1, 2.0 * along) * np.minimum(1, 1.8 * arc / 0.4)
    angle = frequency * arc + lock[:, None]
    return points + reach[..., None] * (np.sin(angle)[..., None] * side + 0.7 * (np.cos(angle)[..., None] + 0.5) * outward)


def ribbons(strands: Strands, camera: Array) -> tuple[Array, Array, Array]:
    """Vertices [N * K * 2, 3], triangles [2 * N * (K - 1), 3] and tangents [N, K, 3] of strips that face the camera.

    Vertex 2 * i is the left and 2 * i + 1 the right edge at strand point i.
    """
    points, width = strands.points, strands.width
    count, size = points.shape[:2]
    tangent = np.empty_like(points)
    tangent[:, 1:-1] = points[:, 2:] - points[:, :-2]
    tangent[:, 0] = points[:, 1] - points[:, 0]
    tangent[:, -1] = points[:, -1] - points[:, -2]
    tangent = unit(tangent)
    side = unit(np.cross(tangent, camera - points))
    half = side * width[..., None] * 0.5
    vertices = np.stack([points - half, points + half], 2)
    first = (np.arange(count)[:, None] * size + np.arange(size - 1)[None]).reshape(-1) * 2
    lower, upper = np.stack([first, first + 1, first + 3], 1), np.stack([first, first + 3, first + 2], 1)
    return vertices.reshape(-1, 3), np.concatenate([lower, upper]).astype(np.int32), tangent
