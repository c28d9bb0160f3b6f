"""Pixel losses against closed forms."""

from __future__ import annotations

import torch

from engines.core.rng import torch_generator
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
