"""The whole generator against the literal reference, and the promises of its interface."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Generator
from tests.generators.sizes import lively, normal, tiny_config
from tests.references import stylegan2_nvlabs as slow


@pytest.fixture
def generator() -> Generator:
    return lively(Generator(tiny_config())).eval()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize("resolution", [None, 4, 8])
def test_synthesis_equals_the_literal_network(generator, count, noise_mode, resolution):
    w_plus = normal(count, 6, 5)
    with torch.inference_mode():
        image = generator.synthesis(w_plus, noise_mode=noise_mode, resolution=resolution)
    expected = slow.synthesis(generator.state_dict(), w_plus, resolution=resolution or 16, noise=noise_mode == "const")
    assert image.dtype == torch.float32
    torch.testing.assert_close(image.double(), expected, atol=2e-5, rtol=1e-5)


def test_clamped_convolutions_equal_the_literal_network():
    generator = lively(Generator(tiny_config(conv_clamp=0.5)))
    w_plus = normal(2, 6, 5)
    expected = slow.synthesis(generator.state_dict(), w_plus, resolution=16, clamp=0.5)
    unclamped = slow.synthesis(generator.state_dict(), w_plus, resolution=16)
    assert not torch.allclose(expected, unclamped, atol=0.1)
    torch.testing.assert_close(generator.synthesis(w_plus).double(), expected, atol=2e-5, rtol=1e-5)


def test_bfloat16_features_stay_close(generator):
    w_plus = normal(2, 6, 5)
    exact, rounded = generator.synthesis(w_plus), generator.synthesis(w_plus, dtype=torch.bfloat16)
    assert rounded.dtype == torch.float32
    # bfloat16 keeps 8 bits: every one of five layers may add about half a percent.
    assert (exact - rounded).abs().max() < 0.03 * exact.abs().max()


def test_mapping_equals_its_formula(generator):
    z = normal(4, 6)
    x = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for layer in (generator.mapping.fc0, generator.mapping.fc1):
        x = x @ layer.weight.t() * (0.01 / layer.weight.shape[1] ** 0.5) + 0.01 * layer.bias
        x = F.leaky_relu(x, 0.2) * 2**0.5
    torch.testing.assert_close(generator.mapping(z), x)


def test_forward_is_mapping_truncation_broadcast_synthesis(generator):
    z = normal(2, 6)
    w = generator.mapping(z)
    expected = generator.synthesis(generator.broadcast(generator.mapping.w_avg + 0.6 * (w - generator.mapping.w_avg)))
    torch.testing.assert_close(generator(z, 0.6), expected)


def test_truncation_is_linear_between_average_and_latent(generator):
    w, average = normal(3, 5), generator.mapping.w_avg
    assert generator.truncate(w, 1) is w
    assert torch.equal(generator.truncate(w, 0), average.expand(3, 5))
    torch.testing.assert_close(generator.truncate(w, 0.5), (w + average) / 2)
    torch.testing.assert_close(generator.truncate(w, 1.5), average + 1.5 * (w - average))
    w_plus = generator.broadcast(w)
    torch.testing.assert_close(generator.truncate(w_plus, 0.3), generator.broadcast(generator.truncate(w, 0.3)))


def test_broadcast_repeats_rows(generator):
    w = normal(2, 5)
    w_plus = generator.broadcast(w)
    assert w_plus.shape == (2, 6, 5)
    assert all(torch.equal(w_plus[:, row], w) for row in range(6))


def test_noise_matters_only_through_its_strength(generator):
    w_plus = normal(1, 6, 5)
    none, const = (generator.synthesis(w_plus, noise_mode=mode) for mode in ("none", "const"))
    assert not torch.allclose(none, const, atol=1e-2)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.zero_()
    images = [generator.synthesis(w_plus, noise_mode=mode) for mode in ("none", "const", "random")]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


def test_random_noise_comes_from_the_given_generator(generator):
    w_plus = generator.broadcast(normal(1, 5)).expand(2, -1, -1)

    def draw(seed):
        return generator.synthesis(w_plus, noise_mode="random", noise_generator=torch_generator(seed))

    assert torch.equal(draw(1), draw(1))
    assert not torch.allclose(draw(1), draw(2), atol=1e-2)
    # Every sample has noise of its own.
    assert not torch.allclose(draw(1)[0], draw(1)[1], atol=1e-2)


def test_same_codes_give_the_same_bits(generator):
    w_plus = normal(1, 6, 5)
    assert torch.equal(generator.synthesis(w_plus), generator.synthesis(w_plus.clone()))


@pytest.mark.parametrize("below", [8, 16])
def test_going_on_from_a_trunk_gives_the_same_bits_every_time(generator, below):
    w_plus = normal(2, 6, 5)
    trunk = generator.synthesis.trunk(w_plus, below)
    whole = generator.synthesis(w_plus)
    assert torch.equal(generator.synthesis(w_plus, trunk=trunk), whole)
    assert torch.equal(generator.synthesis(w_plus, trunk=trunk), whole)
    with torch.no_grad():
        generator.synthesis.b4.const.mul_(2)
    assert torch.equal(generator.synthesis(w_plus, trunk=trunk), whole), "nothing below is looked at again"


def test_a_picture_does_not_depend_on_its_batch(generator):
    w_plus = normal(4, 6, 5)
    together = generator.synthesis(w_plus)
    for n in range(4):
        torch.testing.assert_close(generator.synthesis(w_plus[n : n + 1])[0], together[n], atol=1e-5, rtol=1e-5)


def test_each_row_styles_its_own_layers(generator):
    """Rows 4 and 5 enter at 16 px only: what lies below does not move; row 0 moves everything."""
    w_plus = normal(1, 6, 5)
    other = w_plus.clone()
    other[:, 4:] += 1
    low = {"resolution": 8}
    assert torch.equal(generator.synthesis(other, **low), generator.synthesis(w_plus, **low))
    assert not torch.allclose(generator.synthesis(other), generator.synthesis(w_plus), atol=1e-3)


def test_gradients_of_gradients_exist(generator):
    """Path-length regularisation differentiates the gradient with respect to the codes again."""
    w_plus = normal(2, 6, 5).requires_grad_(True)
    image = generator.synthesis(w_plus)
    (gradient,) = torch.autograd.grad((image * normal(*image.shape)).sum(), [w_plus], create_graph=True)
    gradient.square().sum().backward()
    weight = generator.synthesis.b8.conv0.weight
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()
    assert weight.grad.abs().max() > 0


def test_seed_decides_the_starting_weights_and_nothing_else_moves():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (Generator(tiny_config(), seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["synthesis.b8.conv0.weight"], other["synthesis.b8.conv0.weight"])


def test_config_json_builds_the_same_network(generator):
    twin = Generator.from_config(generator.config_json())
    twin.load_state_dict(generator.state_dict())
    z = normal(1, 6)
    assert torch.equal(twin(z), generator(z))


# ---- class conditioning ---------------------------------------------------------------------------------------------


def test_class_vector_enters_the_mapping():
    generator = lively(Generator(tiny_config(class_count=3)))
    shapes = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    assert shapes["mapping.embed.weight"] == (5, 3)
    assert shapes["mapping.embed.bias"] == (5,)
    assert shapes["mapping.fc0.weight"] == (5, 6 + 5)
    z, labels = normal(1, 6), torch.eye(3)
    images = [generator(z, label=labels[k : k + 1]) for k in range(3)]
    assert images[0].shape == (1, 3, 16, 16)
    assert not torch.allclose(images[0], images[1], atol=1e-3)
    mixed = generator(z, label=(labels[:1] + labels[1:2]) / 2)
    assert torch.isfinite(mixed).all()


def test_conditional_mapping_equals_its_formula():
    mapping = lively(Generator(tiny_config(class_count=3, mapping_layers=1))).mapping
    z, label = normal(2, 6), torch.eye(3)[:2]

    def unit(x):
        return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()

    embedded = label @ mapping.embed.weight.t() / 3**0.5 + mapping.embed.bias
    x = torch.cat([unit(z), unit(embedded)], dim=1)
    y = x @ mapping.fc0.weight.t() * (0.01 / 11**0.5) + 0.01 * mapping.fc0.bias
    torch.testing.assert_close(mapping(z, label), F.leaky_relu(y, 0.2) * 2**0.5)


def test_a_class_vector_stands_for_its_label():
    """c = W c~ + b is affine: the vector between two classes is that of the half-and-half label."""
    generator = lively(Generator(tiny_config(class_count=3)))
    mapping, z, labels = generator.mapping, normal(3, 6), torch.eye(3)
    vectors = mapping.class_vectors(labels)
    torch.testing.assert_close(vectors - mapping.embed.bias, mapping.embed.weight.T / 3**0.5)
    torch.testing.assert_close(mapping(z, class_vector=vectors), mapping(z, labels))
    torch.testing.assert_close(mapping.class_vectors((labels[:1] + labels[1:2]) / 2)[0], (vectors[0] + vectors[1]) / 2)
    with pytest.raises(ValueError, match="either a label"):
        mapping(z, labels, class_vector=vectors)
    with pytest.raises(ValueError, match=r"class_vector must have shape \[any, 5\]"):
        mapping(z, class_vector=labels)


def test_hidden_layers_of_the_mapping_may_be_wider_than_w():
    generator = lively(Generator(tiny_config(mapping_layers=3, mapping_width=11)))
    shapes = [tuple(generator.mapping.get_submodule(f"fc{index}").weight.shape) for index in range(3)]
    assert shapes == [(11, 6), (11, 11), (5, 11)]
    assert generator.mapping(normal(2, 6)).shape == (2, 5)
    assert Generator.from_config(generator.config_json()).config == generator.config


def test_conditional_generator_asks_for_a_class():
    with pytest.raises(ValueError, match=r"either a label \[N, 3\] or a class vector \[N, 5\] is needed"):
        Generator(tiny_config(class_count=3))(normal(1, 6))


# ---- wrong use ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"w_plus": torch.zeros(1, 5, 5)}, r"w_plus must have shape \[any, 6, 5\], got \[1, 5, 5\]"),
        ({"noise_mode": "some"}, "noise_mode must be const, random or none, got 'some'"),
        ({"resolution": 32}, r"resolution must be one of \[4, 8, 16\], got 32"),
    ],
)
def test_wrong_arguments_of_synthesis_are_named(generator, arguments, message):
    with pytest.raises(ValueError, match=message):
        generator.synthesis(**{"w_plus": torch.zeros(1, 6, 5), **arguments})


def test_wrong_latents_are_named(generator):
    with pytest.raises(ValueError, match=r"z must have shape \[any, 6\]"):
        generator(torch.zeros(1, 5))
    with pytest.raises(ValueError, match=r"w must have shape \[any, 5\]"):
        generator.broadcast(torch.zeros(1, 6, 5))
    with pytest.raises(ValueError, match=r"z \[N, 6\] is needed"):
        generator.mapping(None)
