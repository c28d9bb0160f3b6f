"""Samples of a pack's generator: the picture of a seed is the same in every command and batch."""

from __future__ import annotations

import time

import torch

from engines.core.rng import z_for_seeds
from engines.imaging.convert import to_uint8
from engines.inversion.measure import generator_hash, synthesise
from engines.inversion.result import Inversion
from engines.packs.load import Pack

__all__ = ["SAMPLE_METHOD", "sample"]

SAMPLE_METHOD = "sample"
"""`Inversion.method` of a picture that came from no photo."""


def sample(pack: Pack, seed: int, truncation: float) -> Inversion:
    """The sample of one seed, as an inversion that is exact: its crop is its reconstruction.

    w = w_avg + truncation (M(z) - w_avg): 1 is the full distribution, 0 the mean picture.
    """
    started = time.perf_counter()
    generator = pack.generator
    with torch.inference_mode():
        z = z_for_seeds([seed], generator.config.z_dim).to(pack.device)
        w_plus = generator.broadcast(generator.truncate(generator.mapping(z), truncation))
        pixels = to_uint8(synthesise(pack, w_plus))[0]
    return Inversion(
        pack_id=pack.id,
        pack_hash=generator_hash(pack),
        method=SAMPLE_METHOD,
        w_plus=w_plus[0].cpu().numpy(),
        crop=pixels,
        reconstruction=pixels,
        mse=0.0,
        perceptual=0.0,
        perceptual_kind="pack",
        seconds=time.perf_counter() - started,
        steps=0,
        warnings=(),
        alignment=None,
        seed=seed,
    )
