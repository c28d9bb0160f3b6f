"""Correlations, implied changes and sample weights against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.training.sample_weights import implied_changes, label_correlation, relevance, sample_weights, weight_attributes

# Combinations of two attributes: the source has 4 x 00, 2 x 01, 1 x 10; the target 1 x 00, 3 x 01, 2 x 11.
SOURCE = np.array([[0, 0]] * 4 + [[0, 1]] * 2 + [[1, 0]], bool)
TARGET = np.array([[0, 0]] * 1 + [[0, 1]] * 3 + [[1, 1]] * 2, bool)


def _labels(n: int = 400, k: int = 5) -> np.ndarray:
    base = np.random.random((n, k))
    base[:, 1] = 0.6 * base[:, 0] + 0.4 * base[:, 1]
    return base > 0.55


def test_correlation_is_numpys():
    labels = _labels()
    np.testing.assert_allclose(label_correlation(labels), np.abs(np.corrcoef(labels.astype(float), rowvar=False)), atol=1e-12)


def test_a_constant_label_correlates_with_nothing():
    labels = _labels()
    labels[:, 2] = True
    assert not label_correlation(labels)[2].any() and not label_correlation(labels)[:, 2].any()


def test_target_matched_weights_by_hand():
    """a ~ n_t / n_s: 00 has 1/4 each, 01 has 3/2 each, 10 is not in the target; together 4 * 1/4 + 2 * 3/2 = 4."""
    weights = sample_weights(SOURCE, TARGET, "target-matched")
    np.testing.assert_allclose(weights.source, np.array([0.25] * 4 + [1.5] * 2 + [0]) / 4)
    np.testing.assert_allclose(weights.target, np.array([1] * 4 + [0] * 2) / 4)
    # The stated intent: every combination has the same mass on both sides.
    for combination in ([0, 0], [0, 1]):
        masses = [w[(s == combination).all(1)].sum() for w, s in ((weights.source, SOURCE), (weights.target, TARGET))]
        assert masses[0] == pytest.approx(masses[1])


def test_printed_weights_by_hand():
    """a ~ 1 / (n_t n_s): 00 has 1/4 each, 01 has 1/6 each; together 1 + 1/3."""
    weights = sample_weights(SOURCE, TARGET, "printed")
    np.testing.assert_allclose(weights.source, np.array([1 / 4] * 4 + [1 / 6] * 2 + [0]) / (4 / 3))
    np.testing.assert_allclose(weights.target, np.array([1] * 4 + [0] * 2) / 4)


@pytest.mark.parametrize("weighting", ["target-matched", "printed"])
def test_weights_are_those_of_a_loop_that_counts(weighting):
    source, target = np.random.random((60, 3)) < 0.4, np.random.random((45, 3)) < 0.6
    expected = []
    for sample in source:
        n_s = sum(1 for other in source if list(other) == list(sample))
        n_t = sum(1 for other in target if list(other) == list(sample))
        expected.append(0.0 if n_t == 0 else n_t / n_s if weighting == "target-matched" else 1 / (n_t * n_s))
    found = sample_weights(source, target, weighting)
    np.testing.assert_allclose(found.source, np.array(expected) / sum(expected))


def test_uniform_weights_and_no_attributes():
    for weights in (sample_weights(SOURCE, TARGET, "uniform"), sample_weights(SOURCE[:, :0], TARGET[:, :0], "printed")):
        np.testing.assert_allclose(weights.source, 1 / 7)
        np.testing.assert_allclose(weights.target, 1 / 6)
        assert weights.missing == ()


def test_one_sided_combinations_are_reported_with_their_counts():
    assert sample_weights(SOURCE, TARGET, "target-matched").missing == (("10", 1, 0), ("11", 0, 2))


def test_nothing_in_common_is_an_error():
    with pytest.raises(OptionError, match="select fewer"):
        sample_weights(SOURCE[-1:], TARGET, "printed")
    with pytest.raises(OptionError, match="target-matched, printed, uniform"):
        sample_weights(SOURCE, TARGET, "none")


def _hair() -> np.ndarray:
    """Columns: Bald, Long, Glasses, Sunglasses, Beard. Bald and Long never meet; Sunglasses never come without Glasses."""
    labels = np.random.random((2000, 5)) < [0.2, 0.4, 0.3, 0.3, 0.4]
    labels[:, 1] &= ~labels[:, 0]
    labels[:, 3] &= labels[:, 2]
    return labels


def test_implied_changes_of_exclusive_and_nested_attributes():
    labels = _hair()
    expected = {
        (0, "add"): [1],
        (0, "remove"): [1],
        (1, "add"): [0],
        (2, "add"): [],
        (2, "remove"): [3],
        (3, "add"): [2],
        (3, "remove"): [],
        (4, "add"): [],
    }
    for (k, direction), implied in expected.items():
        assert np.flatnonzero(implied_changes(labels, k, direction)).tolist() == implied, (k, direction)


def test_a_few_wrong_labels_do_not_hide_an_exclusion():
    labels = _hair()
    labels[:2, :2] = True
    assert implied_changes(labels, 0, "add")[1]


def test_too_few_samples_imply_nothing():
    """Two attributes of 3 in 100 are expected to meet .09 times: that they do not says nothing."""
    labels = np.zeros((100, 2), bool)
    labels[:3, 0] = labels[50:53, 1] = True
    assert not implied_changes(labels, 0, "add").any()


def test_relevance_is_one_minus_gamma_without_self_and_implied():
    labels = _hair()
    gamma = np.abs(np.corrcoef(labels.astype(float), rowvar=False))
    np.testing.assert_allclose(relevance(labels, 2, "remove"), [1 - gamma[2, 0], 1 - gamma[2, 1], 0, 0, 1 - gamma[2, 4]])


def test_the_strongest_confounders_are_selected():
    """Column 1 follows column 0; with one place it goes to 1, and never to the attribute itself."""
    assert weight_attributes(_labels(), 0, "add", 1).tolist() == [1]
    assert 0 not in weight_attributes(_labels(), 0, "add", 4)
    assert 1 not in weight_attributes(_hair(), 0, "add", 4), "implied changes must not be held fixed"
