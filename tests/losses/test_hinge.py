"""The hinge loss against its definition, counted by hand."""

from __future__ import annotations

import torch

from engines.losses.adversarial import hinge_loss


def test_hinge_loss_is_its_definition():
    real = torch.tensor([[2.0, 0.5], [-1.0, 1.0]])
    fake = torch.tensor([[-2.0, 0.0], [0.5, -1.0]])
    # Heads are summed, pictures averaged: real (0 + .5 + 2 + 0) / 2, fake (0 + 1 + 1.5 + 0) / 2.
    assert float(hinge_loss(real, fake)) == 1.25 + 1.25


def test_confident_answers_cost_nothing():
    assert float(hinge_loss(torch.full((3, 2), 5.0), torch.full((3, 2), -5.0))) == 0.0
