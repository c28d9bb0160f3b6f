"""Edit maps with a hidden layer against explicit arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.core.rng import torch_generator
from engines.editing.mlp_maps import MlpMaps
from engines.training.statistics import latent_statistics

ATTRIBUTES = ("Two", "Three")
LAYERS, DIM, COMPONENTS, HIDDEN = 3, 5, 4, 6


def _codes(n: int = 4, seed: int = 2) -> torch.Tensor:
    return torch.randn(n, LAYERS, DIM, generator=torch_generator(seed)) * torch.linspace(1, 2, DIM)


def _statistics() -> dict[str, torch.Tensor]:
    return latent_statistics(torch.zeros(DIM), _codes(400, seed=3), rank=LAYERS * DIM)


def _random_maps() -> MlpMaps:
    maps, statistics = MlpMaps(ATTRIBUTES, LAYERS, DIM, components=COMPONENTS, hidden=HIDDEN), _statistics()
    maps.set_coordinates(statistics["w_plus_mean"], statistics["w_plus_factors"])
    generator = torch_generator(1)
    with torch.no_grad():
        for tensor in maps.parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        maps.scale.copy_(torch.rand(maps.scale.shape, generator=generator) + 0.5)
    return maps.requires_grad_(False)


@pytest.mark.parametrize("alphas", [{"Two": 1.0}, {"Two": -0.7}, {"Three": 1.5, "Two": -2.0}])
def test_an_edit_is_the_written_out_sum(alphas):
    """The hidden layer in float64, a code at a time, with coordinates from the covariance's own eigenvectors."""
    maps, codes = _random_maps(), _codes()
    z = codes.numpy().astype(np.float64).reshape(len(codes), -1)
    training = _codes(400, seed=3).numpy().astype(np.float64).reshape(400, -1)
    mean = training.mean(0)
    values, vectors = np.linalg.eigh(np.cov(training.T, bias=True))
    values, vectors = values[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS].T
    # An eigenvector's sign is free.
    vectors *= np.sign((vectors * maps.axes.numpy()).sum(1))[:, None]
    expected = z.copy()
    for name, alpha in alphas.items():
        k, d = ATTRIBUTES.index(name), 0 if alpha > 0 else 1
        matrix, inwards, threshold, outwards, bias = (p[k, d].numpy().astype(np.float64) for p in maps.parameters())
        for i, code in enumerate(z):
            s = vectors @ (code - mean) / np.sqrt(values)
            opened = np.array([max(0.0, float(s @ inwards[:, j] + threshold[j])) for j in range(HIDDEN)])
            change = ((s @ matrix + opened @ outwards) * np.sqrt(values)) @ vectors + bias.ravel()
            expected[i] += abs(alpha) * float(maps.scale[k, d]) * change
    np.testing.assert_allclose(maps.edit(codes, alphas).numpy().reshape(len(z), -1), expected, rtol=5e-3, atol=2e-2)


def test_far_codes_are_asked_about_where_they_enter_the_ball_of_typical_ones():
    """Beyond 1.25 times the usual norm a code changes as the nearest one in its direction; within, by its own."""
    maps = _random_maps()
    towards = _codes(1) - maps.mean
    s = (towards.flatten(1) @ maps.axes.T / maps.deviations).norm()
    border = towards * (1.25 * COMPONENTS**0.5 / s)
    near, at, far, farther = (maps.change(maps.mean + k * border, "Two", "add") for k in (0.7, 1.0, 3.0, 30.0))
    torch.testing.assert_close(far, at, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(farther, at, rtol=1e-2, atol=1e-2)
    assert (near - at).abs().max() > 0.1


def test_untrained_maps_leave_codes_as_they_are():
    maps, statistics = MlpMaps(ATTRIBUTES, LAYERS, DIM, components=COMPONENTS, hidden=HIDDEN), _statistics()
    maps.set_coordinates(statistics["w_plus_mean"], statistics["w_plus_factors"])
    codes = _codes()
    with torch.no_grad():
        assert torch.equal(maps.edit(codes, {"Two": 1.0, "Three": -1.0}), codes)


def test_layers_outside_the_range_keep_their_bits():
    maps, codes = _random_maps(), _codes()
    full, part = maps.edit(codes, {"Two": 1.0}), maps.edit(codes, {"Two": 1.0}, layers=(1, 2))
    assert torch.equal(part[:, 1], full[:, 1])
    assert torch.equal(part[:, [0, 2]], codes[:, [0, 2]])


def test_what_a_layer_does_hangs_on_all_of_them():
    """One choice for the whole picture: another code in the last layer changes what happens in the first."""
    maps, codes = _random_maps(), _codes()
    other = codes.clone()
    other[:, -1] += 3.0
    changes = [maps.change(w_plus, "Two", "add")[:, 0] for w_plus in (codes, other)]
    assert (changes[0] - changes[1]).abs().max() > 0.1


def test_coordinates_that_do_not_vary_are_not_read():
    """Codes of two dimensions: with four components asked for, what lies off their plane does not blow up."""
    plane = torch.randn(400, 2, generator=torch_generator(4)) @ torch.randn(2, LAYERS * DIM, generator=torch_generator(5))
    statistics = latent_statistics(torch.zeros(DIM), plane.view(-1, LAYERS, DIM), rank=COMPONENTS)
    maps = _random_maps()
    maps.set_coordinates(statistics["w_plus_mean"], statistics["w_plus_factors"])
    stored = maps.half().float()
    w_plus = plane[:20].view(-1, LAYERS, DIM)
    off = w_plus + 0.01 * torch.randn(w_plus.shape, generator=torch_generator(6))
    change = stored.change(w_plus, "Two", "add") - stored.change(off, "Two", "add")
    assert change.isfinite().all() and change.abs().max() < 1.0


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="from 1 to 15 components, got 16"):
        MlpMaps(ATTRIBUTES, LAYERS, DIM, components=16, hidden=1)
    with pytest.raises(ValueError, match="a unit in it"):
        MlpMaps(ATTRIBUTES, LAYERS, DIM, components=1, hidden=0)
    with pytest.raises(ValueError, match=r"w_plus must have shape \[any, 3, 5\]"):
        _random_maps().edit(_codes()[:, :2], {"Two": 1.0})
