"""Counterfactual renders are kept under names that say all they depend on, and the folder stays within its bound."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from engines.data.faces import counterfactual, render, sample
from engines.data.registry import data_set
from engines.evaluation import counterfactuals
from engines.evaluation.counterfactuals import Flip, read_flips, render_flips

PICTURE_BYTES = 128 * 128 * 3


def test_names_tell_portraits_attributes_and_values_apart():
    portrait = sample([9, 0])
    flip = Flip("faces", portrait, "Smiling", True)
    others = [
        replace(flip, record=sample([9, 1])),
        replace(flip, attribute="Male"),
        replace(flip, value=False),
        replace(flip, record=replace(portrait, smile=0.123)),
    ]
    assert len({flip.path, *(other.path for other in others)}) == 5
    assert Flip("faces", sample([9, 0]), "Smiling", True).path == flip.path


@pytest.mark.train
def test_what_is_read_is_the_render_of_the_counterfactual():
    portrait, steps = sample([9, 0]), []
    flips = [Flip("faces", portrait, "Eyeglasses", True)]
    assert render_flips(flips, processes=1, step=lambda done, total: steps.append((done, total))) == 1
    assert steps == [(0, 1), (1, 1)]
    assert np.array_equal(read_flips(flips)[0], render(counterfactual(portrait, "Eyeglasses", True)))
    assert render_flips(flips, processes=1, step=lambda done, total: None) == 0


def test_every_set_has_its_own_counterfactuals():
    digits = data_set("multimnist")
    record = digits.record("test", 0)
    flips = [Flip("multimnist", record, "Digits_2", True), Flip("multimnist", record, "Digits_3", True)]
    assert render_flips(flips, processes=1, step=lambda done, total: None) == 2
    shown = read_flips(flips)
    assert shown.shape == (2, 64, 64, 3)
    assert np.array_equal(shown[1], digits.render(digits.counterfactual(record, "Digits_3", True), 64))


def test_the_oldest_files_make_room_but_never_those_in_use(monkeypatch):
    """Room for three pictures: of four kept ones, two go when one more is needed; the oldest stays, being in use."""
    flips = [Flip("faces", sample([9, index]), "Male", True) for index in range(5)]
    for age, flip in enumerate(flips[:4]):
        flip.path.parent.mkdir(parents=True, exist_ok=True)
        np.save(flip.path, np.zeros((128, 128, 3), np.uint8))
        os.utime(flip.path, (1000 + age, 1000 + age))
    monkeypatch.setattr(counterfactuals, "CACHE_BYTES", 3 * PICTURE_BYTES + 1000)
    monkeypatch.setattr(counterfactuals, "in_processes", lambda *tasks, **options: iter(()))
    render_flips([flips[0], flips[4]], processes=1, step=lambda done, total: None)
    assert [flip.path.exists() for flip in flips[:4]] == [True, False, False, True]
