"""``train lw``: the Latent Wasserstein edit maps of a pack, two an attribute, calibrated so that slider 1.0 means "changed".

Doubinsky et al. 2023 on the encoder's codes of real training pictures. Per attribute and direction: weights by the
combinations of confounding attributes, a low-rank affine map fitted by Sinkhorn divergences with early stopping, and a
strength measured by the image predictor. ``--star`` trains the LW* variant.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from engines.editing.families import DEFAULT_FAMILY
from engines.packs.registry import open_pack
from engines.training.family_run import add_family_arguments, chosen_attributes, labelled_attributes, run_family
from engines.training.lw_map import LwOptions
from engines.training.lw_recipe import add_recipe_arguments, check_names, recipe_of
from engines.training.transport_fit import TransportFit

__all__ = ["HELP", "add_arguments", "run"]

HELP = "edit maps by latent Wasserstein transport, calibrated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_family_arguments(parser, steps=LwOptions().steps)
    add_recipe_arguments(parser)
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument("--star", action="store_true", help="LW*, a family of its own: no attribute cost, uniform weights")
    beside.add_argument("--affine", action="store_true", help="LW-affine, a family of its own beside an LW with hidden units")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fits and calibrates the maps one after the other; writes the family LW, with --star LW*, with --affine LW-affine."""
    pack = open_pack(arguments.pack)
    recipe = recipe_of(arguments, pack.manifest.latent.dim)
    # Here already, and not after hours of rendering and encoding.
    check_names(recipe, labelled_attributes(pack), chosen_attributes(arguments.attributes, pack))
    arguments.default_steps = recipe.options.steps
    family = "LW*" if arguments.star else "LW-affine" if arguments.affine else DEFAULT_FAMILY
    return run_family(arguments, family, asdict(recipe), lambda material: TransportFit(material, recipe, family=family))
