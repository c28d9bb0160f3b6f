"""Everything of one portrait as one list of triangles: head, hair, beard, glasses, hats."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np

from engines.data.faces.accessories import HATS, FaceMarks, Mesh, earring, glasses, hat
from engines.data.faces.beard import beard_strands
from engines.data.faces.hair import hair_strands
from engines.data.faces.hairline import azimuth_deg
from engines.data.faces.head import Head
from engines.data.faces.headspace import Carry
from engines.data.faces.portrait import Portrait
from engines.data.faces.pose import Pose
from engines.data.faces.shape import Shape
from engines.data.faces.strands import Strands, ribbons
from engines.data.faces.vectors import F32, Array

__all__ = ["Geometry", "Material", "PlacedStrands", "build_geometry"]


class Material(IntEnum):
    """What a triangle is made of; the first five are the groups of :mod:`engines.data.faces.mesh`."""

    SKIN = 0
    EYE_LEFT = 1
    EYE_RIGHT = 2
    TEETH = 3
    TONGUE = 4
    HAIR = 10
    BEARD = 11
    FRAME = 12
    HAT = 13
    EARRING = 14


@dataclass(frozen=True)
class PlacedStrands:
    """Strands in the scene."""

    material: Material
    first_vertex: int
    strands: Strands
    """Points in the posed scene."""
    tangents: Array
    """[N, K, 3]."""


@dataclass(frozen=True)
class Geometry:
    """The posed scene."""

    vertices: Array
    """float32 [V, 3]; the head's vertices come first."""
    triangles: Array
    """int32 [F, 3]."""
    material: Array
    """int32 [F]."""
    head_faces: Array
    """Triangle of the head for each of the first triangles (ears are left out where hair covers them)."""
    head_vertices: Array
    """float32 [head vertices, 3]."""
    strands: tuple[PlacedStrands, ...]
    lenses: Mesh | None
    """Traced apart: they are see-through."""


@dataclass
class _Parts:
    """Meshes joined one after another."""

    vertices: list[Array] = field(default_factory=list)
    triangles: list[Array] = field(default_factory=list)
    material: list[Array] = field(default_factory=list)
    count: int = 0

    def add(self, vertices: Array, triangles: Array, material: int | Array) -> int:
        """Appends a mesh and returns the number of its first vertex."""
        first = self.count
        self.vertices.append(vertices)
        self.triangles.append((triangles + first).astype(np.int32))
        self.material.append(np.broadcast_to(np.asarray(material, np.int32), len(triangles)))
        self.count += len(vertices)
        return first


def build_geometry(head: Head, portrait: Portrait, shape: Shape, pose: Pose, camera_position: Array) -> Geometry:
    parts = _Parts()
    posed = pose(shape.dressed, head.template[:, 1]).astype(F32)
    kept = ~head.is_ear if _ears_covered(portrait) else np.ones(len(head.triangles), bool)
    parts.add(posed, head.triangles[kept], head.group[kept])
    carry = Carry(shape.neutral - head.template)
    placed = []

    def place(strands: Strands, material: Material) -> None:
        vertices, triangles, tangents = ribbons(strands, camera_position)
        first = parts.add(vertices.astype(F32), triangles, material)
        placed.append(PlacedStrands(material, first, strands, tangents))

    hair = _visible_hair(portrait)
    if hair is not None:
        place(replace(hair, points=pose(carry(hair.points), hair.points[..., 1])), Material.HAIR)
    beard = beard_strands(head, portrait, shape.dressed, shape.normals)
    if beard is not None:
        place(replace(beard, points=pose.head(beard.points)), Material.BEARD)
    lenses = None
    if portrait.glasses:
        frame, panes = glasses(portrait, _face_marks(head, shape.neutral))
        parts.add(pose.head(frame.vertices.astype(F32)), frame.triangles, Material.FRAME)
        lenses = Mesh(pose.head(panes.vertices.astype(F32)), panes.triangles)
    if portrait.ood in HATS:
        worn = hat(portrait.ood)
        parts.add(pose(carry(worn.vertices), worn.vertices[:, 1]), worn.triangles, Material.HAT)
    if portrait.ood == "earrings":
        for side in (1, -1):
            ring = earring(carry(np.array([[side * 0.74, 6.90, 0.47]], F32))[0], side)
            parts.add(pose.head(ring.vertices.astype(F32)), ring.triangles, Material.EARRING)
    return Geometry(
        vertices=np.concatenate(parts.vertices),
        triangles=np.concatenate(parts.triangles),
        material=np.concatenate(parts.material),
        head_faces=np.flatnonzero(kept),
        head_vertices=posed,
        strands=tuple(placed),
        lenses=lenses,
    )


def _ears_covered(portrait: Portrait) -> bool:
    """Whether hair or a hat hides the ears, which would pierce it."""
    if portrait.ood in ("beanie", "headscarf"):
        return True
    if portrait.bald:
        return False
    if portrait.long:
        return portrait.tuck < 0.5
    return portrait.short_style == "afro" and portrait.length > 0.6


def _visible_hair(portrait: Portrait) -> Strands | None:
    """The hair; under a hat only what comes out below it."""
    hair = hair_strands(portrait)
    if hair is None or portrait.ood not in HATS:
        return hair
    roots = hair.points[:, 0]
    below = (roots[:, 1] < 7.6) & (azimuth_deg(roots) > 55) & (portrait.ood != "headscarf")
    if not below.any():
        return None
    return Strands(hair.points[below], hair.width[below], hair.chance[below])


def _face_marks(head: Head, neutral: Array) -> FaceMarks:
    left, right = head.eyes
    return FaceMarks(
        eye_l=neutral[left].mean(0),
        eye_r=neutral[right].mean(0),
        bridge=neutral[head.landmarks["bridge"]],
        ear_l=neutral[head.landmarks["ear_l"]],
        ear_r=neutral[head.landmarks["ear_r"]],
        cornea_z=max(neutral[eye][:, 2].max() for eye in head.eyes),
        brow_z=neutral[head.landmarks["brow_l"]][2],
    )
