"""Fields around the template head: signed distance for hair to keep off, and the displacement that carries it to a person.

Hair and hats are made around the template and then carried to an identity by a smooth displacement grid, so they follow
every head shape and never depend on expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse
from scipy.spatial import cKDTree

from engines.core.atomic import replacing
from engines.core.rng import numpy_generator
from engines.data.faces.hairline import hairline
from engines.data.faces.mesh import SKIN, HeadMesh, cache_file, ear_triangles, head_mesh
from engines.data.faces.vectors import F32, Array, cross_normals, unit

__all__ = ["Carry", "HeadSpace", "distance", "head_space", "triangle_weights"]

_LOW, _HIGH, _STEP = np.array([-1.6, 4.4, -1.4]), np.array([1.6, 9.4, 2.2]), 0.05
"""Box and step of the signed distance grid, dm."""
_CARRY_LOW, _CARRY_STEP, _CARRY_SHAPE = np.array([-1.8, 4.2, -1.6]), 0.2, (19, 27, 21)
"""Origin, step and shape of the displacement grid."""
_SAMPLES, _ROOTS, _NEIGHBOURS = 120_000, 9_000, 24
_CACHE_VERSION = 1


@dataclass(frozen=True)
class HeadSpace:
    """What is precomputed once from the template."""

    distance_grid: Array
    """float32 [65, 101, 73, 4]: signed distance to the skin (ears left out) and its gradient."""
    carry_weights: scipy.sparse.csr_matrix
    """[grid points, V]: each displacement grid point as a mean of nearby vertices."""
    roots: Array
    """float32 [9000, 3]: scalp points in random order, uniform by area."""
    root_normals: Array
    """float32 [9000, 3]."""


@lru_cache(maxsize=1)
def head_space() -> HeadSpace:
    """The fields, from the cache file or computed anew (about three seconds)."""
    path = cache_file("headspace", _CACHE_VERSION)
    if not path.exists():
        arrays = _compute(head_mesh())
        with replacing(path) as temporary:
            np.savez(temporary, **arrays)
    with np.load(path) as file:
        shape = (int(np.prod(_CARRY_SHAPE)), len(head_mesh().template))
        weights = scipy.sparse.csr_matrix((file["weight_data"], file["weight_columns"], file["weight_rows"]), shape)
        return HeadSpace(file["distance"], weights, file["roots"], file["root_normals"])


def distance(points: Array) -> Array:
    """[N, 4] at points [N, 3]: signed distance to the template's skin, dm, and the outward direction."""
    cells = (np.asarray(points, F32) - _LOW.astype(F32)) * F32(1 / _STEP)
    return _interpolate(head_space().distance_grid, cells)


class Carry:
    """Moves points near the template's head to the same places on an identity."""

    def __init__(self, displacement: Array) -> None:
        """`displacement` [V, 3]: identity minus template."""
        self._grid = np.asarray(head_space().carry_weights @ displacement, F32).reshape(*_CARRY_SHAPE, 3)

    def __call__(self, points: Array) -> Array:
        flat = points.reshape(-1, 3)
        cells = (flat - _CARRY_LOW.astype(F32)) * F32(1 / _CARRY_STEP)
        return (flat + _interpolate(self._grid, cells)).reshape(points.shape).astype(F32)


def _interpolate(grid: Array, cells: Array) -> Array:
    """Trilinear values [N, C] of a grid [X, Y, Z, C] at cell coordinates [N, 3], clamped to the box."""
    shape = grid.shape[:3]
    cells = np.minimum(np.maximum(np.asarray(cells, F32), F32(0)), np.array(shape, F32) - F32(1.001))
    corner = cells.astype(np.int32)
    part = cells - corner
    flat = grid.reshape(-1, grid.shape[3])
    step_y, step_x = shape[2], shape[1] * shape[2]
    first = corner[:, 0] * step_x + corner[:, 1] * step_y + corner[:, 2]
    part_x, part_y, part_z = part[:, :1], part[:, 1:2], part[:, 2:]

    def along_z(offset: int) -> Array:
        low, high = np.take(flat, first + offset, axis=0), np.take(flat, first + (offset + 1), axis=0)
        return low + (high - low) * part_z

    def along_y(offset: int) -> Array:
        low, high = along_z(offset), along_z(offset + step_y)
        return low + (high - low) * part_y

    low, high = along_y(0), along_y(step_x)
    return low + (high - low) * part_x


