"""GAN losses against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Discriminator, StyleGAN2Config
from engines.losses.adversarial import discriminator_loss, generator_loss, hinge_loss, judged_apart, r1_penalty


def test_adversarial_losses_at_zero_logits_are_log_two():
    zero = torch.zeros(4)
    assert torch.allclose(generator_loss(zero), torch.full((4,), math.log(2)))
    assert math.isclose(float(discriminator_loss(zero, zero)), 2 * math.log(2), rel_tol=1e-6)
    assert float(discriminator_loss(zero + 9, zero - 9)) < 1e-3


def test_r1_of_a_linear_discriminator_is_its_squared_weight_norm():
    linear = nn.Linear(12, 1)
    images = torch.rand(2, 3, 16, 16, generator=torch_generator(0))
    penalty = r1_penalty(lambda x: linear(x.flatten(1)[:, :12]).squeeze(1), images)
    assert torch.allclose(penalty, linear.weight.square().sum().expand(2), atol=1e-5)


def test_hinge_loss_is_its_definition():
    real = torch.tensor([[2.0, 0.5], [-1.0, 1.0]])
    fake = torch.tensor([[-2.0, 0.0], [0.5, -1.0]])
    # Heads are summed, pictures averaged: real (0 + .5 + 2 + 0) / 2, fake (0 + 1 + 1.5 + 0) / 2.
    assert float(hinge_loss(real, fake)) == 1.25 + 1.25


def test_confident_answers_cost_nothing():
    assert float(hinge_loss(torch.full((3, 2), 5.0), torch.full((3, 2), -5.0))) == 0.0


def test_real_pictures_are_judged_whatever_the_fakes_are():
    """The minibatch standard deviation is the one thing in a discriminator that looks at several pictures at once."""
    sizes = {4: 16, 8: 16, 16: 8}
    discriminator = Discriminator(StyleGAN2Config(resolution=16, z_dim=8, w_dim=8, mapping_layers=1, channels=sizes))
    real, varied = torch.randn(2, 8, 3, 16, 16, generator=torch_generator(0))
    alike, none = varied[:1].expand(8, -1, -1, -1), torch.zeros(8, 0)
    with torch.no_grad():
        (of_real, of_varied), (again, of_alike) = (
            judged_apart(discriminator, (real, none), (fake, none), dtype=torch.float32) for fake in (varied, alike)
        )
        mixed = [discriminator(torch.cat([fake, real]), torch.zeros(16, 0))[8:] for fake in (varied, alike)]
    assert torch.equal(of_real, again)
    assert not torch.allclose(*mixed)
    # The same picture among its like, and among others.
    assert float(of_alike[0]) != pytest.approx(float(of_varied[0]), abs=1e-4)
