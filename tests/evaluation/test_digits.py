"""`evaluate digits` on planted classifiers: one that is fooled, and one that is not."""

from __future__ import annotations

import argparse
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from engines.core.errors import OptionError
from engines.editing.edit_maps import EditMaps
from engines.evaluation.digit_steps import Step, common_strength, step_outcome
from engines.evaluation.digits import add_arguments, run
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import share_interval

LEVELS = ("A", "B", "C")
STRENGTHS = (0.5, 1.0, 1.5, 2.0)


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (7, 7), (93, 100), (1, 3)])
def test_the_interval_is_scipys(successes, trials):
    wanted = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert share_interval(successes, trials) == pytest.approx((wanted.low, wanted.high))


def test_no_trials_say_nothing():
    assert np.isnan(share_interval(0, 0)).all()


class _Network(torch.nn.Module):
    """Logits of the levels 0, 1, 2: nearest to a coordinate of the code or picture."""

    attributes = LEVELS

    def __init__(self, read) -> None:
        super().__init__()
        self._read = read

    def forward(self, x):
        return -(self._read(x)[:, None] - torch.tensor([0.0, 1.0, 2.0])).square()

    probabilities = forward


def _judges() -> Judges:
    """Codes [1, 2]: the latent classifier reads the sum, the picture shows the second coordinate alone (halved, in -1..1)."""
    synthesis = lambda codes, noise_mode: (codes[:, 0, 1] / 2 - 0.5)[:, None, None, None].expand(-1, 3, 4, 4)  # noqa: E731
    pack = SimpleNamespace(
        device="cpu",
        manifest=SimpleNamespace(resolution=4),
        generator=SimpleNamespace(synthesis=synthesis),
        latent_classifier=_Network(lambda codes: codes.sum((1, 2))),
        attribute_predictor=_Network(lambda image: 2 * (image.mean((1, 2, 3)) + 0.5)),
    )
    return Judges(pack)


def _family(judges: Judges, shift: tuple[float, float]) -> EditMaps:
    maps = EditMaps(LEVELS[1:], 1, 2, rank=1).requires_grad_(False)
    maps.bias[:, 0] = torch.tensor(shift)
    maps.bias[:, 1] = -torch.tensor(shift)
    return maps


@pytest.fixture(autouse=True)
def _painter(monkeypatch):
    monkeypatch.setattr("engines.evaluation.edit_verdicts.with_style_shifts", lambda generator, shifts: generator)


def test_what_only_the_latent_classifier_sees_is_not_confirmed():
    judges, step = _judges(), Step(LEVELS, 0, 1)
    codes = np.zeros((6, 1, 2), np.float32)
    fooled = step_outcome(judges, _family(judges, (1.0, 0.0)), step, codes, STRENGTHS)
    assert fooled.latent.all() and not fooled.image.any()
    honest = step_outcome(judges, _family(judges, (0.0, 1.0)), step, codes, STRENGTHS)
    assert honest.latent.all() and honest.image.all()


def test_every_picture_gets_the_weakest_strength_that_the_latent_classifier_accepts():
    """The border between the first two levels is 1/2: codes at 0.2 and -0.3 pass it at 0.5 and 1, one at -9 never."""
    judges = _judges()
    codes = np.array([[[0.0, 0.2]], [[0.0, -0.3]], [[0.0, -9.0]]], np.float32)
    outcome = step_outcome(judges, _family(judges, (0.0, 1.0)), Step(LEVELS, 0, 1), codes, STRENGTHS)
    assert outcome.alphas.tolist() == [0.5, 1.0, 2.0]
    assert outcome.latent.tolist() == [True, True, False]
    assert outcome.pictures.shape == (3, 4, 4, 3)
    assert outcome.image.tolist() == [True, True, False]


def test_one_strength_for_all_is_the_weakest_at_which_all_are_done():
    """Codes count as the middle level between 1/2 and 3/2, so that the first one leaves it again at a strength of 1.5."""
    judges = _judges()
    family, step = _family(judges, (0.0, 1.0)), Step(LEVELS, 0, 1)
    codes = np.zeros((3, 1, 2), np.float32)
    codes[:, 0, 1] = [0.2, -0.3, -0.4]
    assert common_strength(judges, family, step, codes, STRENGTHS) == 1.0
    codes[2, 0, 1] = -0.9
    assert common_strength(judges, family, step, codes, STRENGTHS) == 1.0, "two of three at 1 and at 1.5: the weaker of both"
    codes[:, 0, 1] = -9
    assert common_strength(judges, family, step, codes, STRENGTHS) == STRENGTHS[0], "nowhere any"


def test_the_way_down_takes_the_same_map_back():
    judges, step = _judges(), Step(LEVELS, 2, 1)
    assert (step.map_name, step.direction) == ("C", "remove")
    outcome = step_outcome(judges, _family(judges, (0.0, 1.0)), step, np.array([[[0.0, 2.2]]], np.float32), STRENGTHS)
    assert outcome.latent.all() and outcome.image.all() and outcome.alphas.tolist() == [1.0]


def test_a_pack_without_levels_is_refused(tiny_pack, tmp_path):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = {"pack": "tiny", "seed": 0, "device": "cpu", "progress": lambda record: None, "out": tmp_path}
    arguments = parser.parse_args([])
    vars(arguments).update(given)
    with pytest.raises(OptionError, match="no ordered attribute"):
        run(arguments)
