"""Image predictors: shapes, ranges, and the metric properties of the distances."""

from __future__ import annotations

import torch

from engines.core.rng import torch_generator
from engines.predictors.attributes import AttributePredictor
from engines.predictors.identity import IdentityNetwork
from engines.predictors.perceptual import PerceptualNetwork

_CHANNELS = (8, 8, 16)


def _images(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch_generator(1)) * 2 - 1


def test_temperature_softens_probabilities_and_keeps_the_decision():
    torch.manual_seed(0)
    network = AttributePredictor(["A", "B"], _CHANNELS, 16).eval()
    logits = network(_images())
    assert torch.allclose(network.probabilities(_images()), torch.sigmoid(logits))
    network.temperature.fill_(3.0)
    softer = network.probabilities(_images())
    assert torch.equal(softer > 0.5, logits > 0)
    assert bool(((softer - 0.5).abs() < (torch.sigmoid(logits) - 0.5).abs()).all())


def test_configurations_rebuild_the_networks():
    for network in (AttributePredictor(["A"], _CHANNELS, 16), IdentityNetwork(_CHANNELS, 8), PerceptualNetwork(_CHANNELS)):
        again = type(network).from_config(network.config_json())
        again.load_state_dict(network.state_dict())


def test_embeddings_are_unit_vectors_and_similarity_is_their_cosine():
    torch.manual_seed(0)
    network = IdentityNetwork(_CHANNELS, 8).eval()
    embedding = network(_images())
    assert torch.allclose(embedding.norm(dim=1), torch.ones(3), atol=1e-5)
    other = embedding.roll(1, 0)
    assert torch.allclose(network.similarity(embedding, other), torch.cosine_similarity(embedding, other), atol=1e-5)
    assert torch.allclose(network.similarity(embedding, embedding), torch.ones(3), atol=1e-5)


def test_perceptual_distance_is_zero_at_equality_symmetric_and_positive():
    torch.manual_seed(0)
    network = PerceptualNetwork(_CHANNELS).eval()
    a, b = _images(), _images().flip(0)
    assert torch.equal(network.distance(a, a), torch.zeros(3))
    assert torch.allclose(network.distance(a, b), network.distance(b, a))
    assert network.distance(a, b)[0].item() > 0


def test_perceptual_distance_equals_its_formula():
    torch.manual_seed(0)
    network = PerceptualNetwork(_CHANNELS).eval()
    a, b = _images(1), _images(2)[1:]
    total = 0.0
    for fa, fb in zip(network.trunk(a), network.trunk(b), strict=True):
        ua, ub = (f[0] / (f[0].square().sum(0) + 1e-6).sqrt() for f in (fa, fb))
        total += float(
            sum(((ua[:, y, x] - ub[:, y, x]) ** 2).sum() for y in range(ua.shape[1]) for x in range(ua.shape[2]))
            / ua[0].numel()
        )
    assert abs(network.distance(a, b).item() - total / 3) < 1e-5
