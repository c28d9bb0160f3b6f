"""Third stage of ``train gan``: StyleGAN2's adversarial training, with the reconstruction kept strong.

Non-saturating logistic loss with lazy R1. Fakes are half M(z), half style-mixed codes of real pictures, so that the
discriminator also polishes what inversion will use. The encoder stays fixed: it is the anchor that keeps expressions.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Discriminator, Generator
from engines.imaging.convert import to_uint8
from engines.imaging.grids import picture_grid
from engines.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from engines.losses.pixel import pyramid_l1
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.autoencoding import Autoencoder, held_out_mse
from engines.training.batches import PictureBatches
from engines.training.common import autocast, report_every, set_learning_rate
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["train_adversarial"]

_BATCH = 16
_R1_INTERVAL = 16
_R1_GAMMA = 0.3
# Weaker, expressions are lost while textures sharpen.
_RECONSTRUCTION_WEIGHT = 12.0
_PEAK_RATE = 1.5e-3
# The discriminator alone first: a fresh one has nothing to say.
_WARM_UP_STEPS = 200


def train_adversarial(
    model: Autoencoder,
    discriminator: Discriminator,
    *,
    images: np.ndarray,
    held_out: np.ndarray,
    perceptual: PerceptualNetwork | None,
    weight_map: Tensor,
    schedule: Schedule,
    run: Run,
    arguments: argparse.Namespace,
    state: dict[str, Any],
) -> int:
    """Trains generator and discriminator in place; returns the real pictures seen."""
    batches = PictureBatches(images, seed=arguments.seed + 101)
    generator = model.generator
    encoder = model.encoder_ema.model.eval().requires_grad_(False)
    # Lazy regularisation: betas and rate corrected for the skipped steps (StyleGAN2, appendix B).
    correction = _R1_INTERVAL / (_R1_INTERVAL + 1)
    optimisers = [
        torch.optim.Adam(generator.synthesis.parameters(), lr=_PEAK_RATE, betas=(0.0, 0.99), fused=True),
        torch.optim.Adam(discriminator.parameters(), lr=_PEAK_RATE * correction, betas=(0.0, 0.99**correction), fused=True),
    ]
    step, before = int(state.get("step", 0)), float(state.get("stage_seconds", 0.0))
    if "discriminator" in state:
        discriminator.load_state_dict(state["discriminator"])
        for optimiser, saved in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
    begun = run.seconds - before
    report = report_every(arguments, "Adversarial training", schedule)
    while (fraction := schedule.fraction(step, run.seconds - begun)) < 1:
        rate = learning_rate(_PEAK_RATE, fraction, hold=0.6)
        set_learning_rate(optimisers[0], rate)
        set_learning_rate(optimisers[1], rate * correction)
        draw = torch_generator(arguments.seed, 17, step)
        _, real = batches.batch(step, _BATCH)
        with torch.no_grad(), autocast():
            codes = encoder(real).float()
        fake_codes = torch.cat([_mapped(generator, _BATCH // 2, draw), _mixed(codes[: _BATCH // 2], draw)])
        losses = {"d": _discriminator_step(discriminator, optimisers[1], generator, fake_codes, real, step)}
        if step >= _WARM_UP_STEPS:
            losses |= _generator_step(discriminator, optimisers[0], generator, fake_codes, codes, real, perceptual, weight_map)
            model.generator_ema.update(generator)
        step += 1
        report(step, run.seconds - begun, losses["d"])
        if step % 50 == 0:
            run.log(stage="adversarial", step=step, **losses)
        if step % 400 == 0:
            run.log(
                stage="adversarial", step=step, held_out_mse=held_out_mse(encoder, model.generator_ema.model, held_out[:100])
            )
            run.picture("samples", _samples(model.generator_ema.model, arguments.seed))
            moment = {"stage": "adversarial", "step": step, "stage_seconds": run.seconds - begun, **model.state()}
            networks = {"discriminator": discriminator.state_dict(), "optimisers": [o.state_dict() for o in optimisers]}
            run.save_checkpoint(
                {**moment, **networks, "seen": state.get("seen", {}), "mapping_figures": state.get("mapping_figures", {})}
            )
    return step * _BATCH


def _mapped(generator: Generator, count: int, draw: torch.Generator) -> Tensor:
    """W+ codes [count, L, D] of random z."""
    with torch.no_grad():
        return generator.broadcast(generator.mapping(torch.randn(count, generator.config.z_dim, generator=draw)))


def _mixed(codes: Tensor, draw: torch.Generator) -> Tensor:
    """Style mixing: the layers from a random one on come from the next code of the batch."""
    layers = codes.shape[1]
    crossover = torch.randint(1, layers + 1, (len(codes), 1, 1), generator=draw)
    return torch.where(torch.arange(layers)[None, :, None] < crossover, codes, codes.roll(1, 0))


def _discriminator_step(
    discriminator: Discriminator, optimiser: torch.optim.Optimizer, generator: Generator, codes: Tensor, real: Tensor, step: int
) -> float:
    with torch.no_grad():
        fake = generator.synthesis(codes, noise_mode="random", dtype=torch.bfloat16)
    logits = discriminator(torch.cat([fake, real]), dtype=torch.bfloat16)
    fake_logits, real_logits = logits.float().chunk(2)
    loss = discriminator_loss(real_logits, fake_logits)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    if step % _R1_INTERVAL == 0:
        penalty = r1_penalty(lambda x: discriminator(x), real).mean()
        optimiser.zero_grad(set_to_none=True)
        (penalty * (0.5 * _R1_GAMMA * _R1_INTERVAL)).backward()
        optimiser.step()
    return loss.item()


def _generator_step(
    discriminator: Discriminator,
    optimiser: torch.optim.Optimizer,
    generator: Generator,
    fake_codes: Tensor,
    codes: Tensor,
    real: Tensor,
    perceptual: PerceptualNetwork | None,
    weight_map: Tensor,
) -> dict[str, float]:
    discriminator.requires_grad_(False)
    half = len(codes) // 2
    pictures = generator.synthesis(torch.cat([fake_codes, codes[half:]]), noise_mode="random", dtype=torch.bfloat16)
    fake, rebuilt = pictures[: len(fake_codes)], pictures[len(fake_codes) :]
    fooling = generator_loss(discriminator(fake, dtype=torch.bfloat16).float()).mean()
    keeping = pyramid_l1(rebuilt, real[half:], weight_map=weight_map).mean()
    if perceptual is not None:
        with autocast():
            keeping = keeping + 2 * perceptual.distance(rebuilt, real[half:]).mean()
    optimiser.zero_grad(set_to_none=True)
    (fooling + _RECONSTRUCTION_WEIGHT * keeping).backward()
    optimiser.step()
    discriminator.requires_grad_(True)
    return {"g": fooling.item(), "reconstruction": keeping.item()}


@torch.inference_mode()
def _samples(generator: Generator, seed: int) -> np.ndarray:
    z = torch.randn(40, generator.config.z_dim, generator=torch_generator(seed, 19))
    pictures = to_uint8(generator(z, noise_mode="const", dtype=torch.bfloat16))
    return picture_grid([list(pictures[i : i + 10]) for i in range(0, 40, 10)])
