"""What the camera's rays met, and how each of these points reflects light."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from engines.data.faces.camera import Camera
from engines.data.faces.clothes import cloth_colour, cloth_height
from engines.data.faces.colours import linear
from engines.data.faces.eyes import eye_colour
from engines.data.faces.head import Head
from engines.data.faces.mouth import TONGUE, darken_mouth, teeth_colour
from engines.data.faces.portrait import Portrait
from engines.data.faces.pose import Pose
from engines.data.faces.scene import Geometry, Material
from engines.data.faces.skin import SkinPoints, shade_skin
from engines.data.faces.strand_colour import shade_strands
from engines.data.faces.tracing import Hits
from engines.data.faces.vectors import F32, Array, unit, weigh

__all__ = ["Kind", "Points", "Surface", "gather", "shade_surface"]


class Kind(IntEnum):
    """How light is reflected."""

    SKIN = 0
    CLOTH = 1
    EYE = 2
    HAIR = 3
    HARD = 4


@dataclass(frozen=True)
class Points:
    """The N rays that hit something."""

    ray: Array
    """int [N]: index of the ray."""
    primitive: Array
    """int32 [N]."""
    corners: Array
    """int32 [N, 3]: vertices of the triangle hit."""
    weights: Array
    """float32 [N, 3]: barycentric."""
    material: Array
    """int32 [N]."""
    position: Array
    """[N, 3]."""
    to_camera: Array
    """float32 [N, 3]: unit vectors."""
    distance: Array
    """float32 [N]: from the camera, dm."""


@dataclass
class Surface:
    """Reflection at those points; arrays are filled material by material."""

    colour: Array
    """float32 [N, 3]: linear RGB."""
    normal: Array
    """float32 [N, 3]."""
    specular: Array
    """float32 [N]."""
    gloss: Array
    """float32 [N]: exponent of the highlight."""
    kind: Array
    """int8 [N]."""
    tangent: Array
    """float32 [N, 3]: along the strand."""
    chance: Array
    """float32 [N]: the strand's own number."""

    @classmethod
    def empty(cls, count: int) -> Surface:
        return cls(
            colour=np.zeros((count, 3), F32),
            normal=np.zeros((count, 3), F32),
            specular=np.zeros(count, F32),
            gloss=np.full(count, 18.0, F32),
            kind=np.zeros(count, np.int8),
            tangent=np.zeros((count, 3), F32),
            chance=np.zeros(count, F32),
        )


def gather(geometry: Geometry, camera: Camera, hits: Hits) -> Points:
    ray = np.flatnonzero(hits.triangle >= 0)
    primitive, u, v, distance = hits.triangle[ray], hits.u[ray], hits.v[ray], hits.distance[ray]
    to_camera = -camera.directions[ray]
    return Points(
        ray=ray,
        primitive=primitive,
        corners=geometry.triangles[primitive],
        weights=np.stack([1 - u - v, u, v], 1).astype(F32),
        material=geometry.material[primitive],
        position=camera.position - to_camera * distance[:, None],
        to_camera=to_camera,
        distance=distance,
    )


def shade_surface(head: Head, portrait: Portrait, geometry: Geometry, points: Points, pose: Pose, camera: Camera) -> Surface:
    surface = Surface.empty(len(points.ray))
    _shade_head(head, portrait, geometry, points, surface)
    _shade_eyes(head, portrait, geometry, points, surface, pose, camera)
    for placed in geometry.strands:
        chosen = np.flatnonzero(points.material == placed.material)
        if len(chosen):
            corners, weights = points.corners[chosen], points.weights[chosen]
            shaded = shade_strands(portrait, placed, corners, weights, points.position[chosen], pose)
            surface.colour[chosen], surface.normal[chosen] = shaded.colour, shaded.normal
            surface.tangent[chosen], surface.chance[chosen] = shaded.tangent, shaded.chance
            surface.kind[chosen] = Kind.HAIR
    _shade_hard(portrait, geometry, points, surface, pose)
    return surface