def _compute(mesh: HeadMesh) -> dict[str, Array]:
    vertices = mesh.template
    faces = mesh.triangles[(mesh.group == SKIN) & ~ear_triangles(mesh)]
    points, normals = _surface_samples(vertices, faces)
    weights = _carry_weights(vertices, faces)
    scalp = (hairline(points) > -0.06) & (points[:, 1] > 6.6)
    return {
        "distance": _signed_distance(points, normals),
        "weight_data": weights.data.astype(F32),
        "weight_columns": weights.indices,
        "weight_rows": weights.indptr,
        "roots": points[scalp][:_ROOTS].astype(F32),
        "root_normals": normals[scalp][:_ROOTS].astype(F32),
    }


def _surface_samples(vertices: Array, faces: Array) -> tuple[Array, Array]:
    """Points [N, 3] spread evenly over the faces, and their smooth normals."""
    face_normals = cross_normals(vertices, faces)
    vertex_normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(vertex_normals, faces[:, k], face_normals)
    vertex_normals = unit(vertex_normals)
    rng = numpy_generator(0)
    area = np.linalg.norm(face_normals, axis=1)
    picked = rng.choice(len(faces), _SAMPLES, p=area / area.sum())
    weights = triangle_weights(rng, len(picked))
    points = (vertices[faces[picked]] * weights[..., None]).sum(1)
    return points, unit((vertex_normals[faces[picked]] * weights[..., None]).sum(1))


def triangle_weights(rng: np.random.Generator, count: int) -> Array:
    """Barycentric weights [count, 3] of uniform random points in a triangle."""
    pair = rng.random((count, 2))
    pair = np.where(pair.sum(1, keepdims=True) > 1, 1 - pair, pair)
    return np.stack([1 - pair.sum(1), pair[:, 0], pair[:, 1]], 1)


def _signed_distance(points: Array, normals: Array) -> Array:
    """The distance grid; the sign comes from the normals of the four nearest samples."""
    counts = np.round((_HIGH - _LOW) / _STEP).astype(int) + 1
    axes = [_LOW[i] + _STEP * np.arange(counts[i]) for i in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    # Most of the grid lies far from the skin: there, boxes that are not shrunk to their points take a third of the time.
    tree = cKDTree(points, compact_nodes=False, balanced_tree=False)
    gaps, nearest = tree.query(grid.reshape(-1, 3), k=4)
    offsets = grid.reshape(-1, 1, 3) - points[nearest]
    heights = np.median((offsets * normals[nearest]).sum(-1), 1)
    # Far away the plane distance is a bad guess: bound it by the distance to the nearest sample.
    signed = np.sign(heights) * np.minimum(gaps[:, 0], np.abs(heights) + 0.3 * gaps[:, 0])
    signed = signed.reshape(counts)
    gradient = unit(np.stack(np.gradient(signed, _STEP), -1))
    return np.concatenate([signed[..., None], gradient], -1).astype(F32)


def _carry_weights(vertices: Array, faces: Array) -> scipy.sparse.csr_matrix:
    """Each grid point takes the mean displacement of its nearest vertices on skull, cheeks and neck, not of the features."""
    axes = [_CARRY_LOW[i] + _CARRY_STEP * np.arange(_CARRY_SHAPE[i]) for i in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    used = np.unique(faces)
    used = used[(vertices[used][:, 2] < 1.25) | (vertices[used][:, 1] > 7.6) | (vertices[used][:, 1] < 6.5)]
    gaps, nearest = cKDTree(vertices[used]).query(grid, k=_NEIGHBOURS)
    weights = np.exp(-(((gaps - gaps[:, :1]) / 0.18) ** 2))
    weights /= weights.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(grid)), _NEIGHBOURS)
    return scipy.sparse.csr_matrix((weights.ravel(), (rows, used[nearest].ravel())), (len(grid), len(vertices)))
