"""The sets ``creatures`` and ``creatures-ood``: every class in a tenth of the rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from engines.data.creatures.creature import ATTRIBUTES, Creature, counterfactual, labels
from engines.data.creatures.render import render
from engines.data.creatures.sampling import sample, sample_astray
from engines.data.creatures.styles import STYLES
from engines.data.dataset import DataSet, Factor

__all__ = ["CREATURES", "CREATURES_OOD"]

_CLASSES = tuple(STYLES)
_SPLIT_SEEDS = {"train": 1, "validation": 2, "test": 3}
_EXPORT_SEED = 6
_OOD_OFFSET = 40

Sampler = Callable[[str, list[int]], Creature]


def _rows(sampler: Sampler, offset: int) -> Callable[[str, int], Creature]:
    def record(split: str, index: int) -> Creature:
        return sampler(_CLASSES[index % len(_CLASSES)], [_SPLIT_SEEDS[split] + offset, index])

    return record


def _exports(sampler: Sampler, offset: int) -> Callable[[int, int], Creature]:
    """Never one of a set: the seed path is longer."""

    def record(seed: int, index: int) -> Creature:
        return sampler(_CLASSES[index % len(_CLASSES)], [_EXPORT_SEED + offset, seed, index])

    return record


def _hue_factors(name: str, hue: Callable[[Creature], float]) -> tuple[Factor, Factor]:
    """A hue is an angle: its cosine and sine are what a network can tell."""
    return (
        Factor(f"{name}_cos", lambda creature: math.cos(math.radians(hue(creature)))),
        Factor(f"{name}_sin", lambda creature: math.sin(math.radians(hue(creature)))),
    )


CREATURES = DataSet(
    name="creatures",
    size_px=64,
    sizes_px=(32, 512),
    renderer=1,
    licence="CC0-1.0 (drawings: DiceBear); coloured, placed and rendered by this project",
    splits=tuple(_SPLIT_SEEDS),
    attributes=ATTRIBUTES,
    factors=(
        *_hue_factors("hue", lambda creature: creature.hues[0]),
        Factor("lightness", lambda creature: creature.lightness),
        Factor("chroma", lambda creature: creature.chroma),
        Factor("size", lambda creature: creature.size),
        Factor("x", lambda creature: creature.x, survives_mirror=False),
        Factor("y", lambda creature: creature.y),
        Factor("width", lambda creature: creature.box[2] - creature.box[0]),
        *_hue_factors("background_hue", lambda creature: creature.background_hue),
        Factor("background_lightness", lambda creature: creature.background_lightness),
    ),
    # Half of the creatures are flipped anyway.
    may_mirror=True,
    record=_rows(sample, 0),
    exported=_exports(sample, 0),
    read=Creature.from_json,
    render=render,
    labels=labels,
    counterfactual=counterfactual,
    classes=_CLASSES,
    class_of=lambda creature: _CLASSES.index(creature.style),
    box_of=lambda creature: creature.box,
)

CREATURES_OOD = replace(
    CREATURES, name="creatures-ood", record=_rows(sample_astray, _OOD_OFFSET), exported=_exports(sample_astray, _OOD_OFFSET)
)
"""Off-centre, smaller or larger, darker or brighter, on flat or cluttered backgrounds: what a transform has to undo."""
