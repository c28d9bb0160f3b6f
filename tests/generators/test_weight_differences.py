"""Generators with weights of their own: what they share, what they do not, and that nobody disturbs anybody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from engines.core.errors import InversionFileError
from engines.core.rng import numpy_generator, torch_generator
from engines.generators.stylegan2 import Generator, StyleGAN2Config
from engines.generators.weight_differences import bytes_of, differences_between, halved, separated, tuned

NAMES = ("synthesis.b8.conv0.weight", "synthesis.b8.conv1.bias", "synthesis.b4.const")


@pytest.fixture
def generator() -> Generator:
    config = StyleGAN2Config(resolution=8, z_dim=4, w_dim=4, mapping_layers=1, channels={4: 6, 8: 5})
    return Generator(config, seed=1).eval().requires_grad_(False)


@pytest.fixture
def codes() -> torch.Tensor:
    return torch.randn(2, 4, 4, generator=torch_generator(3))


def _differences(generator: Generator, seed: int) -> dict[str, np.ndarray]:
    draw = numpy_generator(seed)
    shapes = {name: tuple(generator.get_parameter(name).shape) for name in NAMES}
    return {name: draw.normal(scale=0.1, size=shape).astype(np.float32) for name, shape in shapes.items()}


def _bytes(generator: Generator, codes: torch.Tensor) -> bytes:
    with torch.no_grad():
        return generator.synthesis(codes).numpy().tobytes()


def test_a_tuned_generator_is_the_one_whose_weights_were_added_by_hand(generator, codes):
    differences = _differences(generator, 0)
    by_hand = Generator(generator.config, seed=1)
    state = by_hand.state_dict()
    for name, difference in differences.items():
        state[name] += torch.from_numpy(difference)
    by_hand.load_state_dict(state)
    assert _bytes(tuned(generator, differences), codes) == _bytes(by_hand, codes) != _bytes(generator, codes)


def test_no_differences_give_the_generator_itself(generator):
    assert tuned(generator, {}) is generator


def test_zero_differences_give_its_picture_bit_for_bit(generator, codes):
    zeros = {name: np.zeros_like(difference) for name, difference in _differences(generator, 0).items()}
    assert _bytes(tuned(generator, zeros), codes) == _bytes(generator, codes)


def test_all_other_tensors_are_shared_in_memory(generator):
    other = tuned(generator, _differences(generator, 0))
    own = dict(generator.state_dict(keep_vars=True))
    for name, tensor in other.state_dict(keep_vars=True).items():
        assert (tensor is own[name]) == (name not in NAMES), name
    assert not any(parameter.requires_grad for parameter in other.parameters())


def test_two_tuned_generators_and_their_base_do_not_disturb_each_other_from_many_threads(generator, codes):
    generators = [generator, *(tuned(generator, _differences(generator, seed)) for seed in (1, 2))]
    expected = [_bytes(each, codes) for each in generators]
    assert len(set(expected)) == 3
    together = threading.Barrier(6)

    def paint(index: int) -> bool:
        together.wait()
        return all(_bytes(generators[index % 3], codes) == expected[index % 3] for _ in range(30))

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(paint, range(6)))


def test_training_a_separated_copy_leaves_the_original(generator, codes):
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    other = separated(generator, NAMES)
    weights = [other.get_parameter(name).requires_grad_(True) for name in NAMES]
    optimiser = torch.optim.SGD(weights, lr=0.1)
    other.synthesis(codes).square().mean().backward()
    optimiser.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    assert all(not torch.equal(weight, before[name]) for name, weight in zip(NAMES, weights, strict=True))
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in generator.parameters())


def test_differences_taken_and_added_again_give_the_same_generator(generator, codes):
    once = tuned(generator, _differences(generator, 5))
    names = [name for name, _ in generator.named_parameters()]
    found = differences_between(once, generator, names)
    assert set(found) == set(NAMES)  # what is equal is left out
    twice = tuned(generator, found)
    assert _bytes(tuned(generator, differences_between(twice, generator, names)), codes) == _bytes(twice, codes)
    with torch.no_grad():
        assert torch.allclose(twice.synthesis(codes), once.synthesis(codes), atol=1e-5)


def test_half_the_bytes_are_nearly_as_good(generator, codes):
    differences = _differences(generator, 5)
    half = halved(differences)
    for name, difference in differences.items():
        assert half[name].dtype == np.float16
        assert np.abs(half[name].astype(np.float64) - difference).max() <= np.abs(difference).max() / 2048
    with torch.no_grad():
        a, b = (tuned(generator, each).synthesis(codes) for each in (differences, half))
    assert torch.allclose(a, b, atol=2e-3)
    assert bytes_of(half) == bytes_of(differences) == sum(4 * d.size for d in differences.values())


def test_copies_made_of_weights_read_in_inference_mode_take_gradients(codes):
    config = StyleGAN2Config(resolution=8, z_dim=4, w_dim=4, mapping_layers=1, channels={4: 6, 8: 5})
    with torch.inference_mode():
        generator = Generator(config, seed=1).requires_grad_(False)
        other = separated(generator, [name for name, _ in generator.synthesis.named_parameters(prefix="synthesis")])
    weight = other.get_parameter(NAMES[0]).requires_grad_(True)
    other.synthesis(codes).sum().backward()
    assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["synthesis.b8.conv9.weight", "weight", "synthesis.b8.conv0.noise_const"])
def test_differences_of_another_generator_are_refused(generator, name):
    with pytest.raises(InversionFileError, match="fits no weight"):
        tuned(generator, {name: np.zeros((3, 3), np.float32)})
    with pytest.raises(InversionFileError, match=r"conv0\.weight of shape"):
        tuned(generator, {NAMES[0]: np.zeros((3, 3), np.float32)})
