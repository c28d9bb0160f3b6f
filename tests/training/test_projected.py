"""The projected discriminator: it can tell two kinds of pictures, and the network it looks through stays as it was."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from engines.core.rng import torch_generator
from engines.losses.adversarial import hinge_loss
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.common import freeze
from engines.training.projected import ProjectedDiscriminator


def _pictures(kind: str, seed: int) -> torch.Tensor:
    """Vertical or horizontal stripes with noise, [16, 3, 32, 32]."""
    stripes = torch.sign(torch.sin(torch.arange(32) * 0.8))
    plane = stripes[None, :].expand(32, 32) if kind == "vertical" else stripes[:, None].expand(32, 32)
    return plane.expand(16, 3, 32, 32) + 0.3 * torch.randn(16, 3, 32, 32, generator=torch_generator(seed))


def test_it_learns_to_tell_real_from_fake_and_leaves_the_features_alone():
    torch.manual_seed(0)
    perceptual = freeze(PerceptualNetwork((4, 8, 16, 16)))
    before = {name: value.clone() for name, value in perceptual.state_dict().items()}
    judge = ProjectedDiscriminator(perceptual, 32)
    optimiser = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.0, 0.99))
    for step in range(40):
        loss = hinge_loss(judge(_pictures("vertical", step)), judge(_pictures("horizontal", 1000 + step)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        real, fake = judge(_pictures("vertical", 9000)), judge(_pictures("horizontal", 9001))
    assert real.shape == (16, 3)  # the finest map has no head
    assert float(real.mean(1).min()) > float(fake.mean(1).max())
    assert all(torch.equal(value, before[name]) for name, value in perceptual.state_dict().items())
    assert not any("trunk" in name for name in judge.state_dict())


def test_pictures_get_gradients_through_the_frozen_features():
    torch.manual_seed(0)
    judge = ProjectedDiscriminator(freeze(PerceptualNetwork((8, 16))), 32)
    image = _pictures("vertical", 0).requires_grad_(True)
    judge(image).sum().backward()
    assert float(image.grad.abs().sum()) > 0


def test_a_pattern_of_single_pixels_is_not_seen():
    torch.manual_seed(0)
    judge = ProjectedDiscriminator(freeze(PerceptualNetwork((4, 8, 16))), 32).eval()
    image = _pictures("vertical", 0)
    checkers = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    patches = F.interpolate(checkers[None, None, :4, :4], scale_factor=8)[0, 0]
    with torch.no_grad():
        plain, grained, shaded = judge(image), judge(image + 0.5 * checkers), judge(image + 0.5 * patches)
    assert float((grained - plain).abs().max()) < 0.02 * float((shaded - plain).abs().max())


def test_with_classes_a_picture_is_judged_by_its_class():
    """Vertical stripes are real as class 0 alone, horizontal ones as class 1 alone: who does not know the class cannot tell."""
    torch.manual_seed(0)
    judge = ProjectedDiscriminator(freeze(PerceptualNetwork((4, 8, 16, 16))), 32, class_count=2)
    optimiser = torch.optim.Adam(judge.parameters(), lr=3e-3, betas=(0.0, 0.99))
    zero, one = (torch.eye(2)[k].expand(16, -1) for k in (0, 1))
    right = torch.cat([zero, one])
    for step in range(100):
        pictures = torch.cat([_pictures("vertical", step), _pictures("horizontal", 1000 + step)])
        loss = hinge_loss(judge(pictures, right), judge(pictures, right.flip(0)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    pictures = torch.cat([_pictures("vertical", 9000), _pictures("horizontal", 9001)])
    with torch.no_grad():
        real, fake = judge(pictures, right).mean(1), judge(pictures, right.flip(0)).mean(1)
    assert float((real > fake).float().mean()) > 0.95
    with pytest.raises(ValueError, match="class-conditional"):
        judge(pictures)
