"""The ablations of Latent Wasserstein: one base, and recipes that differ from it in one thing each."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any, Literal

from engines.training import lw
from engines.training.lw_recipe import Recipe, recipe_of

__all__ = ["BASE", "VARIANTS", "WEIGHT_BY", "Variant", "base_recipe", "variants_of"]

BASE = "base"
VARIANTS = (
    BASE,
    "weighting-printed",
    "weighting-uniform",
    "lambda-0",
    "lambda-15",
    "no-early-stopping",
    "perceptual-cost",
)
"""Names, the base first."""

WEIGHT_BY = 4
"""By the combinations of so many attributes, the most confounded ones, samples are weighted."""

PRINTED_BATCH = 384
"""Most samples of a side in a step in the paper's setting: whole sides would take hours a variant."""


@dataclass(frozen=True)
class Variant:
    """One way to train the same maps on the same codes."""

    name: str
    recipe: Recipe
    perceptual: bool = False
    """Whether the transport cost is the perceptual one."""

    def described(self) -> dict[str, Any]:
        """What it is, for tables."""
        options = self.recipe.options
        return {
            "weighting": self.recipe.weighting,
            "lambda": options.preservation,
            "early_stopping": "on" if options.early_stopping else "off",
            "cost": "perceptual" if self.perceptual else "Euclidean",
        }


def base_recipe(setting: Literal["printed", "own"], *, steps: int | None, dim: int) -> Recipe:
    """The recipe that all variants start from: target-matched weights, lambda 1, early stopping, Euclidean cost.

    setting: ``printed`` as ``train lw --paper`` has it, but for PRINTED_BATCH; ``own`` as ``train lw`` has it.
    steps: of a map; None for the setting's own number. dim: D.
    """
    parser = argparse.ArgumentParser()
    lw.add_arguments(parser)
    words = [] if setting == "own" else ["--paper", "--batch", str(PRINTED_BATCH)]
    recipe = recipe_of(parser.parse_args(words), dim)
    return replace(recipe, weight_by=WEIGHT_BY, options=replace(recipe.options, steps=steps or recipe.options.steps))


def variants_of(base: Recipe) -> dict[str, Variant]:
    """Name -> variant, in the order of VARIANTS."""

    def options(**changes: Any) -> Recipe:
        return replace(base, options=replace(base.options, **changes))

    rows = (
        Variant(BASE, base),
        Variant("weighting-printed", replace(base, weighting="printed")),
        Variant("weighting-uniform", replace(base, weighting="uniform")),
        Variant("lambda-0", options(preservation=0.0)),
        Variant("lambda-15", options(preservation=15.0)),
        Variant("no-early-stopping", options(early_stopping=False)),
        Variant("perceptual-cost", base, perceptual=True),
    )
    return {row.name: row for row in rows}
