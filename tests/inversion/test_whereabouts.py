"""Where in a picture of any shape the object lies, on the shipped pack and renders whose boxes are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("dicebear", reason="pip install -r requirements-train.txt")

from engines import api
from engines.core.paths import PACKS_VARIABLE
from engines.data import creatures
from engines.data.creatures.drawing import layer
from engines.imaging.align import align_whole
from engines.imaging.squares import Square, square_around, square_holding
from engines.inversion.objects import found_box

_PACKS = Path(__file__).resolve().parents[2] / "assets" / "packs"
_SKY = (200, 220, 240)
_UNSURE = "No object was found for sure"


@pytest.fixture
def pack(monkeypatch) -> api.Pack:
    monkeypatch.setenv(PACKS_VARIABLE, str(_PACKS))
    return api.open_pack("creatures")


def _picture(pixels: np.ndarray) -> api.Picture:
    return api.Picture(pixels, "made.png", ())


def _with(pixels: np.ndarray, style: str, seed: int, x: float, y: float, size: float) -> tuple[float, ...]:
    """Paints a creature around (x, y) into a picture; returns its true box. size: root of the box's area."""
    sheet = round(size / 0.6)
    creature = dataclasses.replace(creatures.sample(style, [91, seed]), x=0.5, y=0.5, large=True, sizes=(0.5, size / sheet))
    drawn = layer(creature, sheet).astype(float)
    left, top = round(x - sheet / 2), round(y - sheet / 2)
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + sheet, width), min(top + sheet, height)
    part, below = drawn[y0 - top : y1 - top, x0 - left : x1 - left], pixels[y0:y1, x0:x1]
    opacity = part[:, :, 3:] / 255
    pixels[y0:y1, x0:x1] = np.rint(part[:, :, :3] * opacity + below * (1 - opacity))
    return tuple(float(side * sheet + corner) for side, corner in zip(creature.box, (left, top) * 2, strict=True))


def _plain(width: int, height: int, colour: tuple[int, int, int] = _SKY) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def _overlap(a, b) -> float:
    sides = [max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]
    inside = sides[0] * sides[1]
    return inside / (sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - inside)


@pytest.mark.parametrize(
    ("style", "width", "height", "x", "y", "size"),
    [
        ("planets", 333, 1200, 190, 990, 150),
        ("cameo", 300, 900, 150, 160, 140),
        ("clay", 900, 280, 790, 140, 130),
        ("critters", 900, 300, 110, 180, 110),
        ("gaze", 700, 500, 585, 250, 180),
        ("marbles", 480, 720, 240, 590, 60),
    ],
)
def test_an_object_off_the_middle_is_found_whole(pack, style, width, height, x, y, size):
    """All but the fifth lie outside the middle square, which is flat; the last is too small for its networks."""
    pixels = _plain(width, height)
    box = _with(pixels, style, 3, x, y, size)
    aligned = api.align(pack, _picture(pixels), None)
    assert _overlap(aligned.object_box, box) > 0.7
    classes = api.classes_of(pack, aligned)
    assert max(classes, key=classes.get) == style
    assert not any(_UNSURE in warning for warning in aligned.warnings)
    low, high = aligned.alignment.to_crop(np.array([box[:2], box[2:]])) / pack.manifest.resolution
    assert low.min() >= 0 and high.max() <= 1, "nothing of it is cut off"
    assert 0.29 <= float((high - low).prod() ** 0.5) <= 0.76, "its size is one that the networks have learned from"
    again = api.align(pack, _picture(pixels), None)
    assert np.array_equal(again.crop, aligned.crop) and again.object_box == aligned.object_box


def test_one_of_two_objects_is_found(pack):
    pixels = _plain(1000, 600)
    boxes = [_with(pixels, style, 4, x, 320, 200) for style, x in (("critters", 180), ("cutouts", 820))]
    found = api.align(pack, _picture(pixels), None).object_box
    assert max(_overlap(found, box) for box in boxes) > 0.7


