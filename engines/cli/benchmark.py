"""``benchmark``: speed on this machine, as ratios against a stated baseline that is measured in the same run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from engines.cli.dispatch import add_chosen_arguments
from engines.cli.parsing import add_pack_option

TABLE = {
    "live": ("engines.evaluation.benchmarks.live", "one edited frame with its readings"),
    "render": ("engines.evaluation.benchmarks.render", "rendering of labelled pictures"),
    "inversion": ("engines.evaluation.benchmarks.inversion", "the inversion methods"),
    "lw": ("engines.experiments.lw_cost", "training of Latent Wasserstein maps, against number of codes and code size"),
}


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    add_pack_option(parser)
    add_chosen_arguments(parser, words, TABLE)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    result = arguments.run_what(arguments)
    for name, value in result.items():
        print(f"{name}: {value}")
    return result
