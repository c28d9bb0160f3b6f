"""Labels from noise, against the frequencies that they were drawn with."""

from __future__ import annotations

import pytest
import torch

from engines.core.rng import torch_generator
from engines.generators.stylegan2.label_gates import LabelGates
from engines.training.gate_fit import train_gates


def _labels(count: int) -> torch.Tensor:
    """Three labels: a fair coin, one that is never with it, and the parity of both or, in a tenth of the rows, its opposite."""
    draw = torch_generator(1)
    first = torch.rand(count, generator=draw) < 0.5
    second = (torch.rand(count, generator=draw) < 0.3) & ~first
    third = first ^ second ^ (torch.rand(count, generator=draw) < 0.1)
    return torch.stack([first, second, third], 1).float()


@pytest.fixture(scope="module")
def gates() -> LabelGates:
    """A fifth of the steps that a pack's forty labels get: three labels need no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engines.training.gate_fit._STEPS", 300)
        return train_gates(_labels(8000), seed=0)


def _shares(labels: torch.Tensor) -> torch.Tensor:
    """How often each of the eight combinations comes."""
    numbers = (labels @ torch.tensor([1.0, 2.0, 4.0])).long()
    return torch.bincount(numbers, minlength=8) / len(labels)


def test_combinations_come_as_often_as_they_did(gates):
    labels = _labels(8000)
    drawn = gates(torch.randn(8000, 3, generator=torch_generator(2))).detach()
    assert set(drawn.round(decimals=4).unique().tolist()) == {0.0, 1.0}
    assert (_shares(drawn.round()) - _shares(labels)).abs().max() < 0.02


def test_each_coordinate_decides_its_own_label(gates):
    u = torch.randn(2000, 3, generator=torch_generator(3))
    other = torch.cat([u[:, :2], -u[:, 2:]], 1)
    before, after = gates(u).detach().round(), gates(other).detach().round()
    assert torch.equal(before[:, :2], after[:, :2]) and not torch.equal(before[:, 2], after[:, 2])
    # Low values are the yes.
    yes = before[:, 0] == 1
    assert float(u[yes, 0].max()) < float(u[~yes, 0].min())


def test_a_search_by_gradient_reaches_the_other_side(gates):
    u = torch.tensor([[2.0, 2.0, 0.5]], requires_grad=True)
    for wanted in (1.0, 0.0):
        optimiser = torch.optim.Adam([u], lr=0.1)
        for _ in range(100):
            optimiser.zero_grad()
            (gates(u)[0, 0] - wanted).square().backward()
            optimiser.step()
        assert float(gates(u)[0, 0].detach().round()) == wanted


def test_what_a_row_is_given_does_not_depend_on_what_comes_after(gates):
    """Logits by the sums of all labels at once, against each by itself from a row that ends there."""
    labels = _labels(20)
    together = gates.logits(labels)
    for k in range(3):
        cut = labels.clone()
        cut[:, k:] = 0
        assert torch.allclose(gates.logits(cut)[:, k], together[:, k], atol=1e-5)
