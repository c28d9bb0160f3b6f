"""Hair styles, grown on the template's scalp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engines.core.rng import numpy_generator
from engines.data.faces.hairline import azimuth_deg, hairline
from engines.data.faces.headspace import head_space
from engines.data.faces.portrait import Portrait
from engines.data.faces.strands import Strands, along_head, grow, subdivided, wave
from engines.data.faces.styles import COMBED
from engines.data.faces.vectors import F32, Array, smooth, unit

__all__ = ["hair_strands"]

_COUNTS = {"buzz": 4200, "short": 2300, "back": 2300, "forward": 2300, "afro": 3000, "bun": 1300, "long": 1600, "bald": 900}
"""Strands by style: as few as cover the scalp, since every one costs ten to forty triangles."""
_BUN_STRANDS, _BANG_STRANDS = 420, 700
_FRINGE = 0.35
"""A bald head with less `bald_fringe` than this has no hair at all."""


@dataclass(frozen=True)
class _Scalp:
    """Roots of one head of hair, N of them."""

    roots: Array
    normals: Array
    layer: Array
    """[N] in 0..1: how high above the head a strand lies, as a part of the hair's thickness."""
    side: Array
    """[N] of -1 or 1: to which side of the parting it falls."""
    top: Array
    """[N] in 0..1: 1 on top of the head."""
    front: Array
    """[N] in 0..1: 1 over the forehead."""


class _Grown(NamedTuple):
    points: Array
    """[N, K, 3]."""
    width: float
    """Of a strand at its root, dm."""
    amplitude: float
    """Of waves, dm."""


def hair_strands(portrait: Portrait) -> Strands | None:
    """The hair around the template's head, or None for a head without any."""
    if portrait.bald and portrait.bald_fringe < _FRINGE:
        return None
    rng = numpy_generator(portrait.hair_seed)
    style = "bald" if portrait.bald else ("long" if portrait.long else portrait.short_style)
    scalp = _scalp(portrait, style, rng)
    points, width, amplitude = _STYLES[style](portrait, scalp, rng)
    if portrait.bangs and style in ("long", *COMBED):
        points = np.concatenate([points, _bangs(portrait, points.shape[1] - 1, rng)])
    if amplitude > 0:
        frequency = portrait.wave_freq
        if style == "long":
            # Waves need finer strands; a little fewer of them keep the cost down.
            kept = np.arange(len(points)) if portrait.bangs else rng.permutation(len(points))[: int(len(points) * 0.72)]
            points, width = subdivided(points[kept]), width * 1.15
        else:
            frequency = frequency * 1.7
        points = wave(points, amplitude, frequency, portrait.hair_seed % 7, rng)
    count, size = points.shape[:2]
    along = np.linspace(0, 1, size)[None, :]
    if style == "long":
        taper = np.clip(1.7 * (1 - along) ** 0.55 + 0.05, 0.05, 1)
    else:
        taper = np.clip(1.45 * (1 - along) ** 0.7 + 0.04, 0.04, 1)
    widths = width * (0.6 + 0.8 * rng.random((count, 1))) * (0.55 + 0.45 * np.minimum(1, 4 * along)) * taper
    return Strands(points.astype(F32), widths.astype(F32), rng.random(count).astype(F32))


def _scalp(portrait: Portrait, style: str, rng: np.random.Generator) -> _Scalp:
    space = head_space()
    roots = space.roots
    above = hairline(roots, portrait.recede, portrait.widow) + 0.035 * rng.standard_normal(len(roots)) * 0.6
    rooted = above > 0.0
    if style == "bald":
        rooted &= (roots[:, 1] < 7.72 + 0.05 * rng.standard_normal(len(roots))) & (azimuth_deg(roots) > 66)
    if style != "long":
        rooted &= roots[:, 2] > -0.02  # short hair at the back is never seen
    chosen = np.flatnonzero(rooted)[: _COUNTS[style]]
    roots = roots[chosen]
    layer = rng.random(len(roots))
    side = np.sign(roots[:, 0] - portrait.part + 0.05 * rng.standard_normal(len(roots)))
    top, front = smooth(7.75, 8.15, roots[:, 1]), smooth(0.7, 1.15, roots[:, 2])
    return _Scalp(roots, space.root_normals[chosen], layer, side, top, front)


def _amplitude(portrait: Portrait) -> float:
    return portrait.wave_amp if portrait.wavy else 0.0


