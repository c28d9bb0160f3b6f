"""In which square of a picture its one object lies, as the pack's own networks see it.

Huh et al. 2020, section 3.2, begin with the box of a detector that takes pictures of any shape. A pack's detector has learned
from squares with one whole object: where there is none it says the usual box all the same, and the class predictor may be
confident about a background. Both are therefore asked about several squares, and what they agree on is believed:

    1. squares all over the picture, at two sizes, each of which proposes a box;
    2. each of the best proposals is looked at again, in a square around its box;
    3. and again from squares that are shifted, smaller and larger: an object's box stays where it is in the picture, while that
       of a background moves along with the square. The proposal whose box and class stay the most wins.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from engines.imaging.align import align_whole, resample
from engines.imaging.convert import to_tensor
from engines.imaging.squares import USUAL_SHARE, Box, Square, middle_square, square_around
from engines.inversion.models import InversionModels, device_of
from engines.predictors.boxes import box_overlap

__all__ = ["SURE", "Whereabouts", "whereabouts"]

SURE = 0.6
"""Agreement from which on an object is said to be found. On 96 held-out renders from 3.2:1 to 1:3.6 with six kinds of
backgrounds 89 % of the boxes that are right reach it and 7 % of those that are wrong; of 72 pictures without an object 4 %."""
_SIZES = (1.0, 0.7)
"""Sides of the first squares, in short sides of the picture."""
_STEP = 0.5
"""From one square to the next, in sides, at most: as long as there are not more than _MOST of them."""
_MOST = 28
_PROPOSALS = 3
_SAME = 0.5
"""Boxes of a larger IoU are the same object's."""
_CLOSE = 0.72
"""Root of a box's area in shares of a side where the detector sees best: less background leads it astray."""
_VIEWS = ((0.0, 0.0, 1.0), (-0.1, 0.07, 0.9), (0.08, -0.1, 1.2))
"""Squares around a box: shift in sides, and factor of the side."""
_SIZE_RANGE = (0.29, 0.76)
"""What detector and encoder have learned from: half to 1.3 times the usual size of 0.58."""
_LIKELY = 0.6
"""Of a class, in the middle of a square picture: then there is no need to look elsewhere."""
_ROOM = 0.01
"""Of a side, between a box and the border: nearer, the object may be cut off."""


@dataclass(frozen=True)
class Whereabouts:
    """Where the object lies."""

    square: Square | None
    """None is the middle square, exactly as :func:`engines.imaging.align.align_whole` cuts it."""
    box: Box | None
    """In pixels of the picture; None where the detector is to be asked about the square."""
    agreement: float
    """0 to 1: how well box and class stay as the square moves; below SURE it may be nothing at all."""


def whereabouts(models: InversionModels, pixels: np.ndarray, crop_px: int) -> Whereabouts:
    """The square of a picture uint8 [H, W, 3] that holds its object, for a pack with a box detector.

    The middle square is kept wherever its own box is the object found, whole, and of a size that the networks know.
    crop_px: side of the networks' pictures. Looks at 4 squares of a square picture whose object is found at once, else at
    1 + 28 + 3 + 9 at most; deterministic.
    """
    looked = _Looks(models, pixels, crop_px)
    size = (looked.width, looked.height)
    middle = middle_square(size)
    seen = looked.at([middle])
    kept = seen.boxes[0]
    known = _known_size(kept, middle)
    if looked.width == looked.height and known and seen.likeliest[0] >= _LIKELY:
        _, agreement = _judged(looked, kept[None])
        return Whereabouts(None, None, agreement)
    first = looked.at(_all_over(size, looked.least_px))
    boxes = np.concatenate([kept[None], first.boxes])
    likeliest = np.concatenate([seen.likeliest, first.likeliest])
    proposals = _different(boxes, likeliest)
    closer = looked.at([square_around(box, size, _CLOSE, least_px=looked.least_px) for box in boxes[proposals]])
    box, agreement = _judged(looked, closer.boxes)
    if known and _overlap(kept, box) >= _SAME:
        return Whereabouts(None, None, agreement)
    found = tuple(float(side) for side in box)
    return Whereabouts(square_around(found, size, _usual(models), least_px=looked.least_px), found, agreement)


# ---- looking ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Seen:
    boxes: np.ndarray
    """float64 [N, 4] in pixels of the picture, as far as they lie in their squares."""
    classes: np.ndarray
    """[N, C] probabilities; [N, 1] of ones for a pack that tells no classes."""

    @property
    def likeliest(self) -> np.ndarray:
        return self.classes.max(1)


