"""Regularity of codes against values worked out by hand, and against codes that the mapping network could have given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from engines.core.rng import numpy_generator
from engines.evaluation.code_regularity import MappedCodes, layer_spread, pulled


def _normal(n: int, seed: int, dim: int = 6) -> np.ndarray:
    """Codes around 2 whose coordinates have deviations from 1 to 3."""
    return (2 + numpy_generator(seed).standard_normal((n, dim)) * np.linspace(1, 3, dim)).astype(np.float32)


def test_spread_of_layers_is_the_one_worked_out_by_hand():
    """Layers (0, 0), (6, 0), (0, 9): mean (2, 3), squared distances 13, 25, 40, root of their mean 26."""
    codes = np.array([[[0, 0], [6, 0], [0, 9]], [[4, 1], [4, 1], [4, 1]]], np.float32)
    np.testing.assert_allclose(layer_spread(codes), [26**0.5, 0], rtol=1e-12)


def test_its_unit_is_the_spread_of_mapped_codes():
    """All mapped codes lie at distance 5 of their mean (1, 1); layers 10 apart are each 5 away from their mean: 1."""
    mapped = MappedCodes(np.tile([[4.0, 5.0], [-2.0, -3.0], [5.0, -2.0], [-3.0, 4.0]], (8, 1)))
    assert mapped.spread == pytest.approx(5)
    assert mapped.layer_spread(np.array([[[7.0, 0.0], [-3.0, 0.0]]], np.float32)) == pytest.approx(1)


def test_pulling_keeps_the_mean_and_scales_the_spread():
    codes = _normal(40, 1).reshape(10, 4, 6)
    for t in (0.25, 1.25):
        np.testing.assert_allclose(layer_spread(pulled(codes, t)), t * layer_spread(codes), rtol=1e-5)
        np.testing.assert_allclose(pulled(codes, t).mean(axis=1), codes.mean(axis=1), rtol=1e-5)


def test_the_ends_of_pulling_are_exact():
    codes = _normal(70, 2).reshape(10, 7, 6)
    assert pulled(codes, 1).dtype == np.float32
    assert np.array_equal(pulled(codes, 1), codes)
    assert (layer_spread(pulled(codes, 0)) == 0).all()


def test_density_is_that_of_the_normal_distribution_less_the_usual_one():
    """The difference of two codes' scores is the difference of scipy's log densities, per layer and coordinate."""
    w = _normal(30000, 3)
    codes = np.stack([_normal(4, 4), _normal(4, 5) + 4])
    truth = multivariate_normal(np.full(6, 2.0), np.diag(np.linspace(1, 3, 6) ** 2)).logpdf(codes).mean(axis=1) / 6
    density, _ = MappedCodes(w).scores(codes)
    assert density[0] - density[1] == pytest.approx(truth[0] - truth[1], rel=0.05)
    usual, outside = MappedCodes(w).scores(_normal(4000, 6)[:, None])
    assert abs(usual.mean()) < 0.02
    assert abs(outside.mean() - 0.05) < 0.015, "new mapped codes lie outside as often as was asked for"


def test_layers_that_left_are_counted():
    mapped = MappedCodes(_normal(600, 7))
    inside = np.full((1, 6), 2, np.float32)
    codes = np.stack([inside + 30, inside, inside, inside - 30]).transpose(1, 0, 2)  # [1, 4, 6]
    assert mapped.scores(codes)[1].tolist() == [0.5]


def test_too_few_mapped_codes_are_refused():
    with pytest.raises(ValueError, match="at least 20 mapped codes are needed, got 19"):
        MappedCodes(_normal(19, 1))
