"""``train encoder``: the pack's encoder, extended to W+, against the frozen generator.

Half of every batch are renders, seen through the degradations of photographs with the clean render as target; the
other half are the generator's own samples, whose codes are known. One more pass sees the reconstruction (ReStyle).

    loss = pyramid L1 + perceptual + identity (1 - cos, where the pack has that network) + adversarial + latent (generated half)
           + an offset penalty that keeps codes near one w for all layers (e4e's regularity: such codes edit better)
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.arguments import bounded_float
from engines.core.device import rough_dtype
from engines.core.rng import torch_generator
from engines.data.sets import rendered_set
from engines.encoders.w_plus import WPlusEncoder
from engines.generators.labels import random_labels
from engines.imaging.convert import to_tensor, to_uint8
from engines.imaging.grids import picture_grid
from engines.losses.adversarial import discriminator_loss, generator_loss, judged_apart
from engines.losses.pixel import mse, pyramid_l1
from engines.packs.load import Pack
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.training.augment import degrade
from engines.training.batches import PictureBatches, class_labels, over_pictures
from engines.training.common import (
    add_common_arguments,
    autocast,
    freeze,
    held_out_count,
    open_run,
    pack_folder,
    provenance,
    report_every,
    set_learning_rate,
)
from engines.training.ema import Ema
from engines.training.pack_definitions import definition
from engines.training.schedule import learning_rate
from engines.training.statistics import STATISTICS_PICTURES, class_statistics, latent_statistics

__all__ = ["HELP", "add_arguments", "run"]

HELP = "encoder to W+ and its iterations, against the frozen generator"

_BATCH = 16
_PEAK_RATE = 5e-4
_WEIGHTS = {"perceptual": 1.0, "identity": 0.2, "adversarial": 0.01, "latent": 0.3, "offsets": 2e-3}
_DISCRIMINATOR_INTERVAL = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=6000)
    penalty = f"weight of the penalty on W+ offsets (default {_WEIGHTS['offsets']:g})"
    parser.add_argument("--offset-penalty", type=bounded_float(0), default=_WEIGHTS["offsets"], help=penalty)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains on from the pack's present encoder; writes ``encoder`` and ``statistics``."""
    pack, row = open_pack(arguments.pack), definition(arguments.pack)
    training, schedule = open_run(arguments, "encoder", {"offset_penalty": arguments.offset_penalty})
    train = rendered_set(row.data, "train", arguments.pictures, progress=arguments.progress)
    validation = rendered_set(row.data, "validation", held_out_count(arguments), progress=arguments.progress)
    held_out, labels = np.asarray(validation.images[:200]), class_labels(train)
    encoder = WPlusEncoder.from_config(pack.encoder.config_json())
    encoder.load_state_dict(pack.encoder.state_dict())
    step_of = _Step(pack, encoder, arguments)
    ema = Ema(encoder, half_life_steps=300)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.99), fused=True)
    batches = PictureBatches(train.images, seed=arguments.seed + 31, mirror=train.data.may_mirror)
    step, before = 0, 0.0
    if state := training.load_checkpoint():
        encoder.load_state_dict(state["encoder"])
        ema.load_state_dict(state["ema"])
        step_of.discriminator.load_state_dict(state["discriminator"])
        optimiser.load_state_dict(state["optimiser"])
        step, before = state["step"], state["stage_seconds"]
    begun = training.seconds - before
    report = report_every(arguments, "Training the encoder", schedule)
    # Normalisation keeps the statistics of clean first passes; iterations and degraded inputs would blur them.
    encoder.eval()
    while (fraction := schedule.fraction(step, training.seconds - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction, hold=0.5))
        indices, real = batches.batch(step, _BATCH)
        loss, parts = step_of(real, labels[indices], step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        ema.update(encoder)
        step += 1
        report(step, training.seconds - begun, loss.item())
        if step % 50 == 0:
            training.log(step=step, loss=loss.item(), **parts)
        if step % 500 == 0:
            pictures, figures = _look(pack, ema.model, held_out)
            training.log(step=step, **figures)
            training.picture("reconstructions", pictures)
            networks = {
                "encoder": encoder.state_dict(),
                "ema": ema.state_dict(),
                "discriminator": step_of.discriminator.state_dict(),
            }
            training.save_checkpoint(
                {"step": step, "stage_seconds": training.seconds - begun, "optimiser": optimiser.state_dict(), **networks}
            )
    averaged = ema.model.eval()
    pictures, figures = _look(pack, averaged, held_out)
    training.picture("reconstructions", pictures)
    source = provenance(
        arguments,
        images_seen=step * _BATCH,
        data=f"{row.data} train, {len(train.images)} renders, and samples of the generator",
        data_licence=train.licence,
        initialised_from=f"the encoder of the pack's weights {pack.weights_hash}",
        metrics=figures,
    )
    folder = pack_folder(arguments)
    codes = over_pictures(averaged, train.images[:STATISTICS_PICTURES])
    statistics = {**latent_statistics(pack.generator.mapping.w_avg, codes), **class_statistics(pack.generator)}
    write_component(folder, "encoder", averaged, averaged.config_json(), source, half=True)
    write_component(folder, "statistics", statistics, {}, source, half=True)
    return {"run": str(training.folder), "best": str(folder), "metrics": figures}


class _Step:
    """The loss of one training step, and the discriminator that it needs."""

    def __init__(self, pack: Pack, encoder: WPlusEncoder, arguments: argparse.Namespace) -> None:
        self.pack, self.encoder, self.seed = pack, encoder, arguments.seed
        self.weights = {**_WEIGHTS, "offsets": arguments.offset_penalty}
        self.discriminator = type(pack.discriminator).from_config(pack.discriminator.config_json())
        self.discriminator.load_state_dict(pack.discriminator.state_dict())
        self.optimiser = torch.optim.Adam(self.discriminator.parameters(), lr=5e-4, betas=(0.0, 0.99))
        self.perceptual = freeze(pack.perceptual)
        self.identity = freeze(pack.identity) if pack.has("identity") else None
        self.weight_map = definition(arguments.pack).weight_map(encoder.config.resolution)

    def __call__(self, real: Tensor, labels: Tensor, step: int) -> tuple[Tensor, dict[str, float]]:
        """Of pictures [N, 3, R, R] with labels [N, C]."""
        draw = torch_generator(self.seed, 37, step)
        generator = self.pack.generator
        quarter = len(real) // 4
        with torch.no_grad():
            z = torch.randn(quarter, generator.config.z_dim, generator=draw)
            asked = random_labels(quarter, generator.config.class_count, draw)
            known = generator.broadcast(generator.mapping(z, asked))
            known = known + 0.1 * torch.randn(known.shape, generator=draw)
            generated = self._synthesis(known).clamp(-1, 1)
        target = torch.cat([real[:-quarter], generated])
        seen = target.clone()
        # Half of the renders are seen as a camera would give them, and still wanted clean.
        seen[: len(real) // 2] = degrade(target[: len(real) // 2], draw)
        with autocast():
            w, offsets = self.encoder.heads(self.encoder.trunk(seen, None))
        first = w[:, None] + offsets
        picture = self._synthesis(first)
        with autocast():
            second = self.encoder(seen, picture.detach().clamp(-1, 1), first.detach()).float()
        better = self._synthesis(second)
        parts = {
            "pixel": self._pixel(picture, target) + 0.5 * self._pixel(better, target),
            "perceptual": self._perceptual(torch.cat([picture, better]), torch.cat([target, target])),
            "adversarial": self._adversarial(picture, torch.cat([labels[:-quarter], asked]), real, labels, step),
            "latent": (first[-quarter:] - known).square().mean(),
            "offsets": offsets.square().mean() + (second - second.mean(1, keepdim=True)).square().mean(),
        }
        if self.identity is not None:
            parts["identity"] = self._identity(picture, target)
        loss = sum(self.weights.get(name, 1.0) * part for name, part in parts.items())
        return loss, {name: part.item() for name, part in parts.items()}

    def _synthesis(self, codes: Tensor) -> Tensor:
        return self.pack.generator.synthesis(codes.float(), noise_mode="const", dtype=rough_dtype())

    def _pixel(self, picture: Tensor, target: Tensor) -> Tensor:
        return pyramid_l1(picture, target, weight_map=self.weight_map).mean()

    def _perceptual(self, picture: Tensor, target: Tensor) -> Tensor:
        with autocast():
            return self.perceptual.distance(picture, target).mean()

    def _identity(self, picture: Tensor, target: Tensor) -> Tensor:
        with autocast():
            return (1 - self.identity.similarity(self.identity(picture), self.identity(target))).mean()

    def _adversarial(self, picture: Tensor, shown: Tensor, real: Tensor, labels: Tensor, step: int) -> Tensor:
        """What the discriminator says of pictures with the labels `shown`, after a lesson beside real ones with theirs."""
        if step % _DISCRIMINATOR_INTERVAL == 0:
            self.discriminator.requires_grad_(True)
            both = (real, labels), (picture.detach(), shown)
            loss = discriminator_loss(*judged_apart(self.discriminator, *both, dtype=rough_dtype()))
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
        self.discriminator.requires_grad_(False)
        return generator_loss(self.discriminator(picture, shown, dtype=rough_dtype()).float()).mean()


@torch.no_grad()
def _look(pack: Pack, encoder: WPlusEncoder, held_out: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Rows of input, first pass, second pass; median MSE of both on held-out pictures."""
    errors: list[list[Tensor]] = [[], []]
    rows: list[list[np.ndarray]] = [list(held_out[:12]), [], []]
    for i in range(0, len(held_out), 50):
        target = to_tensor(held_out[i : i + 50])
        codes = encoder(target)
        first = pack.generator.synthesis(codes).clamp(-1, 1)
        second = pack.generator.synthesis(encoder(target, first, codes)).clamp(-1, 1)
        for k, picture in enumerate((first, second)):
            errors[k].append(mse(picture, target))
            if i == 0:
                rows[k + 1] = list(to_uint8(picture[:12]))
    medians = [float(torch.cat(e).median()) for e in errors]
    return picture_grid(rows), {"held_out_mse_median": medians[0], "held_out_mse_median_iterated": medians[1]}
