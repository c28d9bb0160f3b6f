"""What keeps the rest of the generator as it was while it is tuned for one picture: two forms of a global loss.

``gan`` is the paper's (Eq. 3): the loss that the generator was trained with, discriminator included. It asks that samples look
like the training pictures, and not that a code keeps its picture. ``frozen`` asks just that, by comparing with the untuned
generator. Both draw fresh codes at every step.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from engines.core.device import rough_dtype
from engines.core.rng import torch_generator
from engines.generators.labels import random_labels
from engines.generators.weight_differences import separated
from engines.inversion.options import GlobalLoss
from engines.losses.adversarial import discriminator_loss, generator_loss, judged_apart, r1_penalty
from engines.losses.pixel import mse
from engines.tuning.models import TuningModels
from engines.tuning.moves import Moves
from engines.tuning.random_codes import random_codes
from engines.tuning.run import Task

__all__ = ["GAN_BETAS", "WITH_TRAINING_PICTURES", "Cohesion", "FrozenCohesion", "GanCohesion", "picture_labels"]

WITH_TRAINING_PICTURES: tuple[GlobalLoss, ...] = ("gan", "both")
"""Global losses in which training pictures take part."""

_FEATURES = rough_dtype()
"""Of these batches: their errors are far below what is compared, and they take half the time."""
_RANDOM_CODES, _EDITED_CODES = 2, 2
_EDIT_WEIGHT = 1.0

_GAN_BATCH = 4
_R1_INTERVAL, _R1_GAMMA = 16, 0.3
_DISCRIMINATOR_RATE = 1e-3
GAN_BETAS = (0.0, 0.99)


class Cohesion(Protocol):
    """A global loss."""

    pictures: int
    """How many pictures one loss makes."""

    def loss(self, step: int) -> Tensor:
        """The loss of the weights as they are now, a scalar; `step` numbers the draws."""


class FrozenCohesion:
    """Distance to the untuned generator G_0 where nothing, or the same, should change.

        mean_z |G(w) - G_0(w)|^2, w = M(z)    +    mean_e |(G(w* + e) - G(w*)) - (G_0(w* + e) - G_0(w*))|^2

    The second term keeps what edits do: e are the pack's own edits at random strengths, one at a time.
    """

    pictures = _RANDOM_CODES + _EDITED_CODES + 1

    def __init__(self, task: Task, moves: Moves) -> None:
        self._task, self._moves = task, moves

    def loss(self, step: int) -> Tensor:
        trainee, w_plus = self._task.trainee, self._task.w_plus
        draw = torch_generator(self._task.seed, 31, step)
        edited = w_plus + self._moves.draw(_EDITED_CODES, draw)
        codes = torch.cat([random_codes(trainee.base, _RANDOM_CODES, draw), edited, w_plus])
        trunk = trainee.trunk(codes, _FEATURES)
        change = trainee.picture(codes, _FEATURES, trunk=trunk) - trainee.base_picture(codes, _FEATURES, trunk=trunk)
        random, edited, own = change.split([_RANDOM_CODES, _EDITED_CODES, 1])
        nothing = torch.zeros_like(own)
        return mse(random, nothing).mean() + _EDIT_WEIGHT * mse(edited, own).mean()


class GanCohesion:
    """Non-saturating logistic loss on G(M(z)) (Eq. 3); the discriminator is a private copy that learns too, with lazy R1."""

    pictures = 2 * _GAN_BATCH

    def __init__(self, task: Task) -> None:
        self._task, self._real = task, task.models.training_sample
        self.source = "the untuned generator's samples" if self._real is None else f"bundled sample of {len(self._real)}"
        """Where training pictures come from: the pack's sample where it ships one, else the untuned generator."""
        shared = task.models.discriminator
        names = [name for name, _ in shared.named_parameters()]
        self.discriminator = separated(shared, names).requires_grad_(False)
        self._parameters = list(self.discriminator.parameters())
        self._optimiser = torch.optim.Adam(self._parameters, lr=_DISCRIMINATOR_RATE, betas=GAN_BETAS, fused=True)
        self._steps = 0

    def loss(self, step: int) -> Tensor:
        """Also teaches the discriminator, before it is asked."""
        trainee, seed = self._task.trainee, self._task.seed
        draw = torch_generator(seed, 37, step)
        labels = self._random_labels(draw)
        fake = trainee.picture(random_codes(trainee.base, _GAN_BATCH, draw, labels), _FEATURES)
        self._teach(fake.detach(), labels, *self._training_pictures(draw))
        return generator_loss(self.discriminator(fake, labels, dtype=_FEATURES)).mean()

    def _random_labels(self, draw: torch.Generator) -> Tensor:
        count = self._task.trainee.base.config.class_count
        return random_labels(_GAN_BATCH, count, draw).to(self._task.target.device)

    def _training_pictures(self, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures and their labels."""
        if self._real is None:
            labels = self._random_labels(draw)
            codes = random_codes(self._task.trainee.base, _GAN_BATCH, draw, labels)
            return self._task.trainee.base_picture(codes, _FEATURES), labels
        chosen = torch.randint(0, len(self._real), (_GAN_BATCH,), generator=draw)
        pictures = self._real[chosen].to(self._task.target.device).float() / 127.5 - 1
        return pictures, picture_labels(self._task.models, pictures)

    def _teach(self, fake: Tensor, fake_labels: Tensor, real: Tensor, real_labels: Tensor) -> None:
        network = self.discriminator.requires_grad_(True)
        loss = discriminator_loss(*judged_apart(network, (real, real_labels), (fake, fake_labels), dtype=_FEATURES))
        if self._steps % _R1_INTERVAL == 0:
            penalty = r1_penalty(lambda image: network(image, real_labels), real).mean()
            loss = loss + 0.5 * _R1_GAMMA * _R1_INTERVAL * penalty
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        network.requires_grad_(False)
        self._steps += 1


@torch.no_grad()
def picture_labels(models: TuningModels, pictures: Tensor) -> Tensor:
    """Labels [N, C] of pictures [N, 3, R, R]: what the class predictor says, or all classes alike where the pack has none."""
    count = models.generator.config.class_count
    if count and models.has("class_predictor"):
        return models.class_predictor.probabilities(pictures)
    return pictures.new_full((len(pictures), count), 1 / max(1, count))
