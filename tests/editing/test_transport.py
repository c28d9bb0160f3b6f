"""The transport map between normal distributions: its closed forms, and what makes it the optimal one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engines.core.rng import torch_generator
from engines.editing import transport
from engines.editing.transport import normal_transport, transported


@pytest.fixture(autouse=True)
def _without_ridge(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "_LEAST_VARIANCE", 1e-9)


def _covariance(dim: int, *seed: int) -> Tensor:
    factor = torch.randn(dim, dim, generator=torch_generator(*seed), dtype=torch.float64)
    return factor @ factor.T + 0.1 * torch.eye(dim, dtype=torch.float64)


def test_along_common_axes_deviations_are_stretched():
    source, target = torch.tensor([1.0, 4.0, 9.0]).diag(), torch.tensor([4.0, 4.0, 1.0]).diag()
    torch.testing.assert_close(normal_transport(source, target), torch.tensor([2.0, 1.0, 1 / 3]).diag())


def test_covariances_are_carried_over_by_a_symmetric_positive_map():
    """Symmetric, positive, and A S_s A = S_t: of all linear maps that carry one to the other only the optimal one is so."""
    source, target = _covariance(5, 1), _covariance(5, 2)
    matrix = normal_transport(source, target)
    torch.testing.assert_close(matrix @ source @ matrix.T, target, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(matrix, matrix.T)
    assert float(torch.linalg.eigvalsh(matrix).min()) > 0
    torch.testing.assert_close(normal_transport(target, source), torch.linalg.inv(matrix), rtol=1e-5, atol=1e-6)


def test_its_cost_is_the_wasserstein_distance():
    """E |T(w) - w|^2 = |m_t - m_s|^2 + tr(S_s + S_t - 2 (S_s^1/2 S_t S_s^1/2)^1/2), by Monte Carlo."""
    scipy_linalg = pytest.importorskip("scipy.linalg")
    source, target = _covariance(4, 3), _covariance(4, 4)
    mean = torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64)
    normal = torch.randn(200_000, 4, generator=torch_generator(5), dtype=torch.float64)
    w = (normal @ torch.linalg.cholesky(source).T)[:, None]
    cost = (transported(w, 1.0, torch.zeros_like(mean), mean, normal_transport(source, target)) - w).square().sum(2).mean()
    root = scipy_linalg.sqrtm(source.numpy())
    middle = scipy_linalg.sqrtm(root @ target.numpy() @ root).real
    wanted = float(mean.square().sum() + source.trace() + target.trace()) - 2 * middle.trace()
    assert float(cost) == pytest.approx(wanted, rel=0.02)


def test_equal_spreads_move_by_the_difference_of_means_and_strength_is_the_share_of_the_way():
    matrix = normal_transport(_covariance(3, 6), _covariance(3, 6))
    torch.testing.assert_close(matrix, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-6)
    codes = torch.randn(2, 4, 3, generator=torch_generator(7))
    means = torch.randn(2, 3, generator=torch_generator(8))
    for alpha in (0.0, 0.25, 1.0):
        moved = transported(codes, alpha, *means, matrix.float())
        torch.testing.assert_close(moved, codes + alpha * (means[1] - means[0]), atol=1e-5, rtol=0)


def test_axes_along_which_nothing_varies_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "_LEAST_VARIANCE", 1e-3)
    flat = torch.tensor([1.0, 4.0, 0.0]).diag()
    matrix = normal_transport(flat, torch.tensor([1.0, 1.0, 0.0]).diag())
    torch.testing.assert_close(matrix, torch.tensor([1.0, 0.5, 1.0]).diag(), rtol=2e-3, atol=1e-6)
