"""A round of BasinCMA, batched, against the plain loop that handles one sample after the other.

A round is what :mod:`engines.inversion.optimisers.basin_cma` does: CMA asks for a population, Adam refines it (in bfloat16
where the processor has it), the refined samples are scored in float32, and CMA is told. The plain loop does the same in float32
on grouped convolutions with weights made for the sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.evaluation.benchmarks.grouped import grouped_synthesis
from engines.evaluation.benchmarks.timing import interleaved_ms
from engines.inversion.optimisers.adam import AdamWalk
from engines.inversion.optimisers.cma import Sampler
from engines.inversion.optimisers.problem import Problem, Search, Variables, rows, scores_of
from engines.inversion.options import InversionOptions
from engines.inversion.project import BASIN_CMA
from engines.inversion.projection import Projection
from engines.packs.load import Pack

__all__ = ["GroupedPack", "Round", "basin_round_figures"]


class GroupedPack:
    """A pack whose synthesis runs as grouped convolutions."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self.generator = _GroupedGenerator(pack.generator)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pack, name)


class _GroupedGenerator:
    def __init__(self, generator: torch.nn.Module) -> None:
        self._generator = generator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def synthesis(self, w_plus: Tensor, *, noise_mode: str) -> Tensor:
        return grouped_synthesis(self._generator.synthesis, w_plus)


class Round:
    """Rounds of one search, all samples in batches or one after the other."""

    def __init__(self, projection: Projection, steps: int, seed: int, *, one_by_one: bool) -> None:
        start = projection.start(projection.first_phi, seed)
        self._search: Search = projection.latent_search(start, around_start=True)
        self._sampler = Sampler(self._search, seed)
        self._steps, self._one_by_one = steps, one_by_one

    @property
    def population(self) -> int:
        return self._sampler.population

    def __call__(self, _: int = 0) -> Tensor:
        """One round; returns the scores [population]."""
        problem, asked = self._search.problem, self._search.sampled(self._sampler.ask())
        if self._one_by_one:
            parts = [self._refined(problem, rows(asked, slice(i, i + 1))) for i in range(self.population)]
            scores = torch.cat(parts)
        else:
            scores = self._refined(problem, asked)
        self._sampler.tell(scores)
        return scores

    def _refined(self, problem: Problem, population: Variables) -> Tensor:
        walk = AdamWalk(problem, population, rough=not self._one_by_one)
        for _ in range(self._steps):
            walk.step()
        return scores_of(problem, walk.variables)


def basin_round_figures(pack: Pack, crop: np.ndarray, *, steps: int, repeats: int, seed: int) -> dict[str, Any]:
    """`basin_round_ms` with `steps` gradient steps for each sample, and how many times longer the plain loops take."""
    own, grouped = (Projection(models, crop, InversionOptions(), BASIN_CMA.space) for models in (pack, GroupedPack(pack)))
    kinds = {
        "batched": Round(own, steps, seed, one_by_one=False),
        "plain": Round(grouped, steps, seed, one_by_one=True),
        "single": Round(own, steps, seed, one_by_one=True),
    }
    measured = interleaved_ms(kinds, repeats, warm_up=1)
    batched, plain, single = (float(np.median(measured[kind])) for kind in ("batched", "plain", "single"))
    return {
        "basin_round_ms": batched,
        "basin_round_baseline_ms": plain,
        "basin_round_ratio": plain / batched,
        "basin_round_single_ratio": single / batched,
        "basin_round_baseline": "the same round, one sample after the other, on grouped convolutions",
        "basin_population": kinds["batched"].population,
        "basin_round_steps": steps,
    }
