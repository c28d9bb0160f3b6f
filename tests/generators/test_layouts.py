"""State-dict names: the published tables, and conversion between the layouts without touching a bit or a picture."""

from __future__ import annotations

import pytest
import torch

from engines.core.errors import PackShapeError
from engines.generators.stylegan2 import Discriminator, Generator, StyleGAN2Config
from engines.generators.stylegan2.layouts import (
    discriminator_from_rosinality,
    discriminator_to_rosinality,
    generator_from_rosinality,
    generator_to_rosinality,
)
from tests.generators.sizes import lively, normal, tiny_config
from tests.references import stylegan2_rosinality as slow

_64 = StyleGAN2Config(64, z_dim=9, w_dim=8, mapping_layers=8, channels={4: 7, 8: 6, 16: 5, 32: 4, 64: 3})


@pytest.fixture
def generator() -> Generator:
    return lively(Generator(tiny_config()))


@pytest.fixture
def discriminator() -> Discriminator:
    return lively(Discriminator(tiny_config()))


def _shapes(state) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _nvlabs_generator_64() -> dict[str, tuple[int, ...]]:
    """The published table of names and shapes, for the sizes of `_64`."""
    table = {"mapping.w_avg": (8,), "mapping.fc0.weight": (8, 9), "mapping.fc0.bias": (8,)}
    for i in range(1, 8):
        table |= {f"mapping.fc{i}.weight": (8, 8), f"mapping.fc{i}.bias": (8,)}
    table["synthesis.b4.const"] = (7, 4, 4)
    for block, convs, width in (
        ("b4", {"conv1": (7, 7)}, 4),
        ("b8", {"conv0": (6, 7), "conv1": (6, 6)}, 8),
        ("b16", {"conv0": (5, 6), "conv1": (5, 5)}, 16),
        ("b32", {"conv0": (4, 5), "conv1": (4, 4)}, 32),
        ("b64", {"conv0": (3, 4), "conv1": (3, 3)}, 64),
    ):
        table[f"synthesis.{block}.resample_filter"] = (4, 4)
        for conv, (outputs, inputs) in convs.items():
            name = f"synthesis.{block}.{conv}"
            table |= {f"{name}.weight": (outputs, inputs, 3, 3), f"{name}.bias": (outputs,)}
            table |= {f"{name}.affine.weight": (inputs, 8), f"{name}.affine.bias": (inputs,)}
            table |= {f"{name}.noise_strength": (), f"{name}.noise_const": (width, width)}
            table[f"{name}.resample_filter"] = (4, 4)
        outputs = convs["conv1"][0]
        name = f"synthesis.{block}.torgb"
        table |= {f"{name}.weight": (3, outputs, 1, 1), f"{name}.bias": (3,)}
        table |= {f"{name}.affine.weight": (outputs, 8), f"{name}.affine.bias": (outputs,)}
    return table


def _nvlabs_discriminator_64() -> dict[str, tuple[int, ...]]:
    table = {"b64.fromrgb.weight": (3, 3, 1, 1), "b64.fromrgb.bias": (3,), "b64.fromrgb.resample_filter": (4, 4)}
    for block, wide, narrow in (("b64", 3, 4), ("b32", 4, 5), ("b16", 5, 6), ("b8", 6, 7)):
        table |= {f"{block}.conv0.weight": (wide, wide, 3, 3), f"{block}.conv0.bias": (wide,)}
        table |= {f"{block}.conv1.weight": (narrow, wide, 3, 3), f"{block}.conv1.bias": (narrow,)}
        table[f"{block}.skip.weight"] = (narrow, wide, 1, 1)
        table |= {f"{block}.{part}resample_filter": (4, 4) for part in ("", "conv0.", "conv1.", "skip.")}
    table |= {"b4.conv.weight": (7, 8, 3, 3), "b4.conv.bias": (7,), "b4.conv.resample_filter": (4, 4)}
    return table | {"b4.fc.weight": (7, 112), "b4.fc.bias": (7,), "b4.out.weight": (1, 7), "b4.out.bias": (1,)}


def test_names_are_those_of_the_published_nvlabs_layout():
    assert _shapes(Generator(_64).state_dict()) == _nvlabs_generator_64()
    assert _shapes(Discriminator(_64).state_dict()) == _nvlabs_discriminator_64()


@pytest.mark.parametrize("resolution, nvlabs, rosinality, judges", [(1024, (182, 82), 171, 64), (256, (144, 64), 135, 50)])
def test_published_key_counts(resolution, nvlabs, rosinality, judges):
    """Counts of stylegan2-ffhq-config-f and of the 256 px networks, which do not depend on the channels."""
    channels = {2**power: 1 for power in range(2, resolution.bit_length())}
    config = StyleGAN2Config(resolution, z_dim=2, w_dim=2, mapping_layers=8, channels=channels)
    generator, discriminator = Generator(config).state_dict(), Discriminator(config).state_dict()
    assert (len(generator), len(discriminator)) == nvlabs
    assert len(generator_to_rosinality(generator)[0]) == rosinality
    assert len(discriminator_to_rosinality(discriminator)) == judges


