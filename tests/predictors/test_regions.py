"""The region network: shapes, its way through a file, and that it learns where, not only whether."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from engines.core.rng import torch_generator
from engines.predictors.regions import RegionNetwork


@pytest.fixture
def network() -> RegionNetwork:
    torch.manual_seed(0)
    return RegionNetwork(("Beard", "Bangs"), (8, 12, 16))


def test_every_pixel_gets_a_probability_of_every_attribute(network):
    image = torch.randn(3, 3, 32, 32, generator=torch_generator(1))
    logits, probabilities = network.eval()(image), network.probabilities(image)
    assert logits.shape == (3, 2, 16, 16) and probabilities.shape == (3, 2, 32, 32)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    # The probability of a pair of pixels lies in its middle.
    assert torch.allclose(F.avg_pool2d(probabilities, 2)[..., 1:-1, 1:-1], torch.sigmoid(logits)[..., 1:-1, 1:-1], atol=0.1)


def test_a_side_that_halves_to_odd_numbers_is_no_trouble(network):
    assert network.eval().probabilities(torch.zeros(1, 3, 36, 36)).shape == (1, 2, 36, 36)


def test_it_is_made_anew_from_its_configuration(network):
    again = RegionNetwork.from_config(network.config_json())
    again.load_state_dict(network.state_dict())
    image = torch.randn(2, 3, 32, 32, generator=torch_generator(2))
    assert torch.equal(again.eval()(image), network.eval()(image))
    assert again.attributes == ("Beard", "Bangs")


def test_it_finds_planted_places(network):
    """A red square lies anywhere, one attribute changes in it, the other in the row above it."""

    def planted(step: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        draw = torch_generator(3, step)
        images = 0.1 * torch.randn(count, 3, 32, 32, generator=draw)
        wanted = torch.zeros(count, 2, 16, 16)
        for i, (x, y) in enumerate(torch.randint(1, 12, (count, 2), generator=draw).tolist()):
            images[i, 0, 2 * y : 2 * y + 8, 2 * x : 2 * x + 8] += 1
            wanted[i, 0, y : y + 4, x : x + 4] = 1
            wanted[i, 1, y - 1, x : x + 4] = 1
        return images, wanted

    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for step in range(80):
        images, wanted = planted(step, 16)
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(network(images), wanted).backward()
        optimiser.step()
    images, wanted = planted(1000, 64)
    found, true = network.eval()(images) > 0, wanted > 0.5
    overlap = (found & true).sum((0, 2, 3)) / (found | true).sum((0, 2, 3))
    assert overlap[0] > 0.9 and overlap[1] > 0.6