class _Looks:
    """Asks a pack's networks about squares of one picture, many at once."""

    def __init__(self, models: InversionModels, pixels: np.ndarray, crop_px: int) -> None:
        self._models, self._pixels = models, pixels
        self._image = Image.fromarray(np.ascontiguousarray(pixels))
        self.height, self.width = pixels.shape[:2]
        self._crop_px = self.least_px = crop_px
        """No square is enlarged, unless the whole picture is."""

    def at(self, squares: Sequence[Square]) -> _Seen:
        with torch.inference_mode(False), torch.no_grad():
            views = torch.cat([to_tensor(self._crop(square)) for square in squares]).to(device_of(self._models))
            shares = self._models.box_detector(views).double().clamp(0, 1).cpu().numpy()
            classes = np.ones((len(squares), 1))
            if self._models.has("class_predictor"):
                classes = self._models.class_predictor.probabilities(views).double().cpu().numpy()
        corner = np.array([(square.left, square.top) * 2 for square in squares])
        sides = np.array([square.side for square in squares])[:, None]
        return _Seen(shares * sides + corner, classes)

    def _crop(self, square: Square) -> np.ndarray:
        """uint8 [R, R, 3]: quick, where nothing lies beyond the picture; the middle as it is cut in the end."""
        if square == middle_square((self.width, self.height)):
            return align_whole(self._pixels, self._crop_px)[0]
        right, bottom = square.left + square.side, square.top + square.side
        if square.left < 0 or square.top < 0 or right > self.width or bottom > self.height:
            return resample(self._pixels, square.alignment(self._crop_px))
        box = (square.left, square.top, min(right, self.width), min(bottom, self.height))
        size = (self._crop_px, self._crop_px)
        return np.array(self._image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=3.0))


def _all_over(picture_px: tuple[int, int], least_px: int) -> list[Square]:
    """Overlapping squares of all _SIZES, _MOST at most; the farther a picture is from square, the less they overlap."""
    short, squares = min(picture_px), []
    for share in _SIZES:
        side = max(short * share, min(least_px, short))
        if squares and side == squares[-1].side:
            break
        counts = [1 + math.ceil((length - side) / (_STEP * side) - 1e-6) for length in picture_px]
        long = int(picture_px[1] > picture_px[0])
        counts[long] = min(counts[long], (_MOST - len(squares)) // counts[1 - long])
        lefts, tops = (_spread(length - side, count) for length, count in zip(picture_px, counts, strict=True))
        squares += [Square(left, top, side) for top in tops for left in lefts]
    return squares


def _spread(room: float, count: int) -> list[float]:
    """So many places from 0 to `room`; a single one in its middle."""
    return [room / 2] if count == 1 else np.linspace(0, room, count).tolist()


def _known_size(box: np.ndarray, square: Square) -> bool:
    """Whether an object lies whole in its square and is of a size that the networks have learned from."""
    shares = (box - np.array((square.left, square.top) * 2)) / square.side
    inside = shares.min() >= _ROOM and shares.max() <= 1 - _ROOM
    return bool(inside and _SIZE_RANGE[0] <= math.sqrt((shares[2] - shares[0]) * (shares[3] - shares[1])) <= _SIZE_RANGE[1])


def _different(boxes: np.ndarray, likeliest: np.ndarray) -> list[int]:
    """Indices of the likeliest boxes [N, 4] of different objects, _PROPOSALS at most; of equal ones the earlier first."""
    chosen: list[int] = []
    for index in np.argsort(-likeliest, kind="stable"):
        if all(_overlap(boxes[index], boxes[other]) < _SAME for other in chosen):
            chosen.append(int(index))
        if len(chosen) == _PROPOSALS:
            break
    return chosen


def _judged(looked: _Looks, boxes: np.ndarray) -> tuple[np.ndarray, float]:
    """Of boxes [N, 4] the one that stays the most as its square moves: where it then lies [4], and its agreement."""
    size = (looked.width, looked.height)
    squares = []
    for box in boxes:
        near = square_around(box, size, _CLOSE, least_px=looked.least_px)
        squares += [_moved(near, view, size) for view in _VIEWS]
    seen = looked.at(squares)
    views = seen.boxes.reshape(len(boxes), len(_VIEWS), 4)
    classes = seen.classes.reshape(len(boxes), len(_VIEWS), -1).mean(1).max(1)
    stays = np.array([np.mean([_overlap(a, b) for a, b in itertools.combinations(each, 2)]) for each in views])
    agreement = stays**2 * classes
    best = int(agreement.argmax())
    return np.median(views[best], axis=0), float(agreement[best])


def _moved(square: Square, view: tuple[float, float, float], picture_px: tuple[int, int]) -> Square:
    """A square shifted and resized around its middle, and pushed back into the picture where it fits in."""
    side = square.side * view[2] if square.side > min(picture_px) else min(square.side * view[2], min(picture_px))
    corner = []
    for start, shift, length in zip((square.left, square.top), view[:2], picture_px, strict=True):
        start += (square.side - side) / 2 + shift * side
        corner.append(min(max(start, 0.0), length - side) if side <= length else start)
    return Square(*corner, side)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of two boxes; 0 where neither has an area."""
    overlap, _ = box_overlap(torch.from_numpy(a)[None], torch.from_numpy(b)[None])
    return float(overlap.nan_to_num(0.0))


def _usual(models: InversionModels) -> float:
    """Root of the area of the objects that the generator paints, in shares of a side."""
    if models.object_box is None:
        return USUAL_SHARE
    x0, y0, x1, y1 = models.object_box
    return math.sqrt((x1 - x0) * (y1 - y0))
