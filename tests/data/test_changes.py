"""Where pictures differ from their counterfactuals: on a set whose differences are planted, and on real portraits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engines.core.paths import DATA_DIR_VARIABLE
from engines.data import changes
from engines.data.registry import DATA_SETS

SIDE = 16
ATTRIBUTES = ("first", "second", "third")


@pytest.fixture
def rendered(monkeypatch, tmp_path) -> list[tuple[bool, ...]]:
    """Attribute k brightens row 4 k, columns 2 k and 2 k + 1, by 40 (k + 1). Returns what is rendered, as it is."""
    seen: list[tuple[bool, ...]] = []

    def render(record: tuple[bool, ...], side: int) -> np.ndarray:
        seen.append(record)
        picture = np.full((side, side, 3), 100, np.uint8)
        for k, had in enumerate(record):
            picture[4 * k, 2 * k : 2 * k + 2, k] += np.uint8(40 * (k + 1) * had)
        return picture

    planted = dataclasses.replace(
        DATA_SETS["faces"],
        size_px=SIDE,
        attributes=ATTRIBUTES,
        record=lambda split, index: tuple(bool(index >> k & 1) for k in range(3)),
        labels=lambda record: dict(zip(ATTRIBUTES, record, strict=True)),
        counterfactual=lambda record, name, value: tuple(
            value if other == name else had for other, had in zip(ATTRIBUTES, record, strict=True)
        ),
        render=render,
    )
    monkeypatch.setitem(DATA_SETS, "faces", planted)
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path))
    monkeypatch.setattr(changes, "in_processes", lambda function, tasks, processes: map(function, tasks))
    monkeypatch.setattr(changes, "_CHUNK", 3)
    return seen


def test_a_change_lies_where_the_attribute_is_whichever_way_it_turns(rendered):
    found = changes.rendered_changes("faces", "train", 8, attributes=2)
    assert found.flipped.shape == (8, 2) and found.levels.shape == (8, 2, SIDE // 2, SIDE // 2)
    assert all(len(set(chosen)) == 2 for chosen in found.flipped.tolist())
    assert set(found.flipped.ravel().tolist()) == {0, 1, 2}
    for chosen, levels in zip(found.flipped, found.levels, strict=True):
        for k, change in zip(chosen, levels, strict=True):
            expected = np.zeros((SIDE // 2, SIDE // 2), np.uint8)
            expected[2 * k, k] = 40 * (k + 1)
            assert np.array_equal(change, expected)


def test_what_is_whole_is_kept_and_more_pictures_begin_with_it(rendered, monkeypatch):
    first = changes.rendered_changes("faces", "train", 4, attributes=1)
    assert len(rendered) == 2 * 3 * 2, "two whole chunks, a picture and its counterfactual each"
    rendered.clear()
    more = changes.rendered_changes("faces", "train", 8, attributes=1)
    assert len(rendered) == 3 * 2
    assert np.array_equal(more.flipped[:4], first.flipped) and np.array_equal(more.levels[:4], first.levels)
    rendered.clear()
    changes.rendered_changes("faces", "train", 8, attributes=1)
    assert not rendered
    monkeypatch.setitem(DATA_SETS, "faces", dataclasses.replace(DATA_SETS["faces"], renderer=99))
    changes.rendered_changes("faces", "train", 1, attributes=1)
    assert rendered, "another renderer's pictures change elsewhere"


@pytest.mark.train
def test_portraits_change_where_the_attribute_is():
    """The alignment puts eyes at 52 % and the mouth at 77 % of the height."""
    pytest.importorskip("embreex", reason="pip install -r requirements-train.txt")
    known = DATA_SETS["faces"].attributes
    flipped = np.array([known.index("Eyeglasses"), known.index("Mouth_Open")])
    glasses, mouth = np.mean([changes.changes_of("faces", "train", i, flipped) for i in range(2)], axis=0)
    rows = np.arange(64)
    for change, (low, high) in ((glasses, (28, 38)), (mouth, (42, 56))):
        assert change.sum() > 0
        assert low <= np.average(rows, weights=change.sum(1)) <= high
    assert glasses[48:].max() < 0.1 * glasses.max() and mouth[:28].max() < 0.1 * mouth.max()
