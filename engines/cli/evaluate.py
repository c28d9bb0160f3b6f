"""``evaluate``: measures a part of a pack on held-out pictures and writes table.csv, report.md and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engines.cli.dispatch import add_chosen_arguments
from engines.cli.parsing import add_pack_option
from engines.core.arguments import new_folder

TABLE = {
    "generator": ("engines.evaluation.generator", "quality and variety of samples"),
    "inversion": ("engines.evaluation.inversion", "error and time of the inversion methods"),
    "edits": ("engines.evaluation.edits", "what edits change, keep, and how near they come to the true counterfactual"),
    "photos": ("engines.evaluation.photo_edits", "edits of real photographs, pasted back"),
    "digits": ("engines.evaluation.digits", "steps between levels that the image classifier confirms (Table 2)"),
    "realism": (
        "engines.evaluation.realism",
        "how far edits move codes, and whether these still look like real ones (Figure 2)",
    ),
    "ablations": ("engines.experiments.ablations", "Latent Wasserstein trained without each of its parts"),
    "architectures": (
        "engines.experiments.architectures",
        "class-conditional StyleGAN2 against BigGAN-deep for the same processor time",
    ),
    "editability": (
        "engines.evaluation.editability",
        "whether edits still work on tuned generators, and what else tuning changed",
    ),
    "regularity": (
        "engines.evaluation.regularity",
        "distortion against editability of codes pulled towards W, and of inversion methods (e4e)",
    ),
    "pasted": ("engines.evaluation.pasted", "edits back in their photos: what they bring, and what they change beside"),
    "needless": ("engines.evaluation.needless", "edits that a picture does not call for: what they change, and how little"),
    "morphs": ("engines.evaluation.morphs", "objects morphed into other classes: how many are seen as of them, what stays"),
    "optimisers": ("engines.evaluation.optimisers", "loss against generator evaluations of the optimisers"),
    "projection": ("engines.evaluation.projection", "optimisers and transforms on objects that lie anywhere (Table 1)"),
    "predictors": ("engines.evaluation.predictors", "accuracy of the attribute predictor"),
    "card": ("engines.evaluation.model_card", "the pack's MODEL_CARD.md, from its reports"),
}


_REPORTS = Path("runs", "reports")


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    add_pack_option(parser)
    where = f"folder for table.csv, report.md and pictures (default: {_REPORTS}/WHAT-PACK)"
    parser.add_argument("--out", type=new_folder, default=None, metavar="DIR", help=where)
    add_chosen_arguments(parser, words, TABLE)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.out is None and arguments.what != "card":
        arguments.out = _REPORTS / f"{arguments.what}-{arguments.pack}"
    result = arguments.run_what(arguments)
    left = f", of what is there: {result['left']} runs are left, the same command goes on" if result.get("left") else ""
    print(f"report in {arguments.out}{left}")
    return result
