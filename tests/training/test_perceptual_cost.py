"""The perceptual transport cost: against the network's own distance, and where pictures are linear in their codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from engines.core.rng import torch_generator
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.lw_map import TransportSpace
from engines.training.perceptual_cost import PerceptualSpace, agreement, embedded, fit_perceptual_space
from engines.training.statistics import latent_statistics

LAYERS, DIM, SIDE = 2, 4, 8


class _Plain(torch.nn.Module):
    """Features that are the picture itself, in one stage."""

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        return [image]


def _codes(n: int, seed: int) -> torch.Tensor:
    """Two coordinates vary three times as much as the others, and do nothing to the picture (see _pictures)."""
    codes = torch.randn(n, LAYERS, DIM, generator=torch_generator(seed))
    codes[:, :, 3] *= 3
    return codes


def _pictures(codes: torch.Tensor) -> torch.Tensor:
    """Linear in the codes; coordinate 0 shows twice as strongly as 1 and 2, coordinate 3 not at all."""
    patterns = torch.randn(LAYERS * DIM, 3 * SIDE * SIDE, generator=torch_generator(5))
    patterns = torch.linalg.qr(patterns.T)[0].T * torch.tensor([2.0, 1.0, 1.0, 0.0]).repeat(LAYERS)[:, None]
    return (codes.flatten(1) @ patterns).view(-1, 3, SIDE, SIDE)


def _space(n: int = 400) -> PerceptualSpace:
    codes = _codes(n, 1)
    statistics = latent_statistics(torch.zeros(DIM), codes, rank=LAYERS * DIM)
    return fit_perceptual_space(codes, statistics["w_plus_mean"], statistics["w_plus_factors"], _pictures, _Plain())


def test_the_embedding_has_the_networks_distances():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = PerceptualNetwork((4, 6, 8)).eval().requires_grad_(False)
    a, b = (torch.rand(5, 3, 16, 16, generator=torch_generator(seed)) * 2 - 1 for seed in (1, 2))
    squared = (embedded(network, a) - embedded(network, b)).square().sum(1)
    torch.testing.assert_close(squared, network.distance(a, b), rtol=1e-4, atol=1e-6)


def test_where_pictures_are_linear_the_cost_is_the_perceptual_distance_up_to_a_factor():
    """The planted metric is diagonal: 4, 1, 1, 0 over the side's area, here by the pictures themselves on new codes."""
    space, a, b = _space(), _codes(50, 8), _codes(50, 9)
    truth = (_pictures(a) - _pictures(b)).square().flatten(1).sum(1)
    ratio = (space(a) - space(b)).square().sum(1) / truth
    torch.testing.assert_close(ratio, ratio.mean().expand(50), rtol=0.06, atol=0)


def test_the_cost_has_the_euclidean_ones_scale():
    codes = _codes(400, 1)
    statistics = latent_statistics(torch.zeros(DIM), codes, rank=LAYERS * DIM)
    euclidean = TransportSpace(statistics["w_plus_mean"], statistics["w_plus_factors"], components=0, whitening=0.0)
    space = _space()
    assert space(codes).square().sum(1).mean().item() == pytest.approx(1, rel=0.02)
    assert space.unit.item() == pytest.approx(euclidean.unit.item())


def test_agreement_is_scipys_and_prefers_the_learned_cost():
    """The loud coordinate that no picture shows leads the plain distance astray."""
    codes = _codes(200, 4)
    found = agreement({"perceptual": _space(), "euclidean": lambda c: c.flatten(1)}, codes, _pictures, _Plain())
    assert found["perceptual"] > 0.98 and found["euclidean"] < 0.5
    flat, pictures = codes.flatten(1).double().numpy(), _pictures(codes).flatten(1).double().numpy()
    steps = [np.square(x - np.roll(x, 1, axis=0)).sum(axis=1) for x in (flat, pictures)]
    assert found["euclidean"] == pytest.approx(spearmanr(*steps).statistic, abs=1e-3)
