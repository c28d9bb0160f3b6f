"""Squares of a picture: around a box, holding a rectangle, in the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engines.imaging.align import Alignment

__all__ = ["USUAL_SHARE", "Box", "Square", "middle_square", "square_around", "square_holding"]

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the picture."""

USUAL_SHARE = 0.577
"""Root of an object's area in shares of a side, where nothing else is known: creatures as their generator paints them."""
_WIDEST = 0.92
"""Of a side: a longer box gets a larger square."""
_BEYOND = 1.3
"""Largest side of a square around what was detected, in short sides of the picture: it reaches beyond the edge."""


@dataclass(frozen=True)
class Square:
    """A square of a picture, in its pixels; it may reach beyond the edge."""

    left: float
    top: float
    side: float

    def alignment(self, crop_px: int) -> Alignment:
        scale = crop_px / self.side
        return Alignment(np.array([[scale, 0, -self.left * scale], [0, scale, -self.top * scale]]), crop_px)

    def holds(self, box: Box) -> bool:
        right, bottom = self.left + self.side, self.top + self.side
        return box[0] >= self.left and box[1] >= self.top and box[2] <= right and box[3] <= bottom


def middle_square(picture_px: tuple[int, int]) -> Square:
    """The one that :func:`engines.imaging.align.align_whole` cuts out."""
    width, height = picture_px
    side = min(picture_px)
    return Square((width - side) // 2, (height - side) // 2, side)


def square_around(
    box: Box, picture_px: tuple[int, int], share: float = USUAL_SHARE, *, least_px: int = 1, most: float = _BEYOND
) -> Square:
    """The square in which the root of a box's area is that share of a side, around the box, as far as the picture goes.

    It is larger than the picture's short side only where the box is too long for that: it then reaches beyond the edge.
    picture_px: width and height. least_px: no side is smaller, unless the picture is. most: of the side, in short sides.
    """
    width, height = max(box[2] - box[0], 1e-6), max(box[3] - box[1], 1e-6)
    short, longest = min(picture_px), max(width, height) / _WIDEST
    side = max(min(math.sqrt(width * height) / share, short), longest, min(least_px, short))
    side = min(side, most * short)

    def start(low: float, high: float, length: int) -> float:
        centred = (low + high - side) / 2
        return min(max(centred, 0.0), length - side) if side <= length else (length - side) / 2

    return Square(start(box[0], box[2], picture_px[0]), start(box[1], box[3], picture_px[1]), side)


def square_holding(rectangle: Box, square: Square, picture_px: tuple[int, int], *, least_px: int = 1) -> Square | None:
    """None where `square` holds the part of a drawn rectangle that lies in the picture; else a square that does."""
    x0, y0, x1, y1 = rectangle
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, float(picture_px[0])), min(y1, float(picture_px[1])))
    return None if square.holds(inside) else square_around(inside, picture_px, least_px=least_px, most=math.inf)
