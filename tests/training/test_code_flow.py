"""The flow of codes on clouds whose shape is known: what a Gaussian fit would get wrong."""

from __future__ import annotations

import time

import torch

from engines.core.rng import torch_generator
from engines.training.code_flow import CodeFlow, train_flow
from engines.training.schedule import Schedule


def _two_clusters(count: int, seed: int) -> torch.Tensor:
    """Three quarters around (2, 0, 0, 0), one quarter around (-2, 0, 0, 0), deviation .2 along the first axis."""
    draw = torch_generator(seed)
    codes = torch.randn(count, 4, generator=draw) * torch.tensor([0.2, 1.0, 0.5, 0.1])
    codes[:, 0] += torch.where(torch.rand(count, generator=draw) < 0.75, 2.0, -2.0)
    return codes


def _no_classes(count: int) -> torch.Tensor:
    return torch.zeros(count, 0)


def _flow(codes: torch.Tensor, steps: int, seed: int = 0, labels: torch.Tensor | None = None) -> CodeFlow:
    return train_flow(
        codes,
        _no_classes(len(codes)) if labels is None else labels,
        schedule=Schedule(steps=steps),
        clock=time.monotonic,
        report=lambda step, seconds, loss: None,
        seed=seed,
    )


def test_the_flow_finds_both_clusters_in_their_proportion(quick_fits):
    codes = _two_clusters(4000, 1)
    drawn = _flow(codes, 450).codes(torch.randn(4000, 4, generator=torch_generator(2)), _no_classes(4000), steps=20)
    first = drawn[:, 0]
    assert abs(float((first > 0).float().mean()) - 0.75) < 0.05
    # A normal distribution of the same mean and variance would leave a fifth of its mass between the clusters.
    assert float((first.abs() < 1).float().mean()) < 0.05
    assert torch.allclose(drawn.std(0), codes.std(0), rtol=0.15)


def test_a_class_has_its_own_codes(quick_fits):
    """Each cluster is a class of its own: asked for it, the flow gives that cluster alone, whatever its share."""
    codes = _two_clusters(4000, 1)
    labels = torch.nn.functional.one_hot((codes[:, 0] > 0).long(), 2).float()
    flow = _flow(codes, 450, labels=labels)
    for number, side in ((0, -1.0), (1, 1.0)):
        asked = torch.eye(2)[number].expand(2000, -1)
        first = side * flow.codes(torch.randn(2000, 4, generator=torch_generator(2)), asked, steps=20)[:, 0]
        assert float((first > 0).float().mean()) > 0.98
        assert abs(float(first.mean()) - 2) < 0.1 and abs(float(first.std()) - 0.2) < 0.1


def test_whitening_is_undone_by_the_way_back():
    codes = _two_clusters(500, 3)
    flow = CodeFlow(codes)
    flow.leave.weight.data.zero_()
    flow.leave.bias.data.zero_()
    # A field that is zero everywhere moves nothing: what comes out is what went in, in the codes' own coordinates.
    assert torch.allclose(flow.codes(flow.whitened(codes), _no_classes(500)), codes, atol=1e-4)


def test_the_same_seed_learns_the_same_flow():
    codes = _two_clusters(300, 4)
    z = torch.randn(50, 4, generator=torch_generator(5))
    first, again, other = (_flow(codes, 5, seed=seed).codes(z, _no_classes(50)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
