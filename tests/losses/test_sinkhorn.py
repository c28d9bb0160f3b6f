"""Transport losses against exact assignment, closed forms and a cost written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog

from engines.core.rng import torch_generator
from engines.losses.sinkhorn import attribute_features, sinkhorn_divergence


def _cloud(seed: int, n: int, dim: int = 3) -> torch.Tensor:
    return torch.randn(n, dim, generator=torch_generator(seed), dtype=torch.float64)


def _half_squared(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    return 0.5 * np.square(x.numpy()[:, None] - y.numpy()[None]).sum(-1)


@pytest.mark.parametrize("seed", range(4))
def test_small_blur_gives_the_exact_transport_cost(seed):
    """Between uniform clouds of one size an optimal plan is a permutation (Birkhoff), which the Hungarian method finds."""
    x, y = _cloud(seed, 24), _cloud(seed + 10, 24) + 1.0
    cost = _half_squared(x, y)
    rows, columns = linear_sum_assignment(cost)
    ours = sinkhorn_divergence(x, y, blur=0.01, scaling=0.95).item()
    assert ours == pytest.approx(cost[rows, columns].mean(), rel=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_small_blur_gives_the_exact_cost_of_weighted_clouds(seed):
    """Eq. 3 as the linear programme that it is, over all transport matrices with the masses as margins."""
    x, y = _cloud(seed, 7), _cloud(seed + 20, 9) - 0.5
    a, b = (torch.rand(n, generator=torch_generator(seed, n), dtype=torch.float64) + 0.1 for n in (7, 9))
    a, b = a / a.sum(), b / b.sum()
    margins = np.vstack([np.kron(np.eye(7), np.ones(9)), np.kron(np.ones(7), np.eye(9))])
    exact = linprog(_half_squared(x, y).ravel(), A_eq=margins, b_eq=np.concatenate([a, b])).fun
    ours = sinkhorn_divergence(x, y, x_weights=a, y_weights=b, blur=0.01, scaling=0.99).item()
    assert ours == pytest.approx(exact, rel=0.01)


def test_the_attribute_cost_is_transported_exactly():
    """Eq. 5 as a transport: the best matching by the printed cost, which the scaled features never write down."""
    a, b = _cloud(7, 20, 5), _cloud(8, 20, 5) + 0.7
    relevance = torch.tensor([1.0, 0.25, 0.0, 0.5, 0.9], dtype=torch.float64)
    cost = 0.5 * (np.square(a.numpy()[:, None] - b.numpy()[None]) * relevance.numpy()).sum(-1)
    exact = cost[linear_sum_assignment(cost)].mean()
    features = [attribute_features(logits, relevance) for logits in (a, b)]
    assert sinkhorn_divergence(*features, blur=0.01, scaling=0.95).item() == pytest.approx(exact, rel=0.01)


def test_masses_count_like_repeated_points():
    x, y = _cloud(1, 6), _cloud(2, 12)
    times = torch.tensor([1, 2, 3, 1, 4, 1])
    weighted = sinkhorn_divergence(x, y, x_weights=times.double() / 12, blur=0.2, scaling=0.9, diameter=8.0)
    repeated = sinkhorn_divergence(x.repeat_interleave(times, 0), y, blur=0.2, scaling=0.9, diameter=8.0)
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-6)


def test_points_without_mass_do_not_count():
    x, y = _cloud(1, 8), _cloud(2, 8)
    mass = torch.tensor([0.25] * 4 + [0.0] * 4, dtype=torch.float64)
    with_dead = sinkhorn_divergence(x, y, x_weights=mass, blur=0.2, scaling=0.9, diameter=8.0)
    living = sinkhorn_divergence(x[:4], y, blur=0.2, scaling=0.9, diameter=8.0)
    assert with_dead.item() == pytest.approx(living.item(), rel=1e-6)


def test_a_cloud_has_no_distance_from_itself():
    x = _cloud(3, 30)
    assert sinkhorn_divergence(x, x.clone(), blur=0.3).item() == pytest.approx(0, abs=1e-9)


def test_a_shifted_cloud_costs_half_the_squared_shift():
    """W_2^2 of a translation is its square, and the gradient points along it, at any blur (debiased)."""
    x = _cloud(4, 40)
    shift = torch.tensor([0.6, -0.2, 0.1], dtype=torch.float64)
    moved = (x + shift).requires_grad_(True)
    loss = sinkhorn_divergence(moved, x, blur=0.5, scaling=0.9)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * shift.square().sum().item(), rel=0.02)
    torch.testing.assert_close(moved.grad.sum(0), shift, rtol=0.02, atol=0.01)


def test_attribute_features_give_the_printed_cost():
    """Eq. 5 summed over attributes by hand: 1/2 sum_l (1 - gamma_l) (F_l(x) - F_l(y))^2."""
    a, b = _cloud(5, 4, 5), _cloud(6, 3, 5)
    relevance = torch.tensor([1.0, 0.25, 0.0, 0.5, 0.9], dtype=torch.float64)
    cost = _half_squared(attribute_features(a, relevance), attribute_features(b, relevance))
    for i in range(4):
        for j in range(3):
            by_hand = sum(0.5 * float(relevance[k]) * float(a[i, k] - b[j, k]) ** 2 for k in range(5))
            assert cost[i, j] == pytest.approx(by_hand)