def _shade_head(head: Head, portrait: Portrait, geometry: Geometry, points: Points, surface: Surface) -> None:
    """Skin, clothes, teeth and tongue."""
    chosen = np.flatnonzero(np.isin(points.material, (Material.SKIN, Material.TEETH, Material.TONGUE)))
    if not len(chosen):
        return
    corners, weights, material = points.corners[chosen], points.weights[chosen], points.material[chosen]
    normal = unit(weigh(head.vertex_normals(geometry.head_vertices), corners, weights))
    at = weigh(head.template, corners, weights)
    corner_uv = head.corner_uv[geometry.head_faces[points.primitive[chosen]]]
    uv = corner_uv[:, 0] * weights[:, :1] + corner_uv[:, 1] * weights[:, 1:2] + corner_uv[:, 2] * weights[:, 2:]
    skin = shade_skin(head, portrait, SkinPoints(at, uv, weigh(head.lid_distance, corners, weights)))
    colour, specular = skin.colour, skin.specular
    normal = unit(normal + 0.045 * skin.bump * portrait.pores)
    kind = np.zeros(len(chosen), np.int8)
    cloth = cloth_height(portrait, at) > 0
    if cloth.any():
        colour[cloth], specular[cloth], kind[cloth] = cloth_colour(portrait, at[cloth]), 0.05, Kind.CLOTH
    teeth, tongue = material == Material.TEETH, material == Material.TONGUE
    if teeth.any():
        colour[teeth], specular[teeth] = teeth_colour(at[teeth]), 0.5
    colour[tongue] = TONGUE
    darken_mouth(at, colour, specular, teeth | tongue)
    surface.colour[chosen], surface.normal[chosen], surface.specular[chosen] = colour, normal, specular
    surface.gloss[chosen], surface.kind[chosen] = 14.0, kind


def _shade_eyes(
    head: Head, portrait: Portrait, geometry: Geometry, points: Points, surface: Surface, pose: Pose, camera: Camera
) -> None:
    for material, eye in zip((Material.EYE_LEFT, Material.EYE_RIGHT), head.eyes, strict=True):
        chosen = np.flatnonzero(points.material == material)
        if not len(chosen):
            continue
        centre = geometry.head_vertices[eye].mean(0)
        normal = unit(points.position[chosen] - centre)
        surface.colour[chosen] = eye_colour(portrait, normal, centre, camera.position, pose.head_rotation)
        surface.normal[chosen], surface.specular[chosen] = normal, 0
        surface.gloss[chosen], surface.kind[chosen] = 200, Kind.EYE


def _shade_hard(portrait: Portrait, geometry: Geometry, points: Points, surface: Surface, pose: Pose) -> None:
    """Frames, hats and earrings, with flat normals."""
    for material, colour, specular, gloss in (
        (Material.FRAME, linear(portrait.frame_color), 0.5, 60),
        (Material.HAT, linear(portrait.ood_color), 0.04, 10),
        (Material.EARRING, linear((214, 178, 92)), 1.2, 60),
    ):
        chosen = np.flatnonzero(points.material == material)
        if not len(chosen):
            continue
        corner = geometry.vertices[points.corners[chosen]]
        normal = unit(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]))
        away = (normal * points.to_camera[chosen]).sum(1) < 0
        normal = np.where(away[:, None], -normal, normal)
        shade = colour
        if material == Material.HAT:
            centre = pose.head(np.array([[0, 7.6, 0.45]], F32))[0]
            offset = points.position[chosen] - centre
            if portrait.ood != "cap":  # knitted and soft: round rather than faceted
                normal = unit(0.3 * normal + unit(offset))
            ribs = 0 * chosen
            if portrait.ood == "beanie":
                ribs = np.sin(np.arctan2(offset[:, 0], offset[:, 2]) * 60)
            shade = colour * (1 + 0.2 * ribs)[:, None]
        surface.colour[chosen], surface.normal[chosen] = shade, normal
        surface.specular[chosen], surface.gloss[chosen], surface.kind[chosen] = specular, gloss, Kind.HARD
