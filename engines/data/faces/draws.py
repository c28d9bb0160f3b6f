"""The few kinds of random draws that portraits are made of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from engines.core.rng import numpy_generator

__all__ = ["Draws", "Seed", "generator"]

Seed = int | Sequence[int] | np.random.Generator
"""A seed, a path of seeds such as (split seed, picture), or a generator to go on with."""


def generator(seed: Seed) -> np.random.Generator:
    """The generator that a seed names."""
    if isinstance(seed, np.random.Generator):
        return seed
    return numpy_generator(seed) if isinstance(seed, int) else numpy_generator(*seed)


class Draws:
    """Short names for the draws, so that the tables below read as tables."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def choice(self, options: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
        """What `Generator.choice` draws, without its checks, which cost more than all else here."""
        if weights is None:
            return options[int(self.rng.integers(len(options)))]
        bounds = list(accumulate(weights))
        return options[bisect_right([bound / bounds[-1] for bound in bounds], self.rng.random())]

    def normal(self, mean: float, spread: float) -> float:
        return float(self.rng.normal(mean, spread))

    def normal_in(self, mean: float, spread: float, low: float, high: float) -> float:
        return float(min(max(self.rng.normal(mean, spread), low), high))  # np.clip is slow on single numbers

    def new_seed(self) -> int:
        return int(self.rng.integers(1 << 31))
