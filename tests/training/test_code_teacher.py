"""The teacher of the mapping network on codes that lie in two clouds, one for each value of a label."""

from __future__ import annotations

import time

import pytest
import torch

from engines.core.rng import torch_generator
from engines.training.code_teacher import CodeTeacher, train_teacher
from engines.training.schedule import Schedule

_DIM = 6


def _teacher(codes: torch.Tensor, labels: torch.Tensor, *, z_dim: int = _DIM, steps: int = 450) -> CodeTeacher:
    return train_teacher(
        codes,
        torch.zeros(len(codes), 0),
        labels,
        z_dim=z_dim,
        schedule=Schedule(steps=steps),
        clock=time.monotonic,
        report=lambda step, seconds, loss: None,
        seed=0,
    )


def _clouds(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A third of the codes around (2, 0, ..), the others around (-2, 0, ..); the label says which."""
    draw = torch_generator(1)
    yes = torch.rand(count, generator=draw) < 1 / 3
    codes = torch.randn(count, _DIM, generator=draw) * torch.tensor([0.2, 1.0, 0.8, 0.6, 0.4, 0.01])
    codes[:, 0] += torch.where(yes, 2.0, -2.0)
    return codes, yes[:, None].float()


def test_the_last_coordinate_says_which_cloud(monkeypatch, quick_fits):
    monkeypatch.setattr("engines.training.gate_fit._STEPS", 300)
    codes, labels = _clouds(6000)
    teacher = _teacher(codes, labels)
    z = torch.randn(6000, _DIM, generator=torch_generator(2))
    drawn = teacher.codes(z, torch.zeros(6000, 0))
    first = drawn[:, 0]
    assert abs(float((first > 0).float().mean()) - 1 / 3) < 0.03
    assert float((first.abs() < 1).float().mean()) < 0.002  # a flow alone leaves some percent between the clouds
    assert float(z[first > 0, -1].max()) < float(z[first < 0, -1].min()) + 1e-3
    # The axis that went to the label is the thinnest one.
    assert torch.allclose(drawn.std(0)[:-1], codes.std(0)[:-1], rtol=0.15) and float(drawn.std(0)[-1]) < 0.01


def test_without_labels_it_is_a_flow_of_all_axes(quick_fits):
    codes, _ = _clouds(2000)
    teacher = _teacher(codes, torch.zeros(2000, 0), z_dim=_DIM + 2, steps=2)
    assert teacher.gates is None and teacher.flow.dim == _DIM


def test_too_few_coordinates_are_refused():
    codes, labels = _clouds(50)
    with pytest.raises(ValueError, match="too few"):
        _teacher(codes, labels.repeat(1, 4))
