"""``train``: trains a part of a pack into a run folder, and writes it into the pack."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from engines.cli.dispatch import add_chosen_arguments
from engines.cli.parsing import add_pack_option
from engines.core.errors import OptionError

TABLE = {
    "gan": ("engines.training.gan", "generator, discriminator, first encoder and latent statistics"),
    "sample": ("engines.training.training_sample", "training pictures for the global loss of Clone that compares with them"),
    "encoder": ("engines.training.encoder", "encoder to W+ and its iterations"),
    "predictors": ("engines.training.predictors", "image networks: attributes, perceptual distance, identity, classes, boxes"),
    "classifier": ("engines.training.classifier", "latent classifier"),
    "steering": ("engines.training.steering", "directions for shift and zoom, from the generator alone"),
    "regions": ("engines.training.regions", "where in a picture attributes show: region network, from true counterfactuals"),
    "lw": ("engines.cli.train_lw", "edit maps by latent Wasserstein transport, of the pack or of an attribute of your own"),
    "lt": ("engines.training.lt", "edit family LT: latent transformer"),
    "interfacegan": ("engines.training.interfacegan", "edit family InterFaceGAN: normals of linear classifiers"),
    "ganspace": ("engines.training.ganspace", "edit family GANSpace: principal components of W"),
    "sefa": ("engines.training.sefa", "edit family SeFa: eigenvectors of the style weights"),
    "stylespace": ("engines.training.stylespace", "edit family StyleSpace: single style channels"),
}


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    add_pack_option(parser)
    add_chosen_arguments(parser, words, TABLE)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.device.startswith("cuda"):
        raise OptionError(f"--device {arguments.device}: trainings run on the CPU; leave it out.")
    result = arguments.run_what(arguments)
    print(f"run {result['run']}, best {result['best']}")
    for name, value in result["metrics"].items():
        print(f"  {name}: {value}")
    return result
