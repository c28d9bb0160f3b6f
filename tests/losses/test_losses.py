"""Losses against closed forms."""

from __future__ import annotations

import math

import torch
from torch import nn

from engines.core.rng import torch_generator
from engines.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from engines.losses.pixel import mse, pyramid_l1


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(2, 3, 16, 16, generator=torch_generator(0)), torch.rand(2, 3, 16, 16, generator=torch_generator(1))


def test_mse_of_a_constant_shift_is_its_square():
    a, _ = _pair()
    assert torch.allclose(mse(a + 0.3, a), torch.full((2,), 0.09), atol=1e-6)


def test_pyramid_of_a_constant_shift_counts_every_level_and_no_detail():
    a, _ = _pair()
    assert torch.allclose(pyramid_l1(a + 0.25, a, levels=3), torch.full((2,), 0.75), atol=1e-5)


def test_a_checkerboard_is_seen_by_the_finest_level_and_the_detail_term_alone():
    board = torch.where((torch.arange(16)[:, None] + torch.arange(16)) % 2 == 0, 1.0, -1.0).expand(1, 3, 16, 16)
    # Averaging a checkerboard gives zero: |.| is 1 at full size, 0 below; the residual is the board itself.
    assert torch.allclose(
        pyramid_l1(board, torch.zeros_like(board), levels=3, detail_weight=2.0), torch.tensor([3.0]), atol=1e-6
    )


def test_a_uniform_weight_map_changes_nothing():
    a, b = _pair()
    assert torch.allclose(pyramid_l1(a, b, weight_map=torch.ones(1, 1, 16, 16)), pyramid_l1(a, b), atol=1e-6)


def test_adversarial_losses_at_zero_logits_are_log_two():
    zero = torch.zeros(4)
    assert torch.allclose(generator_loss(zero), torch.full((4,), math.log(2)))
    assert math.isclose(float(discriminator_loss(zero, zero)), 2 * math.log(2), rel_tol=1e-6)
    assert float(discriminator_loss(zero + 9, zero - 9)) < 1e-3


def test_r1_of_a_linear_discriminator_is_its_squared_weight_norm():
    linear = nn.Linear(12, 1)
    images, _ = _pair()
    penalty = r1_penalty(lambda x: linear(x.flatten(1)[:, :12]).squeeze(1), images)
    assert torch.allclose(penalty, linear.weight.square().sum().expand(2), atol=1e-5)
