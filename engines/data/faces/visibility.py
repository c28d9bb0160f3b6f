"""How much of the key light and of the surroundings each point sees: soft shadows and ambient occlusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from engines.data.faces.scene import Material
from engines.data.faces.surface import Kind, Points, Surface
from engines.data.faces.tracing import Scene
from engines.data.faces.vectors import F32, Array, unit

__all__ = ["Visibility", "visibility"]

_SHADOW_RAYS, _AMBIENT_RAYS = 3, 4
_AMBIENT_DIRECTIONS = np.array([[1, 0.45, 0.2], [-1, 0.45, 0.2], [0.05, 1, -0.2], [0, -1, 0.4]], F32)
_REACH_DM = 1.1
"""An ambient ray that meets something farther off counts as free."""


@dataclass(frozen=True)
class Visibility:
    """float32 [N] each, 0 hidden .. 1 free."""

    key: Array
    ambient: Array


def visibility(
    scene: Scene, points: Points, surface: Surface, key: Array, light_size: float, rays_px: int, size_px: int,
    rng: np.random.Generator,
) -> Visibility:  # fmt: skip
    """Measured once per pixel, smoothed and interpolated to the camera's rays; `key` [3] points to the light.

    Random numbers are drawn for the whole picture, so that a pixel's do not depend on what else is in it.
    """
    step = rays_px // size_px
    at_ray = np.full(rays_px * rays_px, -1, np.int64)
    at_ray[points.ray] = np.arange(len(points.ray))
    at_pixel = at_ray.reshape(rays_px, rays_px)[::step, ::step].reshape(-1)
    pixel = np.flatnonzero(at_pixel >= 0)
    chosen = at_pixel[pixel]
    normal, to_camera = surface.normal[chosen], points.to_camera[chosen]
    origin = points.position[chosen] + normal * 0.012 + to_camera * 0.012
    hair = surface.kind[chosen] == Kind.HAIR
    origin[hair] += to_camera[hair] * 0.02 + normal[hair] * 0.03  # strands must not shade themselves
    pixels = size_px * size_px
    key_rays = _key_rays(key, light_size, pixels, pixel, rng)
    free = _key_visibility(scene, origin, normal, key, key_rays)
    ambient = _ambient_visibility(scene, origin, normal, pixels, pixel, rng)
    measured = np.zeros((pixels, 3), F32)
    measured[pixel, 0], measured[pixel, 1], measured[pixel, 2] = free, ambient, 1
    measured = measured.reshape(size_px, size_px, 3)
    smooth_key = gaussian_filter(measured, (0.95, 0.95, 0))
    smooth_ambient = gaussian_filter(measured[..., 1:], (1.1, 1.1, 0))
    free = _at_rays(smooth_key[..., 0] / (smooth_key[..., 2] + 1e-4), rays_px, points.ray)
    ambient = _at_rays(smooth_ambient[..., 0] / (smooth_ambient[..., 1] + 1e-4), rays_px, points.ray)
    # Light scatters through the lips onto the teeth.
    teeth = points.material == Material.TEETH
    ambient[teeth], free[teeth] = np.maximum(ambient[teeth], 0.9), np.maximum(free[teeth], 0.65)
    return Visibility(free, ambient)


def _key_rays(key: Array, light_size: float, pixels: int, pixel: Array, rng: np.random.Generator) -> Array:
    """Directions [rays * N, 3] around the key light, on a ring that each pixel turns by a random angle."""
    sideways = unit(np.cross(key, np.array([0, 1, 0.01], F32)))
    upward = np.cross(key, sideways)
    spokes = (np.arange(_SHADOW_RAYS) * 2 * np.pi / _SHADOW_RAYS)[:, None]
    angle = rng.random(pixels)[pixel][None] * 0.9 + spokes
    radius = light_size * (0.75 + 0.2 * rng.random((_SHADOW_RAYS, pixels))[:, pixel])
    # Summed from the key outwards: the order of float additions is part of the picture.
    return (key + (radius * np.cos(angle))[..., None] * sideways + (radius * np.sin(angle))[..., None] * upward).reshape(-1, 3)


def _key_visibility(scene: Scene, origin: Array, normal: Array, key: Array, directions: Array) -> Array:
    facing = (normal @ key) > -0.4  # what faces away gets no light anyway
    free = np.zeros((_SHADOW_RAYS, len(origin)), F32)
    directions = unit(directions).reshape(_SHADOW_RAYS, len(origin), 3)[:, facing].reshape(-1, 3)
    free[:, facing] = ~scene.occluded(np.tile(origin[facing], (_SHADOW_RAYS, 1)), directions).reshape(_SHADOW_RAYS, -1)
    return free.mean(0)


def _ambient_visibility(
    scene: Scene, origin: Array, normal: Array, pixels: int, pixel: Array, rng: np.random.Generator
) -> Array:
    around = unit(_AMBIENT_DIRECTIONS)
    shaken = unit(around[:, None] + 0.22 * rng.standard_normal((1, pixels, 3), dtype=F32)[:, pixel])
    directions = unit(normal[None] + 0.97 * shaken).reshape(-1, 3)
    hits = scene.intersect(np.tile(origin, (_AMBIENT_RAYS, 1)), directions)
    near = np.clip(hits.distance * F32(1 / _REACH_DM), 0, 1) ** F32(0.8)
    return np.where(hits.triangle < 0, F32(1), near).reshape(_AMBIENT_RAYS, len(origin)).mean(0)


def _at_rays(values: Array, rays_px: int, ray: Array) -> Array:
    """Pixel values enlarged to the rays' grid and taken where rays hit."""
    enlarged = Image.fromarray(values.astype(F32)).resize((rays_px, rays_px), Image.BILINEAR)
    return np.asarray(enlarged).reshape(-1)[ray].astype(F32)