def test_square_pictures_of_objects_well_inside_are_cut_as_ever(pack):
    """Bit for bit, whatever the size: measurements on square crops depend on it."""
    for seed, size_px in ((0, 64), (1, 64), (2, 64), (3, 192), (4, 300)):
        pixels = creatures.render(creatures.sample(tuple(creatures.STYLES)[seed], [92, seed]), size_px)
        crop, alignment = align_whole(pixels, 64)
        aligned = api.align(pack, _picture(pixels), None)
        assert np.array_equal(aligned.crop, crop) and aligned.alignment == alignment
        low, high = alignment.to_picture(np.array(found_box(pack, crop)).reshape(2, 2))
        assert aligned.object_box == (*low, *high)


def test_a_picture_of_nothing_says_so(pack):
    ramp = np.repeat(np.linspace(60, 200, 700)[None, :, None], 300, axis=0).repeat(3, axis=2)
    for pixels in (_plain(700, 300), _plain(250, 900, (40, 60, 30)), ramp.astype(np.uint8)):
        aligned = api.align(pack, _picture(pixels), None)
        assert any(_UNSURE in warning for warning in aligned.warnings)
    inversion = api.finish(api.invert(pack, aligned, method="encoder"))
    assert any(_UNSURE in warning for warning in inversion.warnings)


@pytest.mark.parametrize(("width", "height"), [(5000, 100), (3, 150), (1, 50), (1, 1), (64, 65)])
def test_pictures_of_any_shape_have_a_result(pack, width, height):
    aligned = api.align(pack, _picture(_plain(width, height)), None)
    x0, y0, x1, y1 = aligned.object_box
    assert aligned.crop.shape == (64, 64, 3) and 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height


# ---- drawn rectangles -------------------------------------------------------------------------------------------


def test_a_rectangle_outside_the_found_square_moves_the_square(pack):
    pixels = _plain(1000, 400)
    boxes = [_with(pixels, style, 5, x, 200, 170) for style, x in (("critters", 160), ("clay", 830))]
    found = api.align(pack, _picture(pixels), None)
    other = min(boxes, key=lambda box: _overlap(found.object_box, box))
    aligned = api.align(pack, _picture(pixels), None, other)
    assert _overlap(aligned.object_box, other) > 0.7
    inversion = api.finish(api.invert(pack, _picture(pixels), method="encoder", mask=other))
    assert np.array_equal(inversion.crop, aligned.crop)
    low, high = aligned.alignment.to_crop(np.array([other[:2], other[2:]]))
    assert inversion.mask is None or inversion.mask == pytest.approx((*low, *high))
    assert low.min() >= 0 and high.max() <= 64
    with pytest.raises(api.OptionError, match="outside the picture of 1000 x 400"):
        api.invert(pack, _picture(pixels), method="encoder", mask=(1001, 0, 1100, 50))
    with pytest.raises(api.OptionError, match="no area"):
        api.align(pack, _picture(pixels), None, (5, 5, 5, 9))


def test_a_rectangle_inside_the_found_square_moves_nothing(pack):
    pixels = _plain(900, 300)
    _with(pixels, "clay", 3, 760, 150, 130)
    found = api.align(pack, _picture(pixels), None)
    x0, y0, x1, y1 = found.object_box
    drawn = api.align(pack, _picture(pixels), None, (x0 + 5, y0 + 5, x1 - 5, y1 - 5))
    assert np.array_equal(drawn.crop, found.crop) and drawn.alignment == found.alignment


def test_squares_stay_in_the_picture_unless_the_box_is_too_long():
    assert square_around((0, 0, 50, 50), (900, 300), 0.5) == Square(0, 0, 100)
    assert square_around((880, 100, 900, 120), (900, 300), 0.5, least_px=64) == Square(836, 78, 64)
    wide = square_around((100, 50, 560, 250), (900, 300), 0.5, most=9)
    assert wide.side == pytest.approx(500) and wide.top == -100 and wide.holds((100, 50, 560, 250))
    assert square_around((100, 50, 560, 250), (900, 300), 0.5).side == pytest.approx(390)
    drawn = square_holding((-50, 10, 300, 200), Square(300, 0, 300), (900, 300))
    assert drawn.holds((0, 10, 300, 200)) and square_holding((310, 10, 400, 90), Square(300, 0, 300), (900, 300)) is None
