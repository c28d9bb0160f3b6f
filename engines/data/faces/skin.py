"""Skin: colour, blood, lines, lips, painted hair and lashes, keyed by template positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from engines.data.faces.beard import beard_paint, beard_regions
from engines.data.faces.brows import brow_opacity
from engines.data.faces.colours import brow_colour, hair_colour, linear, skin_colour
from engines.data.faces.creases import creases
from engines.data.faces.hairline import azimuth_deg, hairline
from engines.data.faces.head import MASK_PX, Head
from engines.data.faces.noise import noise
from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["INNER_MOUTH", "SkinPoints", "SkinSurface", "shade_skin"]

INNER_MOUTH = np.array([0.16, 0.035, 0.03], F32)
"""Linear RGB of the flesh behind the lips."""


@dataclass(frozen=True)
class SkinPoints:
    """Points on the skin, N of them."""

    template: Array
    """float32 [N, 3]."""
    uv: Array
    """float32 [N, 2]."""
    lid_distance: Array
    """float32 [N, 2]: to the upper and lower lid margin, dm."""


@dataclass(frozen=True)
class SkinSurface:
    """How those points look."""

    colour: Array
    """Linear RGB [N, 3]."""
    specular: Array
    """[N]."""
    bump: Array
    """[N, 3]: noise to shake the normals with."""


class _Noise:
    """Skin noise at four scales, from patches to pores; each roughly standard normal [N]."""

    def __init__(self, points: Array, seed: int) -> None:
        self.coarse = noise(points, 3.0, seed % 11)
        self.medium = noise(points, 11.0, seed % 13 + 1)
        self.fine = noise(points, 34.0, seed % 7 + 2)
        self.pores = noise(points, 58.0, seed % 5 + 3)


def shade_skin(head: Head, portrait: Portrait, points: SkinPoints) -> SkinSurface:
    at = points.template
    grain = _Noise(at, portrait.skin_seed)
    front = smooth(0.6, 1.0, at[:, 2])
    colour = _complexion(portrait, at, grain, front)
    bump = np.stack([grain.fine, grain.pores, noise(at, 30.0, 6)], 1)
    if portrait.wrinkles > 0.02:
        colour = creases(portrait, at, front, grain.coarse, grain.medium, colour)
    colour = _spots(portrait, at, front, colour)
    colour, lips = _lips(head, portrait, points, grain.medium, colour)
    specular = _shine(portrait, at, grain, front, lips)
    colour, specular = _scalp(portrait, at, grain, colour, specular)
    brows = brow_opacity(portrait, at, front)
    colour = colour * (1 - brows[:, None]) + brow_colour(portrait) * brows[:, None]
    specular = specular * (1 - 0.7 * brows)
    colour, specular = _facial_hair(portrait, at, grain, lips, colour, specular)
    colour = _lashes(portrait, at, points.lid_distance, colour)
    return SkinSurface(colour, specular, bump)


def _complexion(portrait: Portrait, at: Array, grain: _Noise, front: Array) -> Array:
    """Melanin, fine unevenness, blood, and the darker skin about the eyes."""
    x, y, z = at[:, 0], at[:, 1], at[:, 2]
    away = np.abs(x)
    melanin = portrait.melanin + 0.009 * grain.coarse + 0.005 * grain.medium * portrait.skin_uneven + 0.003 * grain.fine
    colour = skin_colour(melanin)
    pores = (0.028 * grain.pores + 0.010 * grain.fine)[:, None]
    colour = colour * (1 + pores * portrait.pores * (1 - 0.5 * portrait.makeup))
    patches = (grain.medium + 0.6 * grain.coarse)[:, None]
    colour = colour * np.exp(0.018 * portrait.skin_uneven * patches * np.array([0.25, -0.9, -0.5], F32))
    # Blood: cheeks, nose, chin, ears.
    blood = 0.9 * np.exp(-(((away - 0.36) / 0.17) ** 2 + ((y - 7.02) / 0.15) ** 2)) * front
    blood += 0.8 * np.exp(-((x / 0.11) ** 2 + ((y - 7.02) / 0.11) ** 2)) * smooth(1.35, 1.5, z)
    blood += 0.35 * np.exp(-((x / 0.14) ** 2 + ((y - 6.42) / 0.10) ** 2)) * front
    blood += 0.6 * smooth(0.68, 0.76, away) * smooth(6.8, 6.9, y) * smooth(7.5, 7.4, y)
    blood = blood * (0.5 + 0.7 * portrait.redness) * (1 + 0.12 * grain.medium) + 0.06 * grain.coarse
    if portrait.makeup > 0:  # rouge
        blood += portrait.makeup * 0.9 * np.exp(-(((away - 0.42) / 0.15) ** 2 + ((y - 7.06) / 0.10) ** 2)) * front
    blood = blood * (0.8 + 0.4 * portrait.gender)
    strength = (0.15 + 0.06 * (1 - portrait.melanin)) * blood[:, None]
    colour = colour * np.exp(strength * np.array([0.25, -1.0, -0.75], F32))
    # Eye sockets and the skin under the eyes are darker and more violet.
    from_eye = ((away - 0.29) / 0.185) ** 2 + ((y - 7.37) / 0.105) ** 2
    socket = np.exp(-from_eye * 1.1) * smooth(1.0, 1.15, z)
    under = np.exp(-(((away - 0.27) / 0.13) ** 2 + ((y - 7.235 + 0.10 * (away - 0.27)) / 0.035) ** 2)) * front
    colour = colour * (1 - (0.14 + 0.10 * portrait.melanin) * socket[:, None] * np.array([0.6, 1, 0.9], F32) * 0.8)
    colour = colour * (1 - (0.08 + 0.22 * portrait.undereye) * under[:, None] * np.array([0.75, 1, 0.8], F32))
    if portrait.makeup > 0:  # eye shadow
        lid = np.exp(-(((away - 0.30) / 0.13) ** 2 + ((y - 7.445) / 0.042) ** 2)) * front
        colour = colour * (1 - 0.55 * portrait.makeup * lid[:, None] * (1 - linear(portrait.eyeshadow)))
    return colour


def _spots(portrait: Portrait, at: Array, front: Array, colour: Array) -> Array:
    """Freckles and moles."""
    x, y = at[:, 0], at[:, 1]
    if portrait.freckles > 0:
        zone = np.exp(-(((np.abs(x) - 0.22) / 0.28) ** 2 + ((y - 7.08) / 0.17) ** 2)) * front
        freckle = smooth(1.0, 1.9, noise(at, 24.0, 3)) * zone * portrait.freckles
        colour = colour * (1 - 0.5 * freckle[:, None] * np.array([0.45, 0.8, 1], F32))
    for mole_x, mole_y, radius in portrait.moles:
        mole = smooth(radius * 1.3, radius * 0.5, np.hypot(x - mole_x, y - mole_y)) * front
        colour = colour * (1 - 0.7 * mole[:, None] * np.array([0.8, 1, 1], F32))
    return colour


def _lips(head: Head, portrait: Portrait, points: SkinPoints, medium: Array, colour: Array) -> tuple[Array, Array]:
    """The colour with lips and inner mouth, and the lip mask [N]."""
    at = points.template
    x, y = at[:, 0], at[:, 1]
    lips, inner = np.zeros_like(x), np.zeros_like(x)
    near = np.flatnonzero((y < 7.0) & (y > 6.2) & (np.abs(x) < 0.55))
    columns = np.clip(points.uv[near, 0] * MASK_PX - 0.5, 0, MASK_PX - 2)
    rows = np.clip((1 - points.uv[near, 1]) * MASK_PX - 0.5, 0, MASK_PX - 2)
    lips[near] = map_coordinates(head.lips, [rows, columns], order=1, output=F32) * smooth(1.0, 1.1, at[near, 2])
    inner[near] = map_coordinates(head.inner_mouth, [rows, columns], order=1, output=F32)
    lips = smooth(0.15, 0.85, lips) * (1 - smooth(0.3, 0.7, inner))
    painted = colour * np.array([0.90, 0.73, 0.71], F32) * (1 - 0.10 * portrait.redness)
    if portrait.lipstick:
        painted = 0.10 * painted + 0.90 * (linear(portrait.lip_color) * (1 + 0.10 * medium[:, None]))
    painted = painted * (1 - 0.12 * np.abs(np.sin(x * 95))[:, None] * 0.8)
    colour = colour * (1 - lips[:, None]) + painted * lips[:, None]
    return np.where(inner[:, None] > 0.4, INNER_MOUTH, colour), lips


def _shine(portrait: Portrait, at: Array, grain: _Noise, front: Array, lips: Array) -> Array:
    """Strength of the highlight: oily skin, more on forehead and nose, wet lips."""
    specular = (0.70 + 0.06 * grain.medium + 0.10 * grain.fine) * portrait.oily
    middle = np.exp(-((at[:, 0] / 0.22) ** 2)) * smooth(6.9, 7.2, at[:, 1]) * front
    specular = specular * (0.65 + 0.6 * middle) * (1 - 0.3 * portrait.makeup)
    return specular * (1 - lips) + lips * (0.45 + 0.5 * portrait.lipstick)


def _scalp(portrait: Portrait, at: Array, grain: _Noise, colour: Array, specular: Array) -> tuple[Array, Array]:
    """Hair colour painted under the strands, or the shadow of shaven hair around a bald head."""
    y = at[:, 1]
    hair = hair_colour(portrait)
    if portrait.bald:
        edge = smooth(-0.03, 0.06, hairline(at, 0, 0) + 0.03 * grain.medium)
        ring = edge * smooth(7.85, 7.6, y + 0.04 * grain.coarse) * smooth(60, 72, azimuth_deg(at)) * (y > 6.6)
        opacity = (ring * (0.25 + 0.5 * (portrait.bald_fringe >= 0.35)))[:, None]
        return colour * (1 - opacity) + hair * 0.8 * opacity, specular * (1 + 0.5 * smooth(8.0, 8.3, y))
    above = hairline(at, portrait.recede, portrait.widow)
    buzzed = portrait.short_style == "buzz" and not portrait.long
    softness = 0.05 if buzzed else 0.045
    covered = smooth(-softness, softness * 1.3, above + 0.03 * grain.medium + 0.012 * grain.fine) * (y > 6.6)
    density = 0.62 + 0.25 * portrait.length if buzzed else 0.94
    density = density * (0.88 + 0.12 * smooth(0.0, 0.12, above)) * (1 - 0.25 * portrait.thin_hair * smooth(7.9, 8.2, y))
    opacity = (covered * density)[:, None]
    painted = hair * 0.75 * (1 + 0.25 * grain.fine[:, None])
    return colour * (1 - opacity) + painted * opacity, specular * (1 - opacity[:, 0] * 0.8)


def _facial_hair(
    portrait: Portrait, at: Array, grain: _Noise, lips: Array, colour: Array, specular: Array
) -> tuple[Array, Array]:
    """The shade of a shaven beard, or the paint under a grown one."""
    hair = hair_colour(portrait)
    if portrait.gender > 0.5 and portrait.beard == "none":
        jaw, moustache = beard_regions(at, portrait.beard_line)
        shade = (0.20 * (portrait.gender - 0.5) * 2 * np.maximum(jaw, moustache) * (1 - lips))[:, None]
        colour = colour * (1 - shade) + hair * 0.7 * shade
    beard = beard_paint(portrait, at, grain.coarse, grain.medium)
    if beard is not None:
        opacity = beard * np.clip(0.85 + 0.25 * grain.fine, 0.3, 1)
        opacity = (opacity * (1 - lips))[:, None]
        painted = (0.45 * hair + 0.12 * colour) if portrait.beard == "stubble" else hair * 0.85
        colour = colour * (1 - opacity) + painted * opacity
        specular = specular * (1 - 0.7 * opacity[:, 0])
    return colour, specular


def _lashes(portrait: Portrait, at: Array, lid_distance: Array, colour: Array) -> Array:
    """A dark line at the lid margins; stronger with make-up and for women."""
    width = 0.018 + 0.012 * portrait.makeup
    upper = np.exp(-((lid_distance[:, 0] / width) ** 2)) * (0.50 + 0.35 * (1 - portrait.gender) + 0.18 * portrait.makeup)
    lower = np.exp(-((lid_distance[:, 1] / 0.013) ** 2)) * (0.25 + 0.35 * portrait.makeup)
    opacity = np.clip(upper + lower, 0, 0.95)[:, None] * (at[:, 2] > 1.0)[:, None]
    return colour * (1 - opacity) + np.array([0.012, 0.009, 0.008], F32) * opacity
