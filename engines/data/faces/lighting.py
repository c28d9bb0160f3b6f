"""Light: a key, a weak fill and a hemisphere; skin scatters, hair shines along its strands, eyes mirror."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.data.faces.colours import linear
from engines.data.faces.noise import noise
from engines.data.faces.portrait import Portrait
from engines.data.faces.surface import Kind, Points, Surface
from engines.data.faces.vectors import F32, Array, dot, smooth, unit
from engines.data.faces.visibility import Visibility

__all__ = ["Lamps", "key_direction", "lamps_of", "light_surface"]

_SKIN_WRAP = np.array([0.34, 0.20, 0.16], F32)
"""How far light reaches around an edge per channel: red travels farthest under the skin."""


@dataclass(frozen=True)
class Lamps:
    """Directions and colours (linear RGB [3])."""

    key: Array
    fill: Array
    key_colour: Array
    ambient_colour: Array


def key_direction(portrait: Portrait) -> Array:
    """float32 [3]: from the face to the key light."""
    azimuth, elevation = portrait.light_az, portrait.light_el
    level = np.cos(elevation)
    return unit(np.array([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level])).astype(F32)


def lamps_of(portrait: Portrait) -> Lamps:
    key_colour = portrait.light_int * np.array([1.0 + 0.10 * portrait.warm, 1.0, 1.0 - 0.16 * portrait.warm], F32)
    room = linear(np.array(portrait.bg_color) * 255)
    ambient = portrait.ambient * (np.array([1.0, 1.0, 1.03], F32) * 0.75 + 0.35 * room / (room.mean() + 0.05) * 0.5)
    fill = unit(np.array([-np.sign(np.sin(portrait.light_az)) * 0.75, 0.15, 0.75])).astype(F32)
    return Lamps(key_direction(portrait), fill, key_colour, ambient)


def light_surface(portrait: Portrait, points: Points, surface: Surface, seen: Visibility, lamps: Lamps) -> Array:
    """Linear RGB [N, 3] that reaches the camera."""
    facing = surface.normal @ lamps.key
    around = _surroundings(portrait, surface, lamps)
    lit = surface.colour * _diffuse(surface, seen, lamps, facing, around)
    halfway = unit(lamps.key + points.to_camera)
    for shine in _highlights(points, surface, seen, lamps, facing, halfway):
        lit += shine
    strands = np.flatnonzero(surface.kind == Kind.HAIR)
    if len(strands):
        lit[strands] = _hair(portrait, points, surface, seen, lamps, facing, halfway, around, strands)
    eyes = np.flatnonzero(surface.kind == Kind.EYE)
    if len(eyes):
        lit[eyes] += _eye_reflections(points, surface, seen, lamps, eyes)
    return lit


@dataclass(frozen=True)
class _Surroundings:
    hemisphere: Array
    """[N, 3]."""
    fill: Array
    """[N]."""


def _surroundings(portrait: Portrait, surface: Surface, lamps: Lamps) -> _Surroundings:
    up = surface.normal[:, 1]
    bounce = (0.10 * (0.5 - 0.5 * up))[:, None] * np.array([1.0, 0.8, 0.65], F32) * portrait.ambient
    hemisphere = (0.62 + 0.38 * up)[:, None] * lamps.ambient_colour + bounce
    return _Surroundings(hemisphere, portrait.fill * np.clip((surface.normal @ lamps.fill) * 0.7 + 0.3, 0, 1))


def _diffuse(surface: Surface, seen: Visibility, lamps: Lamps, facing: Array, around: _Surroundings) -> Array:
    skin = (surface.kind == Kind.SKIN)[:, None]
    wrap = np.where(skin, _SKIN_WRAP, 0.06)
    key = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, 1) ** 1.15
    # Shadow edges on skin are red; so are its occluded folds.
    shadow = np.where(skin, np.stack([seen.key**0.75, seen.key, seen.key**1.05], 1), seen.key[:, None])
    occlusion = np.stack([seen.ambient**1.15, seen.ambient**1.45, seen.ambient**1.5], 1)
    return key * shadow * lamps.key_colour + (around.hemisphere + around.fill[:, None]) * occlusion


def _highlights(
    points: Points, surface: Surface, seen: Visibility, lamps: Lamps, facing: Array, halfway: Array
) -> tuple[Array, Array]:
    """Two Blinn lobes with Fresnel from the key, and a faint rim of the surroundings on skin; [N, 3] each."""
    to_half = np.clip(dot(surface.normal, halfway), 0, 1)
    fresnel = 0.04 + 0.5 * (1 - np.clip(dot(surface.normal, points.to_camera), 0, 1)) ** 5
    lobes = 0.55 * to_half**surface.gloss + 0.5 * to_half ** (surface.gloss * 4)
    key = surface.specular * seen.key * lobes * np.clip(facing * 3, 0, 1)
    rim = np.where(surface.kind == Kind.SKIN, surface.specular, 0.0) * fresnel * seen.ambient * 0.35
    return (key * (fresnel + 0.05) * 2.0)[:, None] * lamps.key_colour, rim[:, None] * lamps.ambient_colour * 1.0


def _hair(
    portrait: Portrait, points: Points, surface: Surface, seen: Visibility, lamps: Lamps, facing: Array, halfway: Array,
    around: _Surroundings, chosen: Array,
) -> Array:  # fmt: skip
    """Kajiya and Kay's strands with two shifted lobes, a white and a coloured one (after Marschner et al. 2003)."""
    tangent, normal, chance = surface.tangent[chosen], surface.normal[chosen], surface.chance[chosen]
    jitter = (0.16 * (chance - 0.5) + 0.03 * noise(points.position[chosen], 2.0, 8))[:, None]
    white_tangent, tinted_tangent = unit(tangent + (0.06 + jitter) * normal), unit(tangent - (0.12 - jitter) * normal)
    white = _sine(dot(white_tangent, halfway[chosen])) ** 90
    tinted = _sine(dot(tinted_tangent, halfway[chosen])) ** 22
    towards = smooth(-0.25, 0.6, facing[chosen])
    key = 0.25 + 0.75 * seen.key[chosen]
    base = surface.colour[chosen]
    diffuse = (0.30 + 0.70 * _sine(tangent @ lamps.key)) * towards
    soft = (around.hemisphere[chosen] + around.fill[chosen][:, None]) * (0.15 + 0.85 * seen.ambient[chosen] ** 1.3)[:, None]
    light = diffuse[:, None] * key[:, None] * lamps.key_colour * 0.95 + soft
    matt = 1.0
    if not portrait.long:
        matt = {"afro": 0.45, "buzz": 0.15}.get(portrait.short_style, 1.0)
    gloss = (0.05 + 0.10 * np.sqrt(base.mean(1, keepdims=True))) * portrait.hair_gloss * matt
    shine = gloss * 0.55 * white[:, None] * lamps.key_colour
    shine = shine + (base * 0.9 + 0.01) * tinted[:, None] * lamps.key_colour * 0.55 * matt
    return base * light + (towards * key)[:, None] * shine


def _sine(cosine: Array) -> Array:
    return np.sqrt(np.clip(1 - cosine * cosine, 0, 1))


def _eye_reflections(points: Points, surface: Surface, seen: Visibility, lamps: Lamps, chosen: Array) -> Array:
    """The sharp reflection of the key light, a broad one of the window around it, and some moisture."""
    normal, to_camera = surface.normal[chosen], points.to_camera[chosen]
    mirrored = 2 * dot(normal, to_camera)[:, None] * normal - to_camera
    sharp = smooth(0.955, 0.985, mirrored @ unit(lamps.key + np.array([0, 0.15, 0.25], F32)))
    window = unit(lamps.key + np.array([-0.3 * np.sign(lamps.key[0]), 0.3, 0.5], F32))
    broad = smooth(0.55, 0.98, mirrored @ window)
    wet = 0.02 * lamps.ambient_colour * seen.ambient[chosen][:, None]
    return (0.9 * sharp + 0.05 * broad)[:, None] * lamps.key_colour + wet
