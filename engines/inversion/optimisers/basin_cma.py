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

__all__ = ["WALK_SHARE", "basin_cma", "rounds"]

WALK_SHARE = 0.5
"""The last walk's part of a budget of pictures or seconds."""
_PAPERS_WALK_SHARE = 300 / (29 * 30 + 300)
"""Of gradient steps: Huh et al. 2020 make 29 rounds of 30, and one of 300."""
FEWEST_STEPS, MOST_STEPS = 3, 30


def basin_cma(search: Search, seed: int, part: Part, *, betas: tuple[float, float] = (0.9, 0.999)) -> Iterator[Step]:
    """Rounds for all of `part` but its last share, then one long walk; a step is a gradient step of the population.

    The paper refines all samples of a last round that long. Here only the best one of all rounds goes on, for half of a budget
    of pictures or seconds, as after CMA in CMA+Adam. A round that would end more than half within its share is not begun.
    """
    budget, best = part.budget, Best()
    walk_share = WALK_SHARE if budget.steps is None else _PAPERS_WALK_SHARE
    of_rounds, began = Part(budget, part.end - walk_share * part.length), budget.share
    for step in rounds(search, Sampler(search, seed), of_rounds):
        best.see(step)
        yield step
        if step.scores is not None:  # the end of a round
            if budget.share + (budget.share - began) / 2 > of_rounds.end:
                break
            began = budget.share
    last = Part(budget, part.end)
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
