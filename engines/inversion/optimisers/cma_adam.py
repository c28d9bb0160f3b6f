"""CMA+Adam: CMA finds the region, then Adam goes down from the best point that it saw (Huh et al. 2020, Table 1)."""

from __future__ import annotations

from collections.abc import Iterator

from engines.inversion.optimisers.adam import adam, cosine_rate
from engines.inversion.optimisers.budget import Part
from engines.inversion.optimisers.cma import cma
from engines.inversion.optimisers.follow import Best
from engines.inversion.optimisers.problem import Search, Step

__all__ = ["CMA_SHARE", "cma_adam"]

CMA_SHARE = 0.5
"""The part of the budget that CMA has."""


def cma_adam(search: Search, seed: int, part: Part, *, betas: tuple[float, float] = (0.9, 0.999)) -> Iterator[Step]:
    """Rounds of CMA for a share of `part`, then endless steps of Adam on one candidate."""
    first = Part(part.budget, part.budget.share + CMA_SHARE * (part.end - part.budget.share))
    best = Best()
    for step in cma(search, seed):
        best.see(step)
        yield step
        if first.spent:
            break
    second = Part(part.budget, part.end)
    yield from adam(search.problem, best.variables, rate=lambda: cosine_rate(second.share), betas=betas)
