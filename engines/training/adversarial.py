"""Third stage of ``train gan``: adversarial training with the reconstruction kept strong.

Two judges: StyleGAN2's discriminator (non-saturating logistic loss, lazy R1), which the pack keeps, and heads on the
features of the pack's perceptual network (hinge loss, :mod:`engines.training.projected`), which say useful things from the
first steps on. Fakes are M(z), style-mixed codes of real pictures, codes moved by the difference of two others, as edits move
them, and codes of real pictures, so that what inversion and edits will use is polished too. With classes both judges know
them, and codes are mixed and moved within their class. Encoder and mapping network stay fixed: they are the anchor that keeps
expressions, and a mapping network that is trained against the judges leaves the codes of real pictures within a thousand steps.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.device import rough_dtype
from engines.core.rng import torch_generator
from engines.generators.labels import one_hot, random_labels
from engines.generators.stylegan2 import Discriminator, Generator
from engines.imaging.convert import to_uint8
from engines.imaging.grids import picture_grid
from engines.losses.adversarial import discriminator_loss, generator_loss, hinge_loss, judged_apart, r1_penalty
from engines.losses.pixel import pyramid_l1
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.augment import jitter_crop, recolour
from engines.training.autoencoding import Autoencoder, held_out_mse
from engines.training.batches import PictureBatches
from engines.training.common import autocast, report_every, set_learning_rate
from engines.training.projected import ProjectedDiscriminator
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["train_adversarial"]

_BATCH = 16
_MAPPED, _MIXED, _MOVED = 8, 2, 2  # of the fakes; _KEPT more are reconstructions
_KEPT = 8
_R1_INTERVAL = 16
_R1_GAMMA = 0.3
# Farther moves meet no edit: at 0.7 codes have twice their variance.
_LARGEST_MOVE = 0.7
# Weaker, expressions are lost while textures sharpen.
_RECONSTRUCTION_WEIGHT = 10.0
_PERCEPTUAL_WEIGHT = 2.0
_PROJECTED_WEIGHT = 0.3
_PEAK_RATE = 1.5e-3
_HEADS_RATE = 5e-4
# The discriminators alone first: fresh ones have nothing to say.
_WARM_UP_STEPS = 150


def train_adversarial(
    model: Autoencoder,
    discriminator: Discriminator,
    *,
    images: np.ndarray,
    labels: Tensor,
    mirror: bool,
    held_out: np.ndarray,
    perceptual: PerceptualNetwork | None,
    weight_map: Tensor,
    schedule: Schedule,
    run: Run,
    arguments: argparse.Namespace,
    state: dict[str, Any],
) -> int:
    """Trains generator and discriminator in place; returns the real pictures seen. labels: [N, C] of the pictures."""
    batches = PictureBatches(images, seed=arguments.seed + 101, mirror=mirror)
    encoder = model.encoder_ema.model.eval().requires_grad_(False)
    duel = _Duel(model.generator, discriminator, perceptual, weight_map, seed=arguments.seed)
    duel.load(state)
    step, before = int(state.get("step", 0)), float(state.get("stage_seconds", 0.0))
    begun = run.seconds - before
    report = report_every(arguments, "Adversarial training", schedule)
    while (fraction := schedule.fraction(step, run.seconds - begun)) < 1:
        duel.set_rates(learning_rate(1.0, fraction, hold=0.6))
        draw = torch_generator(arguments.seed, 17, step)
        indices, real = batches.batch(step, _BATCH)
        with torch.no_grad(), autocast():
            codes = encoder(real).float()
        losses = duel.step(real, codes, labels[indices], draw, step=step)
        if step >= _WARM_UP_STEPS:
            model.generator_ema.update(model.generator)
        step += 1
        report(step, run.seconds - begun, losses["d"])
        if step % 50 == 0:
            run.log(stage="adversarial", step=step, **losses)
        if step % 400 == 0:
            average = model.generator_ema.model
            run.log(stage="adversarial", step=step, held_out_mse=held_out_mse(encoder, average, held_out[:100]))
            run.picture("samples", _samples(average, arguments.seed))
            moment = {"stage": "adversarial", "step": step, "stage_seconds": run.seconds - begun, **model.state()}
            carried = {"seen": state.get("seen", {}), "mapping_figures": state.get("mapping_figures", {})}
            run.save_checkpoint({**moment, **carried, **duel.state()})
    return step * _BATCH


class _Duel:
    """Generator against discriminators, with their optimisers."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        perceptual: PerceptualNetwork | None,
        weight_map: Tensor,
        *,
        seed: int,
    ) -> None:
        self._generator, self._plain, self._perceptual, self._weight_map = generator, discriminator, perceptual, weight_map
        self._projected = None
        if perceptual is not None:
            config = generator.config
            self._projected = ProjectedDiscriminator(perceptual, config.resolution, class_count=config.class_count, seed=seed)
        # Lazy regularisation: betas and rate corrected for the skipped steps (StyleGAN2, appendix B).
        correction = _R1_INTERVAL / (_R1_INTERVAL + 1)
        self._rates: list[float] = []
        self._optimisers: list[torch.optim.Optimizer] = []
        self._add(generator.synthesis, _PEAK_RATE, 0.99)
        self._add(discriminator, _PEAK_RATE * correction, 0.99**correction)
        if self._projected is not None:
            self._add(self._projected, _HEADS_RATE, 0.99)

    def _add(self, module: torch.nn.Module, rate: float, second_beta: float) -> None:
        self._rates.append(rate)
        self._optimisers.append(torch.optim.Adam(module.parameters(), lr=rate, betas=(0.0, second_beta), fused=True))

    def set_rates(self, factor: float) -> None:
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            set_learning_rate(optimiser, rate * factor)

    def state(self) -> dict[str, Any]:
        projected = {} if self._projected is None else {"projected": self._projected.state_dict()}
        optimisers = [optimiser.state_dict() for optimiser in self._optimisers]
        return {"discriminator": self._plain.state_dict(), "optimisers": optimisers, **projected}

    def load(self, state: dict[str, Any]) -> None:
        if "discriminator" not in state:
            return
        self._plain.load_state_dict(state["discriminator"])
        if self._projected is not None:
            self._projected.load_state_dict(state["projected"])
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)

    def step(self, real: Tensor, codes: Tensor, labels: Tensor, draw: torch.Generator, *, step: int) -> dict[str, float]:
        """One step of the discriminators and, after the warm-up, one of the generator on the same fakes.

        codes [N, L, D] and labels [N, C] are those of the pictures `real` [N, 3, R, R].
        """
        trains_generator = step >= _WARM_UP_STEPS
        z = torch.randn(_MAPPED, self._generator.config.z_dim, generator=draw)
        asked = random_labels(_MAPPED, self._generator.config.class_count, draw)
        with torch.no_grad():
            mapped = self._generator.broadcast(self._generator.mapping(z, asked))
            mixed, moved = _mixed(codes, labels, draw)[:_MIXED], _moved(codes, labels, draw)[-_MOVED:]
            fake_codes = torch.cat([mapped, mixed, moved, _half_flat(codes[-_KEPT:])])
        fake_labels = torch.cat([asked, labels[:_MIXED], labels[-_MOVED:], labels[-_KEPT:]])
        with torch.set_grad_enabled(trains_generator):
            pictures = self._generator.synthesis(fake_codes, noise_mode="random", dtype=rough_dtype())
        losses = self._discriminate(pictures.detach()[: len(real)], fake_labels[: len(real)], real, labels, draw)
        if step % _R1_INTERVAL == 0:
            self._regularise(real, labels)
        if trains_generator:
            losses |= self._generate(pictures, fake_labels, real[-_KEPT:], draw)
        return losses

    def _discriminate(
        self, fake: Tensor, fake_labels: Tensor, real: Tensor, labels: Tensor, draw: torch.Generator
    ) -> dict[str, float]:
        loss = discriminator_loss(*judged_apart(self._plain, (real, labels), (fake, fake_labels), dtype=rough_dtype()))
        losses = {"d": loss.item()}
        if self._projected is not None:
            with autocast():
                both = _augmented(torch.cat([fake, real]), draw)
                logits = self._projected(both, torch.cat([fake_labels, labels]))
            hinge = hinge_loss(logits[len(fake) :], logits[: len(fake)])
            losses["projected_d"] = hinge.item() / logits.shape[1]
            loss = loss + hinge
        self._update(loss, self._optimisers[1:])
        return losses

    def _regularise(self, real: Tensor, labels: Tensor) -> None:
        penalty = r1_penalty(lambda x: self._plain(x, labels), real).mean()
        self._update(penalty * (0.5 * _R1_GAMMA * _R1_INTERVAL), self._optimisers[1:2])

    def _generate(self, pictures: Tensor, labels: Tensor, kept: Tensor, draw: torch.Generator) -> dict[str, float]:
        judges = [self._plain, *([] if self._projected is None else [self._projected])]
        for judge in judges:
            judge.requires_grad_(False)
        loss = generator_loss(self._plain(pictures, labels, dtype=rough_dtype()).float()).mean()
        losses = {"g": loss.item()}
        if self._projected is not None:
            with autocast():
                fooled = -self._projected(_augmented(pictures, draw), labels).mean()
            losses["projected_g"] = fooled.item()
            loss = loss + _PROJECTED_WEIGHT * len(self._projected.heads) * fooled
        keeping = pyramid_l1(pictures[-len(kept) :], kept, weight_map=self._weight_map).mean()
        if self._perceptual is not None:
            with autocast():
                keeping = keeping + _PERCEPTUAL_WEIGHT * self._perceptual.distance(pictures[-len(kept) :], kept).mean()
        self._update(loss + _RECONSTRUCTION_WEIGHT * keeping, self._optimisers[:1])
        for judge in judges:
            judge.requires_grad_(True)
        return {**losses, "reconstruction": keeping.item()}

    @staticmethod
    def _update(loss: Tensor, optimisers: list[torch.optim.Optimizer]) -> None:
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()


