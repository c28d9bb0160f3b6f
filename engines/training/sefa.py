"""``train sefa``: eigenvectors of the style weights (Shen and Zhou 2021), matched to attributes by their effect on pictures.

The directions that move styles most, ``argmax |A n|^2`` with ``|n| = 1``, are the eigenvectors of ``A^T A``, where A stacks the
affine weights of the style layers of a range. No picture and no sample decides them.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor

from engines.core.arguments import bounded_int
from engines.generators.stylegan2.styles import style_layers
from engines.training.family_run import Material, add_family_arguments, run_family
from engines.training.matching import Candidates, MatchedFit, layer_ranges, sampled_w, spread

__all__ = ["HELP", "add_arguments", "run", "sefa_candidates", "weight_directions"]

HELP = "edit family SeFa: eigenvectors of the style weights, matched to attributes"

_SAMPLES = 4000
"""Samples of w for the unit of a direction: a standard deviation along it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_family_arguments(parser, steps=None)
    add = parser.add_argument
    add("--components", type=bounded_int(1), default=32, metavar="N", help="leading eigenvectors of a layer range (default 32)")
    add("--codes", type=bounded_int(1), default=12, metavar="N", help="held-out codes on which each is tried (default 12)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Finds and matches the eigenvectors; writes the family SeFa."""
    options = {"components": arguments.components, "codes": arguments.codes}

    def fit(material: Material) -> MatchedFit:
        return MatchedFit(material, sefa_candidates(material, arguments.components), codes=arguments.codes)

    return run_family(arguments, "SeFa", options, fit)


def sefa_candidates(material: Material, count: int) -> Candidates:
    """The leading `count` eigenvectors of every layer range, on the rows of that range."""
    generator = material.pack.generator
    w = sampled_w(generator, _SAMPLES, seed=material.seed)
    parts = []
    for first, end in layer_ranges(generator.config.num_ws):
        matrices = [layer.matrix() for layer in style_layers(generator.synthesis) if first <= layer.row < end]
        if matrices:
            directions = weight_directions(torch.cat(matrices), count)
            units = (w @ directions.T).std(0)[:, None]
            parts.append(spread(units * directions, "eigenvector", generator.config.num_ws, (first, end)))
    return Candidates(torch.cat([p.changes for p in parts]), tuple(name for p in parts for name in p.names))


def weight_directions(weights: Tensor, count: int) -> Tensor:
    """Unit eigenvectors of A^T A for A = weights [S, D], those of the largest eigenvalues first: [count, D]."""
    _, vectors = torch.linalg.eigh(weights.double().T @ weights.double())  # rising eigenvalues, in columns
    return vectors.flip(1)[:, :count].T.float()
