"""``train ganspace``: principal components of W (Härkönen et al. 2020), matched to attributes by their effect on pictures."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor

from engines.core.arguments import bounded_int
from engines.core.errors import OptionError
from engines.training.family_run import add_family_arguments, run_family
from engines.training.matching import MatchedFit, sampled_w, spread

__all__ = ["HELP", "add_arguments", "principal_components", "run"]

HELP = "edit family GANSpace: principal components of W, matched to attributes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_family_arguments(parser, steps=None)
    add = parser.add_argument
    add("--samples", type=bounded_int(2), default=20000, metavar="N", help="samples of W for the components (default 20000)")
    add("--components", type=bounded_int(1), default=32, metavar="N", help="leading components that are tried (default 32)")
    add("--codes", type=bounded_int(1), default=12, metavar="N", help="held-out codes on which each is tried (default 12)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Finds and matches the components; writes the family GANSpace."""
    if arguments.samples <= arguments.components:
        raise OptionError(f"--samples {arguments.samples}: more than the --components, {arguments.components}, are needed.")
    options = {"samples": arguments.samples, "components": arguments.components, "codes": arguments.codes}

    def fit(material: Any) -> MatchedFit:
        generator = material.pack.generator
        components = principal_components(sampled_w(generator, arguments.samples, seed=arguments.seed), arguments.components)
        return MatchedFit(material, spread(components, "component", generator.config.num_ws), codes=arguments.codes)

    return run_family(arguments, "GANSpace", options, fit)


def principal_components(w: Tensor, count: int) -> Tensor:
    """The leading principal axes of w [n, D], each times the standard deviation along it: [count, D], largest first."""
    _, singular, axes = torch.linalg.svd(w - w.mean(0), full_matrices=False)
    return (singular[:count, None] / (len(w) - 1) ** 0.5) * axes[:count]
