"""The latent classifier's parts against counts and planted codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.core.rng import torch_generator
from engines.predictors.latent_classifier import LatentClassifier
from engines.training.balance import balanced_accuracies, positive_weights
from engines.training.classifier import fit_classifier
from engines.training.codes import CodeSet
from engines.training.runs import Run
from engines.training.schedule import Schedule


def _planted(n: int, seed: int) -> CodeSet:
    """Attribute 0 is the sign of one direction of the code; attribute 1 is a coin that the code does not show."""
    draw = torch_generator(seed)
    codes = 3 + 2 * torch.randn(n, 2, 5, generator=draw)
    labels = torch.stack([(codes[:, 0, 1] + codes[:, 1, 2]) > 6, torch.rand(n, generator=draw) < 0.3], 1)
    return CodeSet(codes, labels.numpy(), ("Shown", "Coin"), "none")


def _fit(folder, steps: int, *, resume: bool = False):
    return fit_classifier(
        _planted(1500, 1),
        _planted(600, 2),
        [16, 8],
        training=Run.open(folder, {}, resume=resume),
        schedule=Schedule(steps),
        seed=0,
        report=lambda step, seconds, loss: None,
    )


def test_what_the_code_shows_is_learned_and_what_it_hides_is_not(tmp_path):
    classifier, _ = _fit(tmp_path, 1500)
    test = _planted(600, 3)
    with torch.inference_mode():
        shown, coin = balanced_accuracies(classifier(test.codes), test.labels)
    assert shown > 0.9
    assert 0.4 < coin < 0.6


def test_a_seed_gives_the_same_classifier(tmp_path):
    one, other = _fit(tmp_path / "a", 60)[0], _fit(tmp_path / "b", 60)[0]
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_finished_run_resumes_to_the_same_weights(tmp_path):
    one, _ = _fit(tmp_path, 100)
    other, _ = _fit(tmp_path, 100, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_balanced_accuracy_by_hand():
    """Column 0: 2 of 3 positives and 1 of 2 negatives right; column 1 has no positives."""
    logits = torch.tensor([[1.0, 1], [1, -1], [-1, -1], [1, -1], [-1, -1]])
    labels = np.array([[1, 0], [1, 0], [1, 0], [0, 0], [0, 0]], bool)
    first, second = balanced_accuracies(logits, labels)
    assert first == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert np.isnan(second)


def test_positive_weights_are_negatives_per_positive_within_bounds():
    labels = torch.zeros(100, 3)
    labels[:25, 0] = labels[:2, 1] = labels[:95, 2] = 1
    torch.testing.assert_close(positive_weights(labels), torch.tensor([3.0, 10.0, 0.1]))


def test_codes_are_standardised_by_one_number():
    """Scaling and shifting codes together with `mean` and `deviation` changes nothing."""
    classifier = LatentClassifier(("A",), 2, 5, (8,))
    codes = torch.randn(7, 2, 5, generator=torch_generator(4))
    before = classifier(codes)
    classifier.mean.fill_(3.0)
    classifier.deviation.fill_(2.0)
    torch.testing.assert_close(classifier(3 + 2 * codes), before)
    with pytest.raises(ValueError, match=r"w_plus must have shape \[any, 2, 5\]"):
        classifier(codes[:, :1])
