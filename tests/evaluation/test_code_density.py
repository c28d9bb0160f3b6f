"""Densities of codes against scipy's, against brute force, and limits that hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from engines.core.rng import numpy_generator
from engines.evaluation.code_density import CodeNeighbours, NormalDensity, fit_normal, limit_of


def _codes(n: int, seed: int, dim: int = 12, factors: int = 3) -> np.ndarray:
    """Normal codes with `factors` strong directions and a little noise in all."""
    loadings = 2 * numpy_generator(9).standard_normal((factors, dim))
    draw = numpy_generator(seed)
    return 1.5 + draw.standard_normal((n, factors)) @ loadings + 0.3 * draw.standard_normal((n, dim))


def test_all_components_but_one_give_the_plain_normal_density():
    """With d - 1 components the rest is the last variance itself: C is the empirical covariance."""
    codes, new = _codes(200, 1), _codes(20, 2)
    covariance = np.cov(codes, rowvar=False, bias=True)
    expected = multivariate_normal(codes.mean(axis=0), covariance).logpdf(new)
    np.testing.assert_allclose(NormalDensity(codes, 11)(new), expected, rtol=1e-6)


@pytest.mark.parametrize("n", [200, 9])
def test_fewer_components_give_the_density_of_the_factor_covariance(n):
    """Tipping & Bishop written out: the leading eigenvalues, and the mean of the others. Also with fewer codes than numbers."""
    codes, new = _codes(n, 3), _codes(20, 4)
    values, vectors = np.linalg.eigh(np.cov(codes, rowvar=False, bias=True))
    values[:-3] = values[:-3].mean()
    covariance = (vectors * values) @ vectors.T
    expected = multivariate_normal(codes.mean(axis=0), covariance).logpdf(new)
    np.testing.assert_allclose(NormalDensity(codes.reshape(n, 3, 4), 3)(new), expected, rtol=1e-6)


def test_held_out_likelihood_finds_the_planted_number_of_factors():
    assert fit_normal(_codes(400, 5), components=(1, 2, 3, 6, 9)).components == 3


def test_codes_of_one_line_have_a_density():
    """No variance at all beside one direction: what leaves the line is out of distribution, and no number overflows."""
    line = np.outer(numpy_generator(6).standard_normal(50), np.ones(5))
    density = fit_normal(line)
    on, off = density(line[:1]), density(line[:1] + np.array([0.1, 0, 0, 0, 0]))
    assert np.isfinite([on, off]).all() and off < on - 100


def test_the_neighbours_score_is_brute_force():
    codes, new = _codes(40, 7).astype(np.float32), _codes(6, 8).astype(np.float32)
    for row, score in zip(new, CodeNeighbours(codes, 3)(new), strict=True):
        assert score == pytest.approx(-sorted(np.linalg.norm(codes - row, axis=1))[2], rel=1e-4)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_real_codes_lie_outside_as_often_as_was_asked_for(share):
    """Those that the limit came from up to one, new ones of the same distribution up to chance."""
    density = fit_normal(_codes(300, 1))
    held_out = density(_codes(400, 2))
    limit = limit_of(held_out, share)
    assert abs((held_out < limit).mean() - share) <= 1 / 400
    assert abs((density(_codes(4000, 3)) < limit).mean() - share) < 0.04


def test_codes_moved_away_lie_outside():
    density, neighbours = fit_normal(_codes(300, 1)), CodeNeighbours(_codes(300, 1))
    for score in (density, neighbours):
        limit = limit_of(score(_codes(400, 2)), 0.05)
        assert (score(_codes(100, 4) + 8.0) < limit).all()


def test_too_few_codes_are_refused():
    with pytest.raises(ValueError, match="at least 3 codes"):
        NormalDensity(_codes(2, 1), 1)
    with pytest.raises(ValueError, match="5 neighbours"):
        CodeNeighbours(_codes(4, 1))
