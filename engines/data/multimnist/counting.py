"""The labels, which say how many digits there are, and the same picture with another number of them."""

from __future__ import annotations

from dataclasses import replace

from engines.core.errors import OptionError
from engines.data.multimnist.picture import MOST_DIGITS, DigitPicture

__all__ = ["ATTRIBUTES", "counterfactual", "labels"]

ATTRIBUTES = tuple(f"Digits_{number}" for number in range(1, MOST_DIGITS + 1))
"""Exactly one of them holds."""


def labels(picture: DigitPicture) -> dict[str, bool]:
    """Whether there are so many digits, in the order of ATTRIBUTES."""
    return {name: picture.number == number for number, name in enumerate(ATTRIBUTES, start=1)}


def counterfactual(picture: DigitPicture, name: str, value: bool) -> DigitPicture:
    """The picture with ``labels(...)[name] == value``; returned unchanged where that already holds.

    Digits are added and taken away at the end of the picture's own list; the others stay as they are. The opposite of a
    number is one digit more, and of four, one less.
    """
    if name not in ATTRIBUTES:
        raise OptionError(f"There is no attribute {name!r}; choose one of {', '.join(ATTRIBUTES)}.")
    number = ATTRIBUTES.index(name) + 1
    if (picture.number == number) == bool(value):
        return picture
    if not value:
        number += 1 if number < MOST_DIGITS else -1
    return replace(picture, number=number)
