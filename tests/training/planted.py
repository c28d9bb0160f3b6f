"""Planted sets of codes for tests of edit families: what an attribute does to a code is known."""

from __future__ import annotations

import torch

from engines.core.rng import torch_generator
from engines.packs.load import Pack
from engines.training.codes import CodeSet
from engines.training.family_run import Material
from engines.training.trial import Trial

__all__ = ["material", "predicted_codes"]


def predicted_codes(pack: Pack, n: int, seed: int) -> CodeSet:
    """Codes of samples, labelled by what the image predictor sees; its median logit is the border, so that both sides occur."""
    w = pack.generator.mapping(torch.randn(n, pack.manifest.latent.z_dim, generator=torch_generator(seed)))
    codes = pack.generator.broadcast(w)
    with torch.inference_mode():
        logits = pack.attribute_predictor(pack.generator.synthesis(codes))
    return CodeSet(codes, (logits > logits.median(0).values).numpy(), pack.attribute_predictor.attributes, "none")


def material(pack: Pack, *attributes: str, n: int = 300) -> Material:
    """What a family is fitted on, for the tiny pack."""
    train, held_out = predicted_codes(pack, n, 1), predicted_codes(pack, 80, 2)
    trial = Trial(pack, held_out.codes, train.attributes, train.labels, change=0.8, certainty=0.0)
    return Material(pack, train, trial, attributes or train.attributes, 0)
