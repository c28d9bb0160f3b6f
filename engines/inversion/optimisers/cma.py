"""CMA-ES (Hansen & Ostermeier 2001) by ask and tell, driven by the package ``cma`` (pycma)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engines.core.rng import numpy_generator
from engines.inversion.optimisers.problem import Search, Step, scores_of

__all__ = ["Sampler", "cma"]


class Sampler:
    """A normal distribution that moves to where scores are small; `seed` decides all of its draws.

    The population is pycma's own for the dimension, 4 + floor(3 ln d): 18 for 128.
    """

    def __init__(self, search: Search, seed: int) -> None:
        import cma  # here, since importing it takes long and most methods need none of it

        draw = numpy_generator(seed)
        options: dict[str, object] = {"verbose": -9, "seed": np.nan, "randn": lambda *shape: draw.standard_normal(shape)}
        if search.bound is not None:
            options["bounds"] = [(-search.bound).tolist(), search.bound.tolist()]
            if search.dimension == 1:
                # Where the deviation reaches its limit, pycma 4 cannot scale a single coordinate down, and raises.
                options["maxstd"] = np.inf
        self._strategy = cma.CMAEvolutionStrategy(np.zeros(search.dimension), search.deviation, options)
        self._asked: list[np.ndarray] = []

    @property
    def population(self) -> int:
        return self._strategy.popsize

    @property
    def converged(self) -> bool:
        """Whether the distribution has become too narrow, or its scores too equal, to go on."""
        return bool(self._strategy.stop())

    def ask(self) -> Tensor:
        """Coordinates [population, d] to look at."""
        self._asked = self._strategy.ask()
        return torch.from_numpy(np.stack(self._asked)).float()

    def tell(self, scores: Tensor) -> None:
        """The scores of what was asked last."""
        self._strategy.tell(self._asked, scores.double().cpu().tolist())

    def mean(self) -> Tensor:
        """The distribution's mean as coordinates [1, d]."""
        return torch.from_numpy(np.array(self._strategy.result.xfavorite)).float()[None]


def cma(search: Search, seed: int) -> Iterator[Step]:
    """Rounds until the distribution has converged; a step is a round."""
    sampler = Sampler(search, seed)
    while not sampler.converged:
        variables = search.sampled(sampler.ask())
        scores = scores_of(search.problem, variables)
        sampler.tell(scores)
        yield Step(variables, scores, evaluations=len(scores))
