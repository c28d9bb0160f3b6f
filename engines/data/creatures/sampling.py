"""Drawing creatures: as the generator learns them, and as a photographer who does not care would take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engines.core.rng import numpy_generator
from engines.data.creatures.background import PLAINS, TEXTURES
from engines.data.creatures.creature import Creature
from engines.data.creatures.drawing import extent_of

__all__ = ["LARGE_SIZE", "USUAL_SIZE", "sample", "sample_astray"]

# Pairs of ranges with a gap between: what a picture cannot show must not decide a label.
_HUES_COLD, _HUES_WARM = (175.0, 285.0), (15.0, 85.0)
_SECOND_HUE_APART = 25.0
_LIGHT, _DARK = (0.75, 0.83), (0.50, 0.58)
_SMALL, _LARGE = (0.46, 0.54), (0.62, 0.70)
_BACKGROUND_LIGHT, _BACKGROUND_DARK = (0.87, 0.94), (0.20, 0.32)

LARGE_SIZE = 0.58
"""Larger is Large; no training picture comes near."""
USUAL_SIZE = LARGE_SIZE
"""What scales out of distribution are relative to."""
_SPREAD = 0.03
"""Standard deviation of the box's centre around the picture's."""
_EDGE = 0.01
"""Between box and border, at least."""
_SCALES_ASTRAY = (0.5, 1.3)
_DARKER, _BRIGHTER = (-0.6, -0.2), (0.1, 0.25)


def sample(style: str, seed: Sequence[int]) -> Creature:
    """A creature of a class in the middle of its picture, more or less."""
    rng = numpy_generator(*seed)

    def between(bounds: tuple[float, float]) -> float:
        return round(float(rng.uniform(*bounds)), 4)

    def switch() -> bool:
        return bool(rng.random() < 0.5)

    shape_seed = int(rng.integers(1 << 31))
    creature = Creature(
        style=style,
        seed=shape_seed,
        flipped=switch(),
        extent=extent_of(style, shape_seed),
        warm=switch(),
        hues_cold=_two_hues(_HUES_COLD, rng),
        hues_warm=_two_hues(_HUES_WARM, rng),
        dark=switch(),
        lightnesses=(between(_LIGHT), between(_DARK)),
        chroma=between((0.10, 0.15)),
        large=switch(),
        sizes=(between(_SMALL), between(_LARGE)),
        x=round(0.5 + float(rng.normal(0, _SPREAD)), 4),
        y=round(0.5 + float(rng.normal(0, _SPREAD)), 4),
        background_dark=switch(),
        background_lightnesses=(between(_BACKGROUND_LIGHT), between(_BACKGROUND_DARK)),
        background_warm=switch(),
        background_hues=(between((200.0, 290.0)), between((30.0, 90.0))),
        background_chroma=between((0.035, 0.06)),
        textured=switch(),
        plain=PLAINS[int(rng.integers(len(PLAINS)))],
        texture=TEXTURES[int(rng.integers(len(TEXTURES)))],
        background_seed=int(rng.integers(1 << 31)),
        brightness=0.0,
    )
    return _inside(creature)


def sample_astray(style: str, seed: Sequence[int]) -> Creature:
    """A creature off-centre, half to 1.3 times its usual size, lit wrongly, on a flat or a cluttered background."""
    creature = sample(style, [*seed, 0])
    rng = numpy_generator(*seed, 1)
    size = round(USUAL_SIZE * float(rng.uniform(*_SCALES_ASTRAY)), 4)
    large = size > LARGE_SIZE
    sizes = (creature.sizes[0], size) if large else (size, creature.sizes[1])
    bounds = _DARKER if rng.random() < 0.5 else _BRIGHTER
    creature = replace(
        creature,
        large=large,
        sizes=sizes,
        plain="flat",
        texture="clutter",
        brightness=round(float(rng.uniform(*bounds)), 4),
    )
    return _off_centre(creature, rng)


def _two_hues(bounds: tuple[float, float], rng: np.random.Generator) -> tuple[float, float]:
    """A first hue, and a second one that can be told from it."""
    first = second = float(rng.uniform(*bounds))
    while abs(second - first) < _SECOND_HUE_APART:
        second = float(rng.uniform(*bounds))
    return round(first, 2), round(second, 2)


def _inside(creature: Creature) -> Creature:
    """Moved as far as needed for the box to lie inside the picture at both sizes: the size's counterfactual moves nothing."""
    x0, y0, x1, y1 = replace(creature, large=True).box
    rooms = ((1 - (x1 - x0)) / 2 - _EDGE, (1 - (y1 - y0)) / 2 - _EDGE)
    x, y = (min(max(middle, 0.5 - room), 0.5 + room) for middle, room in zip((creature.x, creature.y), rooms, strict=True))
    return replace(creature, x=round(x, 4), y=round(y, 4))


def _off_centre(creature: Creature, rng: np.random.Generator) -> Creature:
    """At least half-way from the middle to the border, along one axis or both; the box stays inside."""
    x0, y0, x1, y1 = creature.box
    u, v = 0.0, 0.0
    while max(abs(u), abs(v)) < 0.5:
        u, v = rng.uniform(-1, 1, 2)
    x, y = (0.5 + share * max(0.0, (1 - side) / 2 - _EDGE) for share, side in ((u, x1 - x0), (v, y1 - y0)))
    return replace(creature, x=round(float(x), 4), y=round(float(y), 4))
