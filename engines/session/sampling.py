"""Samples of a pack's generator: the picture of a seed is the same in every command and batch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from numbers import Integral, Real

import torch

from engines.core.errors import OptionError, shown
from engines.generators.labels import labels_for_seeds
from engines.imaging.convert import to_uint8
from engines.inversion.measure import generator_hash, synthesise
from engines.inversion.result import Inversion
from engines.packs.load import Pack
from engines.packs.samples import label_of, sampled_codes

__all__ = ["SAMPLE_METHOD", "sample"]

SAMPLE_METHOD = "sample"
"""`Inversion.method` of a picture that came from no photo."""
_MOST_TRUNCATION = 100
"""Far beyond all that gives pictures."""


def sample(pack: Pack, seed: int, truncation: float, classes: str | Mapping[str, float] | None = None) -> Inversion:
    """The sample of one seed, as an inversion that is exact: its crop is its reconstruction.

    truncation: 1 is the full distribution, 0 the mean picture. classes: of a class-conditional pack, a class or a mixture by
    weights; None for the class that the seed has.
    """
    started = time.perf_counter()
    if not isinstance(seed, Integral) or seed < 0:
        raise OptionError(f"seed={shown(seed)}: a whole number from 0 on is needed.")
    if not isinstance(truncation, Real) or not abs(truncation) <= _MOST_TRUNCATION:
        raise OptionError(f"truncation={shown(truncation)}: use 0 to 1, or a little more.")
    if classes is None:
        labels = labels_for_seeds([seed], pack.generator.config.class_count)
    else:
        labels = label_of(pack, classes)[None]
    with torch.inference_mode():
        w_plus = sampled_codes(pack, [seed], labels=labels, truncation=truncation)
        pixels = to_uint8(synthesise(pack, w_plus))[0]
    mixture = {row.id: weight for row, weight in zip(pack.manifest.classes, labels[0].tolist(), strict=False) if weight}
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
        settings={"truncation": truncation, **({"classes": mixture} if mixture else {})},
    )
