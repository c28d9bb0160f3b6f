"""BigGAN-deep: shapes and range, what its layers compute written out, and statistics that do not depend on the batch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from engines.core.rng import torch_generator
from engines.generators.biggan_deep import (
    BigGANDeep,
    BigGANDeepConfig,
    ConditionalBatchNorm,
    SpectralConv,
    SpectralLinear,
    standing_statistics,
)
from tests.generators.sizes import normal

_CONFIG = BigGANDeepConfig(resolution=16, class_count=3, width=1, z_dim=5, embedding_dim=4)


def _labels(*classes: int) -> torch.Tensor:
    return F.one_hot(torch.tensor(classes), _CONFIG.class_count).float()


@pytest.fixture
def generator() -> BigGANDeep:
    return BigGANDeep(_CONFIG, seed=2)


@pytest.mark.parametrize("resolution", [8, 16, 64])
def test_one_picture_a_latent_in_range(resolution):
    config = BigGANDeepConfig(resolution, class_count=3, width=1, z_dim=5, embedding_dim=4)
    pictures = BigGANDeep(config)(100 * normal(2, 5), _labels(0, 2))
    assert pictures.shape == (2, 3, resolution, resolution)
    assert 0 < pictures.abs().max() <= 1


def test_widths_are_those_of_the_table():
    assert BigGANDeepConfig(128, 10, 128).channels == (2048, 2048, 1024, 512, 256, 128)


def test_every_parameter_is_trained(generator):
    with torch.no_grad():
        generator.attention.gamma.fill_(0.5)  # at its start of 0 nothing behind it gets a gradient
    generator(normal(4, 5), _labels(0, 1, 2, 0)).square().sum().backward()
    # A bias before a batch norm is taken away by its mean.
    idle = {f"blocks.{block}.convs.{place}.bias" for block in range(len(generator.blocks)) for place in range(3)}
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert name in idle or parameter.grad.abs().max() > 0, name


def test_the_class_and_the_seed_decide_the_picture(generator):
    generator.eval()
    z = normal(1, 5).expand(3, 5)
    a, b, again = generator(z, _labels(0, 1, 0))
    assert (a - b).abs().mean() > 1e-3
    torch.testing.assert_close(a, again)
    assert torch.equal(BigGANDeep(_CONFIG, seed=2).eval()(z, _labels(0, 1, 0)), generator(z, _labels(0, 1, 0)))
    assert not torch.equal(BigGANDeep(_CONFIG, seed=3).eval()(z, _labels(0, 1, 0)), generator(z, _labels(0, 1, 0)))


def test_pictures_do_not_depend_on_their_batch_in_evaluation_mode(generator):
    z, labels = normal(4, 5), _labels(0, 1, 2, 0)
    in_training = generator(z, labels)[0] - generator(z[:2], labels[:2])[0]
    assert in_training.abs().max() > 1e-2
    generator.eval()
    torch.testing.assert_close(generator(z, labels)[:2], generator(z[:2], labels[:2]), atol=1e-5, rtol=0)


def test_conditional_batch_norm_is_batch_norm_and_an_affine_map():
    norm = ConditionalBatchNorm(6, 4, draw=torch_generator(0))
    x, condition = 3 * normal(5, 6, 4, 4) + 2, normal(5, 4, seed=4)
    for training in (True, False):
        norm.train(training)
        mean, var = norm.running_mean.clone(), norm.running_var.clone()
        got = norm(x, condition)
        # The matrices after the call: in training mode it moves the vector u first.
        gain, bias = (condition @ (layer.weight / (layer.weight.T @ layer.u).norm()).T for layer in (norm.gain, norm.bias))
        plain = F.batch_norm(x, mean, var, training=training, eps=1e-4)
        torch.testing.assert_close(got, plain * (1 + gain[:, :, None, None]) + bias[:, :, None, None])
    assert mean.abs().min() > 0.1, "the running mean had moved by the second round"


@pytest.mark.parametrize(
    "layer", [SpectralConv(5, 7, 3, draw=torch_generator(1)), SpectralLinear(9, 4, draw=torch_generator(1))]
)
def test_the_largest_singular_value_becomes_one(layer):
    with torch.no_grad():
        layer.weight.copy_(normal(*layer.weight.shape))
    for _ in range(200):
        weight = layer.normed()
    assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)
    assert torch.equal(layer.eval().normed(), layer.normed())


def test_weights_start_orthogonal(generator):
    rows = generator.blocks[0].convs[0].weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(len(rows)), atol=1e-5, rtol=0)


def test_standing_statistics_are_means_over_batches(generator):
    """Of what goes into the norms, seen from outside."""
    norms = {"first": generator.blocks[0].norms[0], "inner": generator.blocks[2].norms[1], "last": generator.norm}
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in norms}
    for name, norm in norms.items():
        norm.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0].detach().clone()))
    batches = [(normal(4, 5, seed=seed), _labels(0, 1, 2, 1)) for seed in range(3)]
    generator(*batches[0])  # statistics of before leave no trace
    for inputs in seen.values():
        inputs.clear()
    generator.eval()
    standing_statistics(generator, iter(batches))
    for name, norm in norms.items():
        means = torch.stack([x.mean((0, 2, 3)) for x in seen[name]])
        variances = torch.stack([x.transpose(0, 1).flatten(1).var(1) for x in seen[name]])
        assert len(means) == 3
        torch.testing.assert_close(norm.running_mean, means.mean(0))
        torch.testing.assert_close(norm.running_var, variances.mean(0))
        assert norm.momentum == 0.1
    assert not generator.training


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 48}, "resolution must be a power of two from 8 to 128, got 48"),
        ({"resolution": 256}, "resolution must be"),
        ({"width": 0}, "width must be a whole number of at least 1, got 0"),
        ({"class_count": True}, "class_count must be a whole number"),
    ],
)
def test_sizes_that_cannot_be_built_are_named(changes, message):
    fields = {"resolution": 64, "class_count": 10, "width": 4, **changes}
    with pytest.raises(ValueError, match=message):
        BigGANDeepConfig(**fields)
