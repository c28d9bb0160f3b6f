"""One generator of ``evaluate architectures``: how it is built and drawn from, and its adversarial training from scratch.

All competitors have a discriminator of the same sizes and first weights, the same real pictures in the same order, and the
same regularisation: what differs is the generator, its learning rate and, where asked for, the loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engines.core.device import rough_dtype
from engines.core.rng import torch_generator, z_for_seeds
from engines.evaluation.judges import BATCH
from engines.generators.biggan_deep import BigGANDeep, BigGANDeepConfig, standing_statistics
from engines.generators.labels import random_labels
from engines.generators.stylegan2 import Discriminator, Generator, StyleGAN2Config
from engines.imaging.convert import to_uint8
from engines.losses.adversarial import discriminator_loss, generator_loss, hinge_loss, judged_apart, r1_penalty
from engines.training.batches import PictureBatches
from engines.training.common import autocast
from engines.training.ema import Ema

__all__ = [
    "LOSSES",
    "Architecture",
    "Competitor",
    "RealPictures",
    "biggan_deep",
    "nearest_width",
    "parameter_count",
    "stylegan2",
]

LOSSES = ("logistic", "hinge")
# Those of the adversarial stage of train gan.
_R1_INTERVAL = 16
_R1_GAMMA = 0.3
_RATE = 1.5e-3
_EMA_HALF_LIFE_STEPS = 400
_SECOND_BETA = 0.99
_STANDING_BATCHES = 100  # as published


@dataclass(frozen=True, eq=False)
class Architecture:
    """A kind of generator with its sizes, as functions."""

    name: str
    described: str
    """Its sizes, for the report."""
    z_dim: int
    class_count: int
    rate: float
    """Learning rate of the generator."""
    loss: str
    """One of LOSSES."""
    build: Callable[[int], Any]
    """Seed -> generator with first weights."""
    training_pictures: Callable[[Any, Tensor, Tensor, torch.Generator], Tensor]
    """(generator, z, label, draw) -> images [N, 3, R, R] for the discriminator."""
    pictures: Callable[[Any, Tensor, Tensor], Tensor]
    """(generator, z, label) -> images [N, 3, R, R] for people."""
    settle: Callable[[Any, Iterator[tuple[Tensor, Tensor]]], None]
    """Makes an averaged generator ready to be drawn from, with batches of (z, label)."""


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def stylegan2(config: StyleGAN2Config, *, loss: str = "logistic") -> Architecture:
    return Architecture(
        "StyleGAN2",
        f"channels {_listed(config.channels.values())}, z and w of {config.z_dim} and {config.w_dim} numbers",
        config.z_dim,
        config.class_count,
        _RATE,
        loss,
        build=lambda seed: Generator(config, seed=seed),
        training_pictures=lambda generator, z, label, draw: generator(
            z, label=label, noise_mode="random", noise_generator=draw, dtype=rough_dtype()
        ),
        pictures=lambda generator, z, label: generator(z, label=label, noise_mode="const"),
        settle=lambda generator, batches: None,
    )


def biggan_deep(config: BigGANDeepConfig, *, rate: float, loss: str = "logistic") -> Architecture:
    def training_pictures(generator: BigGANDeep, z: Tensor, label: Tensor, draw: torch.Generator) -> Tensor:
        with autocast():
            return generator(z, label)

    return Architecture(
        "BigGAN-deep",
        f"channels {_listed(config.channels)}, z and embedding of {config.z_dim} and {config.embedding_dim} numbers",
        config.z_dim,
        config.class_count,
        rate,
        loss,
        build=lambda seed: BigGANDeep(config, seed=seed),
        training_pictures=training_pictures,
        pictures=lambda generator, z, label: generator(z, label),
        settle=standing_statistics,
    )


def nearest_width(resolution: int, class_count: int, parameters: int) -> BigGANDeepConfig:
    """The sizes whose number of generator parameters is nearest to `parameters`."""
    previous, previous_count = BigGANDeepConfig(resolution, class_count, 1), 0
    while True:
        config = BigGANDeepConfig(resolution, class_count, previous.width + (previous_count > 0))
        count = parameter_count(BigGANDeep(config))
        if count >= parameters:
            return previous if parameters - previous_count < count - parameters else config
        previous, previous_count = config, count


@dataclass(frozen=True, eq=False)
class RealPictures:
    """What all learn from."""

    images: np.ndarray
    """uint8 [N, R, R, 3]."""
    labels: Tensor
    """One-hot [N, C]."""
    mirror: bool


class Competitor:
    """A generator in training: networks, average, optimisers, and the processor time that its steps took."""

    def __init__(
        self, architecture: Architecture, judge: StyleGAN2Config, real: RealPictures, *, batch: int, seed: int
    ) -> None:
        """judge: the discriminator's sizes."""
        self.architecture = architecture
        self.step_count = 0
        self.processor_seconds = 0.0
        """Of the steps alone, all threads together; figures and checkpoints cost neither competitor anything."""
        self._real, self._batch, self._seed = real, batch, seed
        self._batches = PictureBatches(real.images, seed=seed + 101, mirror=real.mirror)
        self._generator = architecture.build(seed).train()
        self._average = Ema(self._generator, half_life_steps=_EMA_HALF_LIFE_STEPS)
        self._discriminator = Discriminator(judge, seed=seed + 1)
        # Lazy regularisation: betas and rate corrected for the skipped steps (StyleGAN2, appendix B).
        correction = _R1_INTERVAL / (_R1_INTERVAL + 1)
        self._generator_optimiser = _adam(self._generator, architecture.rate, _SECOND_BETA)
        self._discriminator_optimiser = _adam(self._discriminator, _RATE * correction, _SECOND_BETA**correction)

    @property
    def parameters(self) -> tuple[int, int]:
        """Of generator and discriminator."""
        return parameter_count(self._generator), parameter_count(self._discriminator)

    @property
    def pictures_seen(self) -> int:
        return self.step_count * self._batch

    def step(self) -> dict[str, float]:
        """One step of the discriminator and one of the generator on the same fakes; returns their losses."""
        started = time.process_time()
        draw = torch_generator(self._seed, 23, self.step_count)
        indices, real = self._batches.batch(self.step_count, self._batch)
        labels = self._real.labels[indices]
        z, asked = self._latents(self._batch, draw)
        fake = self.architecture.training_pictures(self._generator, z, asked, draw)
        losses = {"d": self._discriminate(real, labels, fake.detach(), asked), "g": self._generate(fake, asked)}
        self._average.update(self._generator)
        self.step_count += 1
        self.processor_seconds += time.process_time() - started
        return losses

    def settle(self) -> None:
        """Makes the averaged weights ready for :meth:`samples`, until the next step."""
        draw = torch_generator(self._seed, 29, self.step_count)
        batches = (self._latents(self._batch, draw) for _ in range(_STANDING_BATCHES))
        self.architecture.settle(self._average.model, batches)

    @torch.no_grad()
    def samples(self, labels: Tensor, *, seed: int) -> np.ndarray:
        """Unselected samples uint8 [n, R, R, 3] of the averaged weights; row i of `labels` [n, C] with the z of seed + i."""
        generator = self._average.model.eval()
        parts = []
        for start in range(0, len(labels), BATCH):
            chosen = labels[start : start + BATCH]
            z = z_for_seeds(list(range(seed + start, seed + start + len(chosen))), self.architecture.z_dim)
            parts.append(to_uint8(self.architecture.pictures(generator, z, chosen)))
        return np.concatenate(parts)

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`load` needs to go on as if nothing had happened."""
        return {
            "step_count": self.step_count,
            "processor_seconds": self.processor_seconds,
            **{name: part.state_dict() for name, part in self._parts().items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.step_count, self.processor_seconds = int(state["step_count"]), float(state["processor_seconds"])
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self._generator,
            "average": self._average,
            "discriminator": self._discriminator,
            "generator_optimiser": self._generator_optimiser,
            "discriminator_optimiser": self._discriminator_optimiser,
        }

    def _latents(self, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        z = torch.randn(count, self.architecture.z_dim, generator=draw)
        return z, random_labels(count, self.architecture.class_count, draw)

    def _discriminate(self, real: Tensor, labels: Tensor, fake: Tensor, asked: Tensor) -> float:
        logits = judged_apart(self._discriminator, (real, labels), (fake, asked), dtype=rough_dtype())
        loss = _of_discriminator(self.architecture.loss, *logits)
        _descend(loss, self._discriminator_optimiser)
        if self.step_count % _R1_INTERVAL == 0:
            penalty = r1_penalty(lambda x: self._discriminator(x, labels), real).mean()
            _descend(penalty * (0.5 * _R1_GAMMA * _R1_INTERVAL), self._discriminator_optimiser)
        return loss.item()

    def _generate(self, fake: Tensor, asked: Tensor) -> float:
        self._discriminator.requires_grad_(False)
        logits = self._discriminator(fake, asked, dtype=rough_dtype()).float()
        loss = _of_generator(self.architecture.loss, logits)
        _descend(loss, self._generator_optimiser)
        self._discriminator.requires_grad_(True)
        return loss.item()


def _of_discriminator(loss: str, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    if loss == "hinge":
        return hinge_loss(real_logits[:, None], fake_logits[:, None])
    return discriminator_loss(real_logits, fake_logits)


def _of_generator(loss: str, fake_logits: Tensor) -> Tensor:
    return -fake_logits.mean() if loss == "hinge" else generator_loss(fake_logits).mean()


def _adam(network: nn.Module, rate: float, second_beta: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, second_beta), fused=True)


def _descend(loss: Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _listed(numbers: Any) -> str:
    return ", ".join(str(number) for number in numbers)
