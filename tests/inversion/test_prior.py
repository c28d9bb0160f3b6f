"""The prior on codes, against dense linear algebra."""

from __future__ import annotations

import pytest
import torch

from engines.inversion import prior
from engines.inversion.prior import CodePrior


@pytest.fixture
def dense():
    """mean [L, D], factors [r, L*D], and the covariance C = F^T F + s^2 I as a matrix."""
    torch.manual_seed(1)
    mean, factors = torch.randn(3, 4), torch.randn(5, 12)
    rest = prior.REST_SHARE * factors.double().square().sum() / 12
    covariance = factors.double().T @ factors.double() + rest * torch.eye(12, dtype=torch.float64)
    return mean, factors, covariance


def test_the_distance_is_that_of_mahalanobis(dense):
    mean, factors, covariance = dense
    codes = torch.randn(6, 3, 4)
    change = (codes - mean).flatten(1).double()
    expected = torch.einsum("ni,ij,nj->n", change, torch.linalg.inv(covariance), change) / 12
    assert torch.allclose(CodePrior(mean, factors).distance(codes).double(), expected, rtol=1e-4)


def test_unwhitened_noise_has_the_covariance(dense):
    mean, factors, covariance = dense
    # The map is linear: its matrix, applied to the unit vectors, squared, is the covariance.
    root = CodePrior(mean, factors).unwhitened(torch.eye(12).view(12, 3, 4)).view(12, 12).double()
    assert torch.allclose(root.T @ root, covariance, rtol=1e-4, atol=1e-5)
    assert torch.allclose(root, root.T, atol=1e-5)


def test_whitening_is_undone(dense):
    mean, factors, _ = dense
    change = torch.randn(2, 3, 4)
    p = CodePrior(mean, factors)
    assert torch.allclose(p.unwhitened(p.whitened(change)), change, atol=1e-5)


def test_the_mean_is_the_most_typical_code(dense):
    mean, factors, _ = dense
    assert CodePrior(mean, factors).distance(mean[None]).item() == 0


def test_the_usual_distance_bounds_the_codes_that_the_statistics_describe(dense):
    mean, factors, _ = dense
    p = CodePrior(mean, factors)
    codes = mean + (torch.randn(20000, 5) @ factors).view(-1, 3, 4)
    distances = p.distance(codes)
    assert p.usual_distance == pytest.approx(float(distances.mean() + 2 * distances.std()), rel=0.03)
    assert 0.93 < float((distances < p.usual_distance).float().mean()) < 0.99


def test_factors_of_another_size_are_refused():
    with pytest.raises(ValueError, match="factors"):
        CodePrior(torch.zeros(3, 4), torch.zeros(5, 11))
