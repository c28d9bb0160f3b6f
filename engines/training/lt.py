"""``train lt``: the Latent Transformer of a pack (the family LT, with --star LT*), calibrated like the edit maps."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch

from engines.core.arguments import bounded_float, bounded_int
from engines.editing.shared_maps import SharedMaps
from engines.training.family_run import Material, add_family_arguments, run_family
from engines.training.lt_map import LtOptions, fit_transformer
from engines.training.sample_weights import label_correlation
from engines.training.trial import Columns

__all__ = ["HELP", "LtFit", "add_arguments", "run"]

HELP = "edit family LT: a latent transformer trained against the latent classifier"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    plain = LtOptions()
    add_family_arguments(parser, steps=plain.steps)
    add = parser.add_argument
    add("--star", action="store_true", help="LT*, a family of its own: without regularisation of codes and other attributes")
    add(
        "--rank",
        type=bounded_int(0),
        default=plain.rank,
        help=f"inner size of every layer's matrix, 0: full (default {plain.rank})",
    )
    add("--batch", type=bounded_int(1), default=plain.batch, help=f"codes in a step (default {plain.batch})")
    add("--rate", type=bounded_float(0, above=True), default=plain.learning_rate, help="Adam's learning rate (default 0.001)")
    add(
        "--code-weight",
        type=bounded_float(0),
        default=plain.code_weight,
        help="weight of the codes' regularisation (default 10)",
    )
    add(
        "--attribute-weight",
        type=bounded_float(0),
        default=plain.attribute_weight,
        help="weight of the other attributes (default 1)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains one map an attribute; writes the family LT or LT*."""
    options = _options(arguments)
    name = "LT*" if arguments.star else "LT"
    return run_family(arguments, name, asdict(options), lambda material: LtFit(material, options))


class LtFit:
    """The trainings of all attributes on the same codes."""

    most = 8.0

    def __init__(self, material: Material, options: LtOptions) -> None:
        self._material, self._options = material, options
        self._classifier = Columns(material.pack.latent_classifier, material.train.attributes)

    def start(self) -> SharedMaps:
        codes = self._material.train.codes
        maps = SharedMaps(self._material.attributes, *codes.shape[1:], self._options.rank)
        maps.mean.copy_(codes.mean(0))
        return maps

    def fit(
        self, family: SharedMaps, attribute: str, deadline: float | None, report: Callable[[int, float], None]
    ) -> dict[str, Any]:
        train = self._material.train.for_edit(attribute, self._material.pack.manifest.level_steps)
        k = train.attributes.index(attribute)
        fitted = fit_transformer(
            family,
            attribute,
            train.codes,
            self._classifier,
            k=k,
            relevance=torch.from_numpy(1 - label_correlation(train.labels)[k]).float(),
            options=self._options,
            seed=self._material.seed,
            deadline=deadline,
            report=report,
        )
        return asdict(fitted)


def _options(arguments: argparse.Namespace) -> LtOptions:
    return LtOptions(
        steps=arguments.steps or (10**9 if arguments.minutes else LtOptions.steps),
        batch=arguments.batch,
        learning_rate=arguments.rate,
        rank=arguments.rank or None,
        code_weight=0.0 if arguments.star else arguments.code_weight,
        attribute_weight=0.0 if arguments.star else arguments.attribute_weight,
    )
