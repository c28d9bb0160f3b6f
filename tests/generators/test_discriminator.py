"""The discriminator: its regulariser can be differentiated, and classes enter by projection."""

from __future__ import annotations

import math

import pytest
import torch

from engines.generators.stylegan2 import Discriminator
from tests.generators.sizes import lively, normal, tiny_config


@pytest.fixture
def discriminator() -> Discriminator:
    return lively(Discriminator(tiny_config()))


def test_one_logit_an_image(discriminator):
    logits = discriminator(normal(3, 3, 16, 16))
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("name", ["b16.fromrgb.weight", "b4.conv.weight", "b4.fc.weight", "b4.out.weight"])
def test_r1_penalty_has_the_right_gradient(name):
    """Without biases the logits are homogeneous of degree 1 in every weight that all paths pass, so the penalty
    P = sum |grad_x D|^2 is homogeneous of degree 2 and Euler's theorem gives <dP/dv, v> = 2 P."""
    discriminator = Discriminator(tiny_config())
    weight = discriminator.get_parameter(name)
    image = normal(4, 3, 16, 16).requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(image).sum(), [image], create_graph=True)
    penalty = gradient.square().sum()
    (slope,) = torch.autograd.grad(penalty, [weight])
    assert penalty > 0
    assert (slope * weight).sum().item() == pytest.approx(2 * penalty.item(), rel=1e-3)


def test_group_that_does_not_divide_the_batch_is_made_smaller(discriminator):
    assert torch.isfinite(discriminator(normal(5, 3, 16, 16))).all()


def test_bfloat16_features_stay_close(discriminator):
    image = normal(4, 3, 16, 16)
    exact, rounded = discriminator(image), discriminator(image, dtype=torch.bfloat16)
    assert rounded.dtype == torch.float32
    assert (exact - rounded).abs().max() < 0.05 * exact.abs().max()


def test_clamp_bounds_the_features():
    free, bounded = (lively(Discriminator(tiny_config(conv_clamp=clamp))) for clamp in (None, 0.05))
    image = normal(4, 3, 16, 16)
    assert not torch.allclose(free(image), bounded(image), atol=1e-3)
    block = bounded.b16
    # Main branch and skip: the convolutions are clamped with the residual gain, the skip is not.
    main = block.conv1(block.conv0(block.fromrgb(image)), gain=math.sqrt(0.5))
    assert main.abs().max() <= 0.05 * math.sqrt(0.5) + 1e-7


def test_class_logit_is_the_projection_on_the_mapped_class():
    config = tiny_config(class_count=3, label_layers=2)
    discriminator = lively(Discriminator(config))
    names = set(discriminator.state_dict())
    assert {"mapping.embed.weight", "mapping.fc0.weight", "mapping.fc1.bias"} <= names
    assert "mapping.w_avg" not in names
    assert discriminator.b4.out.weight.shape == (7, 7)
    image, label = normal(3, 3, 16, 16), torch.eye(3)
    logits = discriminator(image, label)
    features = discriminator.b4(discriminator.b8(discriminator.b16(image)))
    expected = (features * discriminator.mapping(None, label)).sum(1) / math.sqrt(7)
    torch.testing.assert_close(logits, expected)
    assert not torch.allclose(logits, discriminator(image, label.roll(1, 0)), atol=1e-4)


def test_class_mapping_is_eight_layers_deep_unless_told():
    names = Discriminator(tiny_config(class_count=2)).state_dict()
    assert "mapping.fc7.weight" in names
    assert "mapping.fc8.weight" not in names


def test_seed_decides_the_starting_weights():
    first, again, other = (Discriminator(tiny_config(), seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["b8.conv0.weight"], other["b8.conv0.weight"])


def test_config_json_builds_the_same_network(discriminator):
    twin = Discriminator.from_config(discriminator.config_json())
    twin.load_state_dict(discriminator.state_dict())
    image = normal(2, 3, 16, 16)
    assert torch.equal(twin(image), discriminator(image))


def test_wrong_use_is_named(discriminator):
    with pytest.raises(ValueError, match=r"image must have shape \[any, 3, 16, 16\], got \[1, 3, 8, 8\]"):
        discriminator(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=r"either a label \[N, 3\]"):
        Discriminator(tiny_config(class_count=3))(torch.zeros(1, 3, 16, 16))
