"""The two global losses against what they stand for."""

from __future__ import annotations

import pytest
import torch

from engines.core.rng import torch_generator
from engines.imaging.convert import to_tensor
from engines.tuning.cohesion import FrozenCohesion, GanCohesion
from engines.tuning.moves import Moves
from engines.tuning.random_codes import random_codes
from engines.tuning.run import Task
from engines.tuning.trainee import Trainee


class _WithSample:
    """The tiny pack with training pictures."""

    def __init__(self, pack, sample) -> None:
        self._pack, self.training_sample = pack, sample

    def __getattr__(self, name: str):
        return getattr(self._pack, name)


@pytest.fixture
def task(tiny_pack, crop) -> Task:
    w_plus = random_codes(tiny_pack.generator, 1, torch_generator(5))
    return Task(tiny_pack, Trainee(tiny_pack.generator), to_tensor(crop), None, w_plus, 0.0, 0)


def _disturb(task: Task, size: float = 0.05) -> None:
    with torch.no_grad():
        for weight in task.trainee.weights:
            weight += size * torch.randn(weight.shape, generator=torch_generator(1))


def test_an_untuned_generator_is_frozen(task):
    assert float(FrozenCohesion(task, Moves(task.models, task.w_plus)).loss(1).detach()) == 0


def test_the_frozen_loss_measures_changes_of_random_codes_and_of_edits(task):
    _disturb(task)
    cohesion = FrozenCohesion(task, Moves(task.models, task.w_plus))
    losses = [float(cohesion.loss(step).detach()) for step in range(40)]
    with torch.no_grad():
        codes = random_codes(task.models.generator, 160, torch_generator(8))
        edited = task.w_plus + Moves(task.models, task.w_plus).draw(160, torch_generator(9))
        random, moved, own = (task.trainee.picture(c) - task.trainee.base_picture(c) for c in (codes, edited, task.w_plus))
        expected = float(random.square().mean() + (moved - own).square().mean())
    # Both are means over draws of their own: they agree as far as 160 pictures go.
    assert sum(losses) / len(losses) == pytest.approx(expected, rel=0.15)
    assert cohesion.loss(3) == cohesion.loss(3)


def test_a_change_that_every_picture_shares_costs_random_codes_and_no_edits(task):
    layer = task.trainee.generator.synthesis.b32.torgb
    layer.bias = torch.nn.Parameter(layer.bias.detach() + 0.5)
    loss = FrozenCohesion(task, Moves(task.models, task.w_plus)).loss(1)
    assert float(loss.detach()) == pytest.approx(0.25, rel=0.02)


def test_the_gan_teaches_a_discriminator_of_its_own(task):
    before = {name: value.clone() for name, value in task.models.discriminator.state_dict().items()}
    cohesion = GanCohesion(task)
    _disturb(task, 0.5)
    losses = [cohesion.loss(step) for step in range(4)]
    assert all(torch.equal(value, before[name]) for name, value in task.models.discriminator.state_dict().items())
    changed = cohesion.discriminator.state_dict()
    assert any(not torch.equal(changed[name], value) for name, value in before.items())
    gradients = torch.autograd.grad(losses[-1], task.trainee.weights)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert not any(parameter.requires_grad for parameter in cohesion.discriminator.parameters())


def test_the_discriminator_learns_to_tell_the_tuned_from_the_training_pictures(task):
    cohesion = GanCohesion(task)
    _disturb(task, 0.5)
    for step in range(80):
        cohesion.loss(step)
    with torch.no_grad():
        codes = random_codes(task.models.generator, 32, torch_generator(8))
        real, fake = (
            cohesion.discriminator(picture(codes)).mean() for picture in (task.trainee.base_picture, task.trainee.picture)
        )
    assert float(real) > float(fake)


def test_training_pictures_come_from_the_packs_sample_where_there_is_one(task):
    assert GanCohesion(task).source == "the untuned generator's samples"
    sample = torch.full((6, 3, 32, 32), 255, dtype=torch.uint8)
    models = _WithSample(task.models, sample)
    cohesion = GanCohesion(Task(models, task.trainee, task.target, None, task.w_plus, 0.0, 0))
    assert cohesion.source == "bundled sample of 6"
    real, labels = cohesion._training_pictures(torch_generator(0))
    assert labels.shape == (4, 0)
    assert real.shape == (4, 3, 32, 32)
    assert torch.equal(real, torch.ones_like(real))
