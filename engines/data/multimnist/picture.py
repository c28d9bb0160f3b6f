"""The record that says everything about one picture of digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engines.data.lines import from_line, to_line

__all__ = ["CANVAS_PX", "MOST_DIGITS", "DigitPicture", "Place"]

MOST_DIGITS = 4
CANVAS_PX = 64
"""Digits are placed on a canvas of this size, pixel by pixel."""


class Place(NamedTuple):
    """One digit on the canvas."""

    source: int
    """Row of the digit in MNIST's 5,000."""
    label: int
    """0 to 9."""
    x: int
    y: int
    """Where the ink's left and upper sides lie, in pixels of the canvas."""
    width: int
    height: int
    """Of the ink."""


@dataclass(frozen=True)
class DigitPicture:
    """Four digits have places in every picture; the first `number` of them are shown, so one more always fits."""

    number: int
    """1 to 4."""
    places: tuple[Place, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", tuple(Place(*place) for place in self.places))

    @property
    def shown(self) -> tuple[Place, ...]:
        return self.places[: self.number]

    def to_json(self) -> str:
        """One line of JSON from which :meth:`from_json` restores the record exactly."""
        return to_line(self)

    @classmethod
    def from_json(cls, line: str) -> DigitPicture:
        """Raises OptionError where the line is no picture of digits."""
        return from_line(cls, line, "A picture of digits")
