"""Judging tuned generators, with tunings whose effect is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engines.core.rng import torch_generator
from engines.evaluation.judges import Judges
from engines.evaluation.tuned_edits import EditTally, edit_figures, random_change, tallied
from tests.tiny_pack import TINY_ATTRIBUTES


@pytest.fixture
def judges(tiny_pack) -> Judges:
    return Judges(tiny_pack)


@pytest.fixture
def edits(tiny_pack) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A code [L, D], codes [4, L, D] after an edit of each attribute, and in which direction."""
    generator = tiny_pack.generator
    with torch.no_grad():
        code = generator.broadcast(generator.mapping(torch.randn(1, 16, generator=torch_generator(1))))
        wanted = np.array([True, False, True, False])
        edited = [
            tiny_pack.edit_maps.edit(code, {name: 1.5 if add else -1.5})[0]
            for name, add in zip(TINY_ATTRIBUTES, wanted, strict=True)
        ]
    return code[0].numpy(), torch.stack(edited).numpy(), wanted


def test_a_tally_is_what_counting_the_predictions_gives(judges, edits):
    code, edited, wanted = edits
    tally = tallied(judges, judges.pictures, code, edited, TINY_ATTRIBUTES, wanted)
    before = judges.probabilities(judges.pictures(code[None]))[0] > 0.5
    for k, name in enumerate(TINY_ATTRIBUTES):
        after = judges.probabilities(judges.pictures(edited[k : k + 1]))[0] > 0.5
        column = judges.attributes.index(name)
        assert tally.could[k] == (before[column] != wanted[k])
        assert tally.changed[k] == (tally.could[k] and after[column] == wanted[k])
        others = [j for j in range(4) if j != column]
        assert tally.kept[k] == pytest.approx(np.mean([before[j] == after[j] for j in others]))


def test_a_generator_that_paints_one_picture_changes_nothing_and_keeps_everything(judges, edits):
    code, edited, wanted = edits
    still = judges.pictures(code[None])
    tally = tallied(judges, lambda codes: np.repeat(still, len(codes), axis=0), code, edited, TINY_ATTRIBUTES, wanted)
    assert not tally.changed.any()
    assert (tally.kept == 1).all()


def test_the_ratios_compare_the_same_pictures():
    def tally(could: list[int], changed: list[int], kept: list[float]) -> EditTally:
        return EditTally(np.array(could, bool), np.array(changed, bool), np.array(kept))

    shared = [tally([1, 1, 0], [1, 1, 0], [1.0, 0.8, np.nan]), tally([1, 1, 1], [1, 0, 1], [0.6, 1.0, 0.6])]
    tuned = [tally([1, 1, 0], [1, 0, 0], [1.0, 0.8, np.nan]), tally([1, 1, 1], [1, 0, 1], [0.6, 0.6, 0.6])]
    figures = edit_figures(tuned, shared, seed=0)
    assert (figures["target_change_shared"], figures["target_change"]) == (pytest.approx(4 / 5), pytest.approx(3 / 5))
    assert figures["target_change_ratio"] == pytest.approx(3 / 4)
    assert figures["attribute_preservation_shared"] == pytest.approx(4.0 / 5)
    assert figures["attribute_preservation_ratio"] == pytest.approx(3.6 / 4.0)
    low, high = figures["target_change_ratio_interval"]
    assert low <= figures["target_change_ratio"] <= high
    assert figures["edits"] == 5
    same = edit_figures(shared, shared, seed=0)
    assert same["target_change_ratio"] == same["attribute_preservation_ratio"] == 1


def test_a_tally_comes_back_from_json():
    tally = EditTally(np.array([True, False]), np.array([False, False]), np.array([0.25, np.nan]))
    again = EditTally.from_json(json.loads(json.dumps(tally.to_json(), allow_nan=False)))
    assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(vars(tally).values(), vars(again).values(), strict=True))
    assert again.could.dtype == again.changed.dtype == bool


def test_the_change_of_random_pictures_is_in_units_of_their_distance():
    """Pictures 0 and 40 in turn are 40 apart; each moved by 4 is a tenth of it, and a hundredth of its square."""
    shared = np.zeros((6, 2, 2, 3), np.uint8)
    shared[::2] = 40
    figures = random_change(shared + np.uint8(4), shared)
    assert figures == {"random_change": pytest.approx(0.1), "random_change_squared": pytest.approx(0.01)}
    assert random_change(shared, shared) == {"random_change": 0, "random_change_squared": 0}