def _cropped(portrait: Portrait, scalp: _Scalp, rng: np.random.Generator) -> _Grown:
    """Buzz cuts, and the ring that a bald head keeps."""
    length = (0.05 + 0.07 * portrait.length) * (0.7 + 0.6 * scalp.layer) * 1.0

    def comb(points: Array, outward: Array) -> Array:
        down, back = -0.6 + 0 * points[:, 0], -0.5 + 0 * points[:, 0]
        return along_head(np.stack([0.2 * np.sign(points[:, 0]), down, back], 1), outward)

    points = grow(
        scalp.roots, scalp.normals, length, 2 if portrait.bald else 1, comb, rng,
        gravity=0.1, clearance=0.01 + 0.03 * scalp.layer, lift=0.45, jitter=0.25,
    )  # fmt: skip
    return _Grown(points, 0.016, _amplitude(portrait))


def _combed(portrait: Portrait, scalp: _Scalp, rng: np.random.Generator) -> _Grown:
    """Short hair combed to the sides, back or forward."""
    top, front, side = scalp.top, scalp.front, scalp.side
    style, volume, wavy = portrait.short_style, portrait.volume, portrait.wavy
    length = (0.24 + 0.42 * portrait.length + (0.24 if wavy else 0)) * (0.55 + 0.45 * top)
    length = length * (0.7 + 0.6 * rng.random(len(top))) * (1 - 0.35 * (1 - top) * (1 - portrait.length))
    if style == "forward":  # never over the forehead: that would be bangs
        length = np.minimum(length, np.maximum(0.07, 0.9 * (1.28 - scalp.roots[:, 2]) + 0.06))
    on_top = {
        "short": (1.0 * side, 0.1 + 0 * side, 0.35 * front - 0.35 * (1 - front)),
        "back": (0.25 * side, 0.25 + 0 * side, -1.0 + 0 * side),
        "forward": (0.25 * side, -0.1 + 0 * side, 1.0 + 0 * side),
    }[style]

    def comb(points: Array, outward: Array) -> Array:
        share = smooth(7.7, 8.1, points[:, 1])[:, None]
        below = np.stack([0.05 * np.sign(points[:, 0]), -1.0 + 0 * side, -0.45 + 0 * side], 1)
        return along_head(share * np.stack(on_top, 1) + (1 - share) * below, outward)

    thickness = (0.04 + 0.09 * volume + (0.06 if wavy else 0)) * (0.35 + 0.65 * top)
    points = grow(
        scalp.roots, scalp.normals, length, 4, comb, rng,
        gravity=0.20, clearance=0.02 + thickness * scalp.layer, lift=0.35 + 0.45 * volume,
        jitter=0.06 + 0.10 * portrait.mess, cling=0.32 if wavy else 0.5,
    )  # fmt: skip
    return _Grown(points, 0.026, _amplitude(portrait))


def _afro(portrait: Portrait, scalp: _Scalp, rng: np.random.Generator) -> _Grown:
    count = len(scalp.roots)
    length = (0.16 + 0.42 * portrait.length * portrait.volume + 0.06) * (0.8 + 0.3 * rng.random(count))
    length = length * (0.6 + 0.4 * smooth(7.0, 7.8, scalp.roots[:, 1]))

    def comb(points: Array, outward: Array) -> Array:
        return unit(0.9 * outward + 0.6 * rng.standard_normal((count, 3)) + np.array([0, 0.12, -0.12]))

    points = grow(
        scalp.roots, scalp.normals, length, 4, comb, rng,
        gravity=0.05, clearance=0.03 + 0 * scalp.layer, lift=1.2, jitter=0.25, inertia=0.4,
    )  # fmt: skip
    return _Grown(points, 0.034, 0.05)


def _bun(portrait: Portrait, scalp: _Scalp, rng: np.random.Generator) -> _Grown:
    """Hair drawn to a knot at the back of the head, and the knot."""
    knot = np.array([0, 8.0 + 0.35 * portrait.length, -0.35])
    length = np.linalg.norm(knot - scalp.roots, axis=1) * 1.25
    points = grow(
        scalp.roots, scalp.normals, length, 8, lambda p, outward: along_head(unit(knot - p), outward), rng,
        gravity=0.0, clearance=0.02 + 0.06 * scalp.layer * (0.4 + portrait.volume), lift=0.35, jitter=0.04, cling=0.6,
    )  # fmt: skip
    start = unit(rng.standard_normal((_BUN_STRANDS, 3)))
    radius = 0.22 + 0.13 * portrait.volume
    towards = unit(np.cross(start, rng.standard_normal((_BUN_STRANDS, 3))))
    angle = np.linspace(0, 1.6, points.shape[1])[None, :, None]
    centre = knot + np.array([0, 0.12, -0.12])
    arcs = start[:, None] * np.cos(angle) + towards[:, None] * np.sin(angle)
    wound = centre + radius * (0.75 + 0.3 * rng.random((_BUN_STRANDS, 1, 1))) * arcs
    rng.random(_BUN_STRANDS)  # an old draw that later ones follow
    return _Grown(np.concatenate([points, wound]), 0.026, _amplitude(portrait))


