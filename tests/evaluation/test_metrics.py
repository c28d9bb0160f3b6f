"""Every figure against a closed form, another library, or a count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

from engines.core.rng import numpy_generator
from engines.evaluation import metrics


def _with_moments(mean: np.ndarray, covariance: np.ndarray, n: int = 64) -> np.ndarray:
    """Features whose sample mean and sample covariance are exactly the given ones."""
    raw = numpy_generator(3).standard_normal((n, len(mean)))
    raw -= raw.mean(axis=0)
    whitened = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return mean + whitened @ np.linalg.cholesky(covariance).T


def test_frechet_of_gaussians_with_diagonal_covariances_is_the_closed_form():
    """For commuting covariances the distance is |mu|^2 + sum (sigma_a - sigma_b)^2."""
    mean, sigma_a, sigma_b = np.array([1.0, -2.0, 0.5]), np.array([1.0, 2.0, 0.3]), np.array([0.5, 1.0, 3.0])
    a, b = _with_moments(np.zeros(3), np.diag(sigma_a**2)), _with_moments(mean, np.diag(sigma_b**2))
    assert metrics.frechet_distance(a, b) == pytest.approx(mean @ mean + ((sigma_a - sigma_b) ** 2).sum(), rel=1e-9)


def test_frechet_agrees_with_the_matrix_square_root_of_scipy():
    rng = numpy_generator(1)
    a, b = rng.standard_normal((80, 6)) @ rng.standard_normal((6, 6)), rng.standard_normal((90, 6)) + 1
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(covariance_a @ covariance_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance_a + covariance_b - 2 * root)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_frechet_of_a_set_with_itself_is_zero_even_with_fewer_rows_than_dimensions():
    a = numpy_generator(2).standard_normal((5, 20))
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_frechet_of_one_dimensional_features():
    assert metrics.frechet_distance(np.array([[0.0], [2.0]]), np.array([[3.0], [5.0]])) == pytest.approx(9)


def test_precision_and_recall_on_planted_sets():
    """Real: two clusters. Generated: 30 on the first cluster, 10 far from both: precision 3/4, recall 1/2."""
    rng = numpy_generator(4)
    first, second = rng.standard_normal((40, 2)), rng.standard_normal((40, 2)) + 100
    generated = np.concatenate([first[:30] + 1e-6, rng.standard_normal((10, 2)) - 500])
    precision, recall = metrics.precision_recall(np.concatenate([first, second]), generated)
    assert precision == 0.75
    covered = metrics.precision_recall(first, generated[:30])[1] * 40
    assert recall == pytest.approx(covered / 80) and 0.3 <= recall <= 0.5


def test_precision_and_recall_agree_with_a_slow_loop():
    rng = numpy_generator(5)
    real, generated = rng.standard_normal((30, 3)), 0.7 * rng.standard_normal((25, 3)) + 0.5

    def inside(queries, members, k=3):
        hits = 0
        for query in queries:
            for i, member in enumerate(members):
                others = sorted(math.dist(member, other) for j, other in enumerate(members) if j != i)
                if math.dist(query, member) <= others[k - 1]:
                    hits += 1
                    break
        return hits / len(queries)

    assert metrics.precision_recall(real, generated) == (inside(generated, real), inside(real, generated))


def test_precision_needs_more_rows_than_neighbours():
    with pytest.raises(ValueError, match="at least 4 rows"):
        metrics.precision_recall(np.zeros((3, 2)), np.zeros((9, 2)))


def test_nearest_neighbours_of_points_on_a_line_far_from_zero():
    references = 1e6 + np.arange(10.0)[:, None]
    indices, distances = metrics.nearest_neighbours(np.array([[1e6 + 3.2]]), references, k=2)
    assert indices.tolist() == [[3, 4]]
    np.testing.assert_allclose(distances, [[0.2, 0.8]], atol=1e-6)


def test_balanced_accuracy_counted_by_hand():
    """Three of four positives and one of two negatives are right: (3/4 + 1/2) / 2."""
    predicted, labels = [1, 1, 1, 0, 1, 0], [1, 1, 1, 1, 0, 0]
    assert metrics.balanced_accuracy(np.array(predicted), np.array(labels)) == 0.625
    assert math.isnan(metrics.balanced_accuracy(np.ones(3), np.ones(3)))


def test_calibration_error_counted_by_hand():
    """Two bins: probabilities .25 with no positive (gap .25), .75 with all positive (gap .25)."""
    probabilities, labels = np.array([0.25, 0.25, 0.75, 0.75]), np.array([False, False, True, True])
    assert metrics.calibration_error(probabilities, labels, bins=2) == pytest.approx(0.25)
    assert metrics.calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0


def test_calibration_error_of_calibrated_predictions_tends_to_zero():
    rng = numpy_generator(6)
    probabilities = rng.random(50_000)
    assert metrics.calibration_error(probabilities, rng.random(50_000) < probabilities) < 0.02


def test_bootstrap_interval_covers_the_mean_as_often_as_it_says():
    """200 samples of a known mean: a 95 % interval misses about 10 of them."""
    rng = numpy_generator(7)
    hits = 0
    for trial in range(200):
        low, high = metrics.bootstrap_interval(rng.random(60) < 0.3, seed=trial, resamples=400)
        hits += low <= 0.3 <= high
    assert 180 <= hits <= 199


def test_bootstrap_interval_is_the_normal_one_for_many_values_and_repeats():
    values = numpy_generator(8).standard_normal(4000)
    low, high = metrics.bootstrap_interval(values, seed=1)
    half = 1.96 * values.std() / math.sqrt(4000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert (low, high) == metrics.bootstrap_interval(values, seed=1)
    assert math.isnan(metrics.bootstrap_interval(np.array([]), seed=1)[0])


def test_target_change_counts_only_those_that_could_cross():
    """Before: one already has it. Of the three that lack it two get it. Removing: of the one that has it, none loses it."""
    before, after = np.array([0.9, 0.1, 0.2, 0.3]), np.array([0.9, 0.8, 0.4, 0.6])
    assert metrics.target_change(before, after, wanted=True).tolist() == [True, False, True]
    assert metrics.target_change(before, after, wanted=False).tolist() == [False]
    each = metrics.target_change_of_each(before, after, wanted=True)
    assert each[np.isfinite(each)].tolist() == [1, 0, 1] and np.array_equal(np.isnan(each), np.array(before) > 0.5)


def test_attribute_preservation_ignores_the_edited_attribute():
    before = np.array([[0.1, 0.9, 0.2], [0.1, 0.4, 0.2]])
    after = np.array([[0.9, 0.8, 0.7], [0.9, 0.1, 0.3]])
    kept = metrics.attribute_preservation(before, after, np.array([False, True, True]))
    assert kept.tolist() == [0.5, 1.0]
    assert np.isnan(metrics.attribute_preservation(before, after, np.zeros(3, bool))).all()


def test_squared_difference_agrees_with_a_slow_loop():
    rng = numpy_generator(9)
    a, b = (rng.integers(0, 256, (3, 5, 4, 3)).astype(np.uint8) for _ in range(2))
    for x, y, got in zip(a, b, metrics.squared_difference(a, b), strict=True):
        terms = [((int(p) / 127.5 - 1) - (int(q) / 127.5 - 1)) ** 2 for p, q in zip(x.flat, y.flat, strict=True)]
        assert got == pytest.approx(sum(terms) / len(terms), rel=1e-12)
    with pytest.raises(ValueError, match="one shape"):
        metrics.squared_difference(a, b[:2])


def test_the_ratio_of_rates_is_that_of_the_sums():
    hits, tries, base_hits, base_tries = (np.array(x) for x in ([3, 0, 2], [4, 1, 5], [2, 1, 2], [4, 1, 3]))
    ratio, (low, high) = metrics.rate_ratio(hits, tries, base_hits, base_tries, seed=0)
    assert ratio == pytest.approx((5 / 10) / (5 / 8))
    assert low < ratio < high
    again = metrics.rate_ratio(hits, tries, base_hits, base_tries, seed=0)
    assert again == (ratio, (low, high))


def test_equal_rates_have_a_ratio_of_one_without_doubt():
    """The bootstrap is paired: what varies between pictures, but not between the two rates, does not widen the interval."""
    rng = numpy_generator(2)
    tries = rng.integers(1, 9, 40)
    hits = rng.integers(0, tries + 1)
    assert metrics.rate_ratio(hits, tries, hits, tries, seed=1) == (1, (1, 1))


def test_a_ratio_to_nothing_is_not_a_number():
    ratio, interval = metrics.rate_ratio(np.ones(3), np.ones(3), np.zeros(3), np.ones(3), seed=0)
    assert math.isnan(ratio) and all(math.isnan(side) for side in interval)