def _augmented(images: Tensor, draw: torch.Generator) -> Tensor:
    """Keeps the heads from learning the training pictures by heart (Zhao et al. 2020): differentiable, on real and fake."""
    return recolour(jitter_crop(images, draw, shift=0.06, scale=0.08), draw, strength=0.7)


def _mixed(codes: Tensor, labels: Tensor, draw: torch.Generator) -> Tensor:
    """Style mixing: the layers from a random one on come from the previous code of the same class in the batch.

    A code without another one of its class stays as it is.
    """
    layers = codes.shape[1]
    crossover = torch.randint(1, layers + 1, (len(codes), 1, 1), generator=draw)
    return torch.where(torch.arange(layers)[None, :, None] < crossover, codes, codes[_previous_of_class(labels)])


def _moved(codes: Tensor, labels: Tensor, draw: torch.Generator) -> Tensor:
    """w + t (w' - w''), t uniform up to _LARGEST_MOVE, with the two previous codes w', w'' of the same class in the batch."""
    previous = _previous_of_class(labels)
    amount = _LARGEST_MOVE * torch.rand(len(codes), 1, 1, generator=draw)
    return codes + amount * (codes[previous] - codes[previous[previous]])


def _previous_of_class(labels: Tensor) -> Tensor:
    """For every row of labels [N, C] the nearest row before it, going round, with the same label: indices [N]."""
    count = len(labels)
    numbers = torch.arange(count)
    back = (numbers[:, None] - numbers[None] - 1) % count  # 0 for the row just before, count - 1 for the row itself
    same = (labels[:, None] == labels[None]).all(dim=2)
    return torch.where(same, back, count).argmin(dim=1)


def _half_flat(codes: Tensor) -> Tensor:
    """Every other code with one w for all layers: that is what the mapping network gives, and must be kept as well."""
    flat = codes.mean(1, keepdim=True).expand_as(codes)
    return torch.where(torch.arange(len(codes))[:, None, None] % 2 == 0, codes, flat)


@torch.inference_mode()
def _samples(generator: Generator, seed: int) -> np.ndarray:
    z = torch.randn(40, generator.config.z_dim, generator=torch_generator(seed, 19))
    # A class a column, as far as ten columns go.
    labels = one_hot([number % 10 % max(1, generator.config.class_count) for number in range(40)], generator.config.class_count)
    pictures = to_uint8(generator(z, label=labels, noise_mode="const", dtype=rough_dtype()))
    return picture_grid([list(pictures[i : i + 10]) for i in range(0, 40, 10)])
