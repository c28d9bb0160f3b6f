"""Latent statistics and averages."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from engines.core.rng import torch_generator
from engines.training.ema import Ema
from engines.training.statistics import latent_statistics
from engines.training.weight_maps import face_weight_map


def test_factors_give_the_sample_covariance():
    codes = torch.randn(300, 2, 5, generator=torch_generator(0)) @ torch.randn(5, 5, generator=torch_generator(1))
    tensors = latent_statistics(torch.zeros(5), codes, rank=10)
    expected = np.cov(codes.flatten(1).numpy(), rowvar=False)
    factors = tensors["w_plus_factors"].numpy()
    assert np.allclose(factors.T @ factors, expected, atol=1e-3)
    assert torch.allclose(tensors["w_plus_mean"], codes.mean(0), atol=1e-5)


def test_an_average_of_constant_weights_is_those_weights_and_buffers_are_copied():
    model = nn.BatchNorm1d(3)
    ema = Ema(model, half_life_steps=10)
    with torch.no_grad():
        model.weight.fill_(4.0)
        model.running_mean.fill_(7.0)
    for _ in range(200):
        ema.update(model)
    assert torch.allclose(ema.model.weight, torch.full((3,), 4.0), atol=1e-3)
    assert torch.equal(ema.model.running_mean, torch.full((3,), 7.0))


def test_the_half_life_is_a_half_life():
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    ema = Ema(model, half_life_steps=50)
    for _ in range(2000):
        ema.update(model)
    with torch.no_grad():
        model.weight.fill_(1.0)
    for _ in range(50):
        ema.update(model)
    assert abs(float(ema.model.weight) - 0.5) < 1e-3


def test_the_face_weighs_more_than_the_corners_and_the_mean_is_one():
    points = np.array([[49.6, 66.2], [78.3, 66.4], [62.6, 84.8], [51.1, 98.9], [75.7, 98.9]])
    weight = face_weight_map(points, 128)[0, 0]
    assert abs(float(weight.mean()) - 1) < 1e-5
    assert weight[66, 50] > weight[84, 63] > weight[5, 5]


def test_large_sets_of_codes_have_the_same_leading_factors(monkeypatch):
    """By random projection where the exact decomposition would take minutes: here both are made of one small set."""
    deviations = torch.linspace(1, 0, 60).pow(3) + 0.01
    codes = (torch.randn(300, 60, generator=torch_generator(4)) * deviations).view(300, 6, 10)
    exact = latent_statistics(torch.zeros(10), codes, rank=12)["w_plus_factors"]
    monkeypatch.setattr("engines.training.statistics._EXACT_SIDE", 10)
    monkeypatch.setattr("engines.training.statistics._OVERSAMPLING", 8)
    found = latent_statistics(torch.zeros(10), codes, rank=12)["w_plus_factors"]
    assert found.shape == exact.shape
    torch.testing.assert_close(found.norm(dim=1), exact.norm(dim=1), rtol=1e-3, atol=0)
    torch.testing.assert_close(found.T @ found, exact.T @ exact, rtol=0, atol=5e-3)
    assert torch.equal(found, latent_statistics(torch.zeros(10), codes, rank=12)["w_plus_factors"]), "always the same draw"
