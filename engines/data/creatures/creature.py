"""The record that says everything about one picture of a creature, its labels, and its counterfactuals."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engines.core.errors import OptionError
from engines.data.lines import from_line, to_line

__all__ = ["ATTRIBUTES", "Creature", "counterfactual", "labels"]

Pair = tuple[float, float]


@dataclass(frozen=True)
class Creature:
    """Every factor of one picture. Each switch chooses between two drawn values, so its counterfactual is in the record too.

    Lightness, chroma and hue (degrees) are those of :mod:`engines.data.creatures.palette`; lengths are shares of the
    picture's side.
    """

    style: str
    """A key of `styles.STYLES`: the class."""
    seed: int
    """Which shapes, eyes, mouth, ornaments."""
    flipped: bool
    """Whether it is drawn as seen in a mirror."""
    extent: tuple[float, float, float, float]
    """Left, top, right, bottom of the drawing inside its own sheet, before it is flipped and placed."""

    warm: bool
    hues_cold: Pair
    """Of the first and the second colour."""
    hues_warm: Pair
    dark: bool
    lightnesses: Pair
    """Light, dark."""
    chroma: float

    large: bool
    sizes: Pair
    """Small, large: the root of the box's area."""
    x: float
    y: float
    """Centre of the box."""

    background_dark: bool
    background_lightnesses: Pair
    """Light, dark."""
    background_warm: bool
    background_hues: Pair
    """Cold, warm."""
    background_chroma: float
    textured: bool
    plain: str
    """flat or gradient: what an untextured background is."""
    texture: str
    """stripes, checks, dots, waves, clouds or (never in training) clutter."""
    background_seed: int

    brightness: float
    """Every value of the picture is multiplied by e^brightness; 0 in training."""

    @property
    def hues(self) -> Pair:
        return self.hues_warm if self.warm else self.hues_cold

    @property
    def lightness(self) -> float:
        return self.lightnesses[self.dark]

    @property
    def size(self) -> float:
        return self.sizes[self.large]

    @property
    def background_lightness(self) -> float:
        return self.background_lightnesses[self.background_dark]

    @property
    def background_hue(self) -> float:
        return self.background_hues[self.background_warm]

    @property
    def background_kind(self) -> str:
        return self.texture if self.textured else self.plain

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The object's rectangle (x0, y0, x1, y1) in the picture."""
        x0, y0, x1, y1 = self.extent
        stretch = ((x1 - x0) / (y1 - y0)) ** 0.5
        half_width, half_height = self.size * stretch / 2, self.size / stretch / 2
        return (self.x - half_width, self.y - half_height, self.x + half_width, self.y + half_height)

    def to_json(self) -> str:
        """One line of JSON, the box included, from which :meth:`from_json` restores the record exactly."""
        return to_line(self, box=[round(side, 4) for side in self.box])

    @classmethod
    def from_json(cls, line: str) -> Creature:
        """Raises OptionError where the line is no creature."""
        return from_line(cls, line, "A creature", derived=("box",))


_SWITCHES = {
    "Warm_Color": "warm",
    "Dark_Color": "dark",
    "Large": "large",
    "Warm_Background": "background_warm",
    "Dark_Background": "background_dark",
    "Textured_Background": "textured",
}
ATTRIBUTES = tuple(_SWITCHES)
"""All classes share them, and each is free of the others."""


def labels(creature: Creature) -> dict[str, bool]:
    """In the order of ATTRIBUTES."""
    return {name: getattr(creature, switch) for name, switch in _SWITCHES.items()}


def counterfactual(creature: Creature, name: str, value: bool) -> Creature:
    """The same creature with that attribute so and nothing else changed."""
    if name not in _SWITCHES:
        raise OptionError(f"There is no attribute {name!r}; choose one of {', '.join(ATTRIBUTES)}.")
    return replace(creature, **{_SWITCHES[name]: bool(value)})
