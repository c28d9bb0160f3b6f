"""First stage of ``train gan``: the synthesis network as decoder of a Sinkhorn autoencoder, grown from 32 px to full size.

Adversarial training from scratch needs a million pictures; an autoencoder whose decoder is the StyleGAN2 synthesis
network gets there an order of magnitude faster, and its code distribution is then given to the mapping network.

    w = norm(w(x)),  picture = S(w + 0.15 n),  n ~ N(0, I)
    loss = pyramid L1 + perceptual distance (+ a small penalty on the W+ offsets)
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.device import rough_dtype
from engines.core.rng import torch_generator
from engines.encoders.w_plus import WPlusEncoder
from engines.generators.stylegan2 import Generator
from engines.imaging.convert import to_tensor, to_uint8
from engines.imaging.grids import picture_grid
from engines.losses.pixel import mse, pyramid_l1
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.batches import PictureBatches
from engines.training.common import autocast, report_every, set_learning_rate
from engines.training.ema import Ema
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["Autoencoder", "held_out_mse", "reconstruct", "train_autoencoder"]

_LATENT_NOISE = 0.15
_OFFSET_PENALTY = 2e-2
_PERCEPTUAL_WEIGHT = 4.0
_BATCH = 16


@dataclass
class Autoencoder:
    """The two networks and the averages that are kept of them."""

    generator: Generator
    encoder: WPlusEncoder
    generator_ema: Ema
    encoder_ema: Ema

    @classmethod
    def of(cls, generator: Generator, encoder: WPlusEncoder) -> Autoencoder:
        return cls(generator, encoder, Ema(generator, half_life_steps=400), Ema(encoder, half_life_steps=400))

    def state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, nn.Module | Ema]:
        return {"g": self.generator, "e": self.encoder, "g_ema": self.generator_ema, "e_ema": self.encoder_ema}


def train_autoencoder(
    model: Autoencoder,
    *,
    images: np.ndarray,
    mirror: bool,
    held_out: np.ndarray,
    perceptual: PerceptualNetwork | None,
    weight_map: Tensor,
    rates: tuple[float, float],
    grow_from_px: int,
    schedule: Schedule,
    run: Run,
    arguments: argparse.Namespace,
    state: dict[str, Any],
) -> int:
    """Trains in place and returns the pictures seen.

    mirror: whether half of the pictures are mirrored. rates: the peaks for generator and encoder (Adam .9, .99).
    """
    batches = PictureBatches(images, seed=arguments.seed, mirror=mirror)
    optimisers = [
        torch.optim.Adam(module.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)
        for module, rate in zip((model.generator, model.encoder), rates, strict=True)
    ]
    step, before = int(state.get("step", 0)), float(state.get("stage_seconds", 0.0))
    for optimiser, saved in zip(optimisers, state.get("optimisers", []), strict=False):
        optimiser.load_state_dict(saved)
    begun = run.seconds - before
    report = report_every(arguments, "Autoencoding", schedule)
    full = model.generator.config.resolution
    model.encoder.train()
    while (fraction := schedule.fraction(step, run.seconds - begun)) < 1:
        size = _resolution(fraction, grow_from_px, full)
        for optimiser, peak in zip(optimisers, rates, strict=True):
            set_learning_rate(optimiser, learning_rate(peak, fraction, hold=0.4))
        _, target = batches.batch(step, _BATCH)
        loss = _loss(model, target, size, perceptual, weight_map, torch_generator(arguments.seed, 11, step))
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        model.generator_ema.update(model.generator)
        model.encoder_ema.update(model.encoder)
        step += 1
        report(step, run.seconds - begun, loss.item())
        if step % 50 == 0:
            run.log(stage="autoencoding", step=step, size=size, loss=loss.item())
        if step % 500 == 0:
            pictures, error = _look(model, held_out, size)
            if error is not None:
                run.log(stage="autoencoding", step=step, held_out_mse=error)
            report(step, run.seconds - begun, loss.item() if error is None else error, pictures)
            run.picture("reconstructions", pictures)
            moment = {"stage": "autoencoding", "step": step, "stage_seconds": run.seconds - begun, **model.state()}
            run.save_checkpoint({**moment, "optimisers": [o.state_dict() for o in optimisers]})
    return step * _BATCH


def _loss(
    model: Autoencoder,
    target: Tensor,
    size: int,
    perceptual: PerceptualNetwork | None,
    weight_map: Tensor,
    draw: torch.Generator,
) -> Tensor:
    full = target.shape[-1]
    if size < full:
        target = F.avg_pool2d(target, full // size)
        weight_map = F.avg_pool2d(weight_map, full // size)
    with autocast():
        w, offsets = model.encoder.heads(model.encoder.trunk(target, None))
    w = w + _LATENT_NOISE * torch.randn(w.shape, generator=draw)
    # Half of the pictures must do with one w for all layers: that is what the mapping network will give.
    free = (torch.rand(len(w), generator=draw) < 0.5)[:, None, None]
    picture = model.generator.synthesis(
        w[:, None] + torch.where(free, offsets, 0.0), noise_mode="none", dtype=rough_dtype(), resolution=size
    )
    loss = pyramid_l1(picture, target, weight_map=weight_map).mean() + _OFFSET_PENALTY * offsets.square().mean()
    if perceptual is not None and size == full:
        with autocast():
            loss = loss + _PERCEPTUAL_WEIGHT * perceptual.distance(picture, target).mean()
    return loss


def _resolution(fraction: float, grow_from_px: int, full_px: int) -> int:
    """A tenth of the time at the coarsest size, twice that at the next, the rest at full size."""
    size, until = grow_from_px, 0.1
    while size < full_px and fraction >= until:
        size, until = size * 2, until + 0.2
    return size


@torch.inference_mode()
def reconstruct(encoder: WPlusEncoder, generator: Generator, pictures: np.ndarray, size: int | None = None) -> Tensor:
    """Float reconstructions [N, 3, R, R] of uint8 pictures by one encoder pass."""
    encoder.eval()
    image = to_tensor(pictures)
    if size is not None and size < image.shape[-1]:
        image = F.avg_pool2d(image, image.shape[-1] // size)
    with autocast():
        codes = encoder(image)
    return generator.synthesis(codes.float(), noise_mode="none", dtype=rough_dtype(), resolution=size)


def held_out_mse(encoder: WPlusEncoder, generator: Generator, pictures: np.ndarray) -> float:
    """Median over pictures of the mean squared difference in [-1, 1] after one encoder pass."""
    errors = [
        mse(reconstruct(encoder, generator, pictures[i : i + 50]).clamp(-1, 1), to_tensor(pictures[i : i + 50]))
        for i in range(0, len(pictures), 50)
    ]
    return float(torch.cat(errors).median())


def _look(model: Autoencoder, held_out: np.ndarray, size: int) -> tuple[np.ndarray, float | None]:
    """Held-out pictures over their reconstructions and, at full size, the held-out error."""
    shown = held_out[:12]
    rebuilt = to_uint8(reconstruct(model.encoder_ema.model, model.generator_ema.model, shown, size))
    if size < shown.shape[1]:
        rebuilt = rebuilt.repeat(shown.shape[1] // size, 1).repeat(shown.shape[1] // size, 2)
        return picture_grid([list(shown), list(rebuilt)]), None
    error = held_out_mse(model.encoder_ema.model, model.generator_ema.model, held_out[:100])
    return picture_grid([list(shown), list(rebuilt)]), error
