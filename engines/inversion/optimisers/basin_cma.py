"""BasinCMA (Wampler & Popovic 2009, Bau et al. 2019): CMA over the floors of basins (Huh et al. 2020, Algorithm 1).

CMA asks for a population, Adam refines all of it in one batch, and CMA is told the refined candidates' scores for the points
that it asked for: it searches the function "how low does Adam get from here".
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from engines.inversion.optimisers.adam import AdamWalk, adam, cosine_rate
from engines.inversion.optimisers.budget import Part
from engines.inversion.optimisers.cma import Sampler
from engines.inversion.optimisers.follow import Best
from engines.inversion.optimisers.problem import Search, Step, scores_of

__all__ = ["LAST_ROUND_SHARE", "basin_cma", "rounds"]

LAST_ROUND_SHARE = 300 / (29 * 30 + 300)
"""What the last round, which is longer, has of all gradient steps (Huh et al. 2020: 29 rounds of 30, one of 300)."""
FEWEST_STEPS, MOST_STEPS = 3, 30


def basin_cma(search: Search, seed: int, part: Part, *, betas: tuple[float, float] = (0.9, 0.999)) -> Iterator[Step]:
    """Rounds for all of `part` but its last share, then one long walk; a step is a gradient step of the population.

    The paper refines all samples of a last round that long. Here only the best one of all rounds goes on: on a budget of
    seconds it comes so many times farther.
    """
    sampler = Sampler(search, seed)
    before = part.budget.share + (1 - LAST_ROUND_SHARE) * (part.end - part.budget.share)
    best = Best()
    for step in rounds(search, sampler, Part(part.budget, before)):
        best.see(step)
        yield step
    last = Part(part.budget, part.end)
    yield from adam(search.problem, best.variables, rate=lambda: cosine_rate(last.share), betas=betas)


def rounds(search: Search, sampler: Sampler, part: Part) -> Iterator[Step]:
    """Rounds of CMA with Adam inside, at least one, until `part` is spent; the sampler's mean is then the best place known.

    As many rounds as steps in a round, the paper's 30 and 30, where a budget allows fewer of both.
    """
    length = None
    while True:
        # The refined candidates are scored exactly: on the way there a few digits will do.
        walk = AdamWalk(search.problem, search.sampled(sampler.ask()), rough=True)
        made = 0
        while length is None or made < length:
            variables = walk.variables
            walk.step()
            made += 1
            yield Step(variables, None, evaluations=len(variables[0]))
            if length is None:
                length = _round_length(part.expected_steps)
        refined = walk.variables
        scores = scores_of(search.problem, refined)
        sampler.tell(scores)
        yield Step(refined, scores, evaluations=len(scores), steps=0)
        if part.spent:
            return


def _round_length(steps: float | None) -> int:
    return MOST_STEPS if steps is None else min(max(math.ceil(math.sqrt(steps) - 1e-6), FEWEST_STEPS), MOST_STEPS)