def test_rosinality_names_and_shapes(generator, discriminator):
    state, latent_avg = generator_to_rosinality(generator.state_dict())
    shapes = _shapes(state)
    assert latent_avg.shape == (5,)
    assert shapes["input.input"] == (1, 7, 4, 4)
    assert shapes["conv1.conv.weight"] == (1, 7, 7, 3, 3)
    assert shapes["convs.0.conv.weight"] == (1, 6, 7, 3, 3)
    assert shapes["convs.3.conv.modulation.weight"] == (3, 5)
    assert shapes["convs.2.noise.weight"] == (1,)
    assert shapes["to_rgbs.1.bias"] == (1, 3, 1, 1)
    assert shapes["noises.noise_4"] == (1, 1, 16, 16)
    assert state["convs.0.conv.blur.kernel"].sum() == 4
    assert state["to_rgbs.0.upsample.kernel"].sum() == 4
    judge = discriminator_to_rosinality(discriminator.state_dict())
    assert _shapes(judge)["convs.1.conv2.1.weight"] == (6, 3, 3, 3)
    assert judge["convs.2.skip.0.kernel"].sum() == 1


def test_round_trip_keeps_every_bit(generator, discriminator):
    state = generator.state_dict()
    back = generator_from_rosinality(*generator_to_rosinality(state))
    assert set(back) == set(state)
    assert all(torch.equal(back[name], state[name]) for name in state)
    state = discriminator.state_dict()
    back = discriminator_from_rosinality(discriminator_to_rosinality(state))
    assert set(back) == set(state)
    assert all(torch.equal(back[name], state[name]) for name in state)


@pytest.mark.parametrize("truncation", [1.0, 0.7])
def test_converted_generator_makes_the_same_pictures(generator, truncation):
    state, latent_avg = generator_to_rosinality(generator.state_dict())
    z = normal(2, 6)
    expected = slow.generator(state, latent_avg, z, truncation=truncation)
    torch.testing.assert_close(generator(z, truncation).double(), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("count", [3, 8])
def test_converted_discriminator_gives_the_same_logits(discriminator, count):
    image = normal(count, 3, 16, 16)
    expected = slow.discriminator(discriminator_to_rosinality(discriminator.state_dict()), image)
    torch.testing.assert_close(discriminator(image).double(), expected, atol=2e-5, rtol=1e-5)


def test_copies_without_kernels_and_noise_are_completed(generator, discriminator):
    state, latent_avg = generator_to_rosinality(generator.state_dict())
    bare = {name: tensor for name, tensor in state.items() if "kernel" not in name and "noises" not in name}
    with pytest.raises(PackShapeError, match=r"missing keys \['noises.noise_0'"):
        generator_from_rosinality(bare, latent_avg)
    completed = generator_from_rosinality(bare, latent_avg, noise_seed=3)
    generator.load_state_dict(completed)
    again = generator_from_rosinality(bare, latent_avg, noise_seed=3)
    assert torch.equal(again["synthesis.b8.conv0.noise_const"], completed["synthesis.b8.conv0.noise_const"])
    judge = discriminator_to_rosinality(discriminator.state_dict())
    discriminator.load_state_dict(discriminator_from_rosinality({k: v for k, v in judge.items() if "kernel" not in k}))


def test_wrong_states_are_refused(generator, discriminator):
    state, latent_avg = generator_to_rosinality(generator.state_dict())
    with pytest.raises(PackShapeError, match=r"unknown keys \['extra'\]"):
        generator_from_rosinality({**state, "extra": torch.zeros(1)}, latent_avg)
    with pytest.raises(PackShapeError, match=r"conv1.noise.weight has shape \[\], wanted \[1\]"):
        generator_from_rosinality({**state, "conv1.noise.weight": torch.zeros(())}, latent_avg)
    with pytest.raises(PackShapeError, match=r"convs.0.conv.blur.kernel is not the published kernel"):
        generator_from_rosinality({**state, "convs.0.conv.blur.kernel": torch.ones(4, 4)}, latent_avg)
    with pytest.raises(PackShapeError, match="its main keys are missing"):
        generator_from_rosinality(generator.state_dict(), latent_avg)
    with pytest.raises(PackShapeError, match="its main keys are missing"):
        generator_to_rosinality(state)
    with pytest.raises(PackShapeError, match="its main keys are missing"):
        discriminator_from_rosinality(discriminator.state_dict())
    with pytest.raises(PackShapeError, match=r"missing keys \['b8.skip.weight'\]"):
        discriminator_to_rosinality({k: v for k, v in discriminator.state_dict().items() if k != "b8.skip.weight"})
    conditional = Generator(tiny_config(class_count=2)).state_dict()
    with pytest.raises(PackShapeError, match=r"unknown keys \['mapping.embed.bias', 'mapping.embed.weight'\]"):
        generator_to_rosinality(conditional)