def _long(portrait: Portrait, scalp: _Scalp, rng: np.random.Generator) -> _Grown:
    side, front, tuck, volume = scalp.side, scalp.front, portrait.tuck, portrait.volume
    roots = scalp.roots
    # Lengths differ by height of the root only, so that the ends hang level.
    length = (1.25 + 1.15 * portrait.length) * (0.96 + 0.08 * rng.random(len(roots))) + 0.8 * (roots[:, 1] - 7.6)
    back = smooth(0.35, -0.1, roots[:, 2])

    def comb(points: Array, outward: Array) -> Array:
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        share = smooth(7.55, 8.15, y)[:, None]
        on_top = np.stack([1.0 * side, 0.05 - 0.3 * back, 0.10 * front - 0.55 * (1 - front) - 0.25 * tuck], 1)
        inward = (0.02 - 0.10 * smooth(6.9, 6.4, y)) * np.sign(x)
        below = np.stack([inward, -1.0 + 0 * side, -0.10 - 0.35 * tuck * smooth(0.4, 0.9, z)], 1)
        wanted = share * on_top + (1 - share) * below
        return unit(0.75 * along_head(wanted, outward) + 0.25 * unit(wanted))

    def keep_out(points: Array) -> Array:
        """Out of an ellipse in front of the face and of the throat below it."""
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        where = np.where(np.abs(x) < 0.25, side, np.sign(x + 1e-6))
        height = (y - 7.25) / 0.92
        half = (0.62 + 0.10 * tuck) * np.sqrt(np.clip(1 - height * height, 0, 1)) * smooth(0.45, 0.8, z)
        half = np.maximum(half, (0.42) * smooth(6.6, 6.3, y) * smooth(0.3, 0.6, z))
        return np.stack([np.where(where * x < half, where * half, x), y, z], 1)

    thickness = 0.05 + 0.16 * volume
    points = grow(
        roots, scalp.normals, length, 10, comb, rng,
        gravity=0.35, clearance=0.025 + thickness * scalp.layer, lift=0.35 + 0.3 * volume,
        jitter=0.025 + 0.035 * portrait.mess, keep_out=keep_out, cling=0.75,
    )  # fmt: skip
    return _Grown(points, 0.049, _amplitude(portrait))


def _bangs(portrait: Portrait, segments: int, rng: np.random.Generator) -> Array:
    """Strands [N, segments + 1, 3] from the front of the hairline down to the brows."""
    space = head_space()
    above = hairline(space.roots, 0, 0)
    in_front = (space.roots[:, 2] > 0.82) & (np.abs(space.roots[:, 0]) < 0.56)
    chosen = np.flatnonzero((above > 0.0) & (above < 0.30) & in_front)[:_BANG_STRANDS]
    roots, normals = space.roots[chosen].astype(float), space.root_normals[chosen].astype(float)
    count = len(roots)
    end = 7.60 + 0.03 * rng.standard_normal(count) + 0.03 * portrait.mess * rng.standard_normal(count)
    length = np.maximum(roots[:, 1] - end, 0.12) * 1.18 + 0.07

    def comb(points: Array, outward: Array) -> Array:
        sideways, forward = portrait.bang_sweep + 0.25 * points[:, 0], 0.8 * smooth(8.0, 8.2, points[:, 1])
        return along_head(np.stack([sideways, -1.0 + 0 * points[:, 0], forward], 1), outward)

    clearance = 0.03 + 0.07 * rng.random(count)
    points = grow(roots, normals, length, segments, comb, rng, gravity=0.2, clearance=clearance, lift=0.5, jitter=0.05)
    rng.random(count)  # an old draw that later ones follow
    return points


_STYLES = {
    "bald": _cropped, "buzz": _cropped, "short": _combed, "back": _combed, "forward": _combed,
    "afro": _afro, "bun": _bun, "long": _long,
}  # fmt: skip
"""How each style grows."""
