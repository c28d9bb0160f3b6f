"""The ten styles that creatures are drawn in, and whom to thank for them.

The drawings come from the package `dicebear-styles`, whose definitions name artist and licence; the table below repeats
them. Only styles under CC0 1.0 are used: "Bottts" (Pablo Stanley) would fit in well, but its terms, "Free for personal and
commercial use", say nothing of changed works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["CREDITS", "STYLES", "Credit", "Style"]

_CC0 = "CC0 1.0"


@dataclass(frozen=True)
class Style:
    """One kind of creature; its place in STYLES is its class."""

    id: str
    """Name of the definition in `dicebear-styles`."""
    colours: Mapping[str, str]
    """Colour of the definition -> which of the creature's own colours it gets (see :mod:`engines.data.creatures.palette`)."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Other options of the drawing."""


@dataclass(frozen=True)
class Credit:
    """Where a style comes from, as its definition says."""

    title: str
    creator: str
    licence: str
    source: str


_ROWS = (
    Style("critters", {"body": "main", "accent": "second"}),
    Style("sprouts", {"pot": "main", "plant": "second", "bloom": "pale"}),
    # Stars are sky, and moons would make the planet's own size depend on where they stand.
    Style("planets", {"planet": "main"}, {"starProbability": 0, "moonsProbability": 0}),
    Style("moods", {"face": "main"}),
    Style("clay", {"body": "main", "accent": "second"}),
    Style("marbles", {"sphere": "main", "blend": "second", "tint": "pale", "ink": "ink"}),
    Style("cutouts", {"paperFace": "main", "paperBack": "deep", "paperHair": "second"}),
    Style("cameo", {"body": "main"}),
    Style("gaze", {"body": "main"}),
    Style("voxel-bot", {"body": "main", "glow": "pale"}),
)

STYLES: Mapping[str, Style] = MappingProxyType({row.id: row for row in _ROWS})
"""Id -> style, in the order of the classes."""

CREDITS: Mapping[str, Credit] = MappingProxyType(
    {
        "critters": Credit("Critters", "DiceBear", _CC0, "https://www.dicebear.com"),
        "sprouts": Credit("Sprouts", "DiceBear", _CC0, "https://www.dicebear.com"),
        "planets": Credit("Planets", "DiceBear", _CC0, "https://www.dicebear.com"),
        "moods": Credit("Moods", "DiceBear", _CC0, "https://www.dicebear.com"),
        "clay": Credit("Clay", "DiceBear", _CC0, "https://www.dicebear.com"),
        "marbles": Credit("Marbles", "DiceBear", _CC0, "https://www.dicebear.com"),
        "cutouts": Credit("Cutouts", "DiceBear", _CC0, "https://www.dicebear.com"),
        "cameo": Credit("Cameo", "DiceBear", _CC0, "https://www.dicebear.com"),
        "gaze": Credit("Gaze", "DiceBear", _CC0, "https://www.dicebear.com"),
        "voxel-bot": Credit("Voxel Bot", "DiceBear", _CC0, "https://www.dicebear.com"),
    }
)
"""Id -> credit, one for every style."""
