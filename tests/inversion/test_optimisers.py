"""The optimisers on functions whose optimum is known; budgets; cancelling; determinism."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from engines.core.progress import CancelToken
from engines.inversion.optimisers.adam import AdamWalk, adam, cosine_rate
from engines.inversion.optimisers.basin_cma import basin_cma, rounds
from engines.inversion.optimisers.budget import Budget, Part
from engines.inversion.optimisers.cma import Sampler, cma
from engines.inversion.optimisers.cma_adam import cma_adam
from engines.inversion.optimisers.lbfgs import lbfgs
from tests.inversion.functions import FunctionProblem, minimum, quadratic, rastrigin, rosenbrock, search_of, start


def _steps(name: str, problem: FunctionProblem, dimension: int, budget: Budget, seed: int = 0):
    search = search_of(problem, dimension)
    return {
        "adam": lambda: adam(problem, start(dimension, seed)),
        "lbfgs": lambda: lbfgs(problem, start(dimension, seed), allowed=budget.allows),
        "cma": lambda: cma(search, seed),
        "cma-adam": lambda: cma_adam(search, seed, Part(budget)),
        "basin-cma": lambda: basin_cma(search, seed, Part(budget)),
    }[name]()


NAMES = ["adam", "lbfgs", "cma", "cma-adam", "basin-cma"]


# ---- known optima ----


@pytest.mark.parametrize(
    "name, evaluations", [("adam", 2000), ("lbfgs", 60), ("cma", 3000), ("cma-adam", 3000), ("basin-cma", 6000)]
)
def test_an_ill_conditioned_quadratic_is_minimised(name, evaluations):
    problem, budget = FunctionProblem(quadratic), Budget(evaluations=evaluations)
    best, _ = minimum(_steps(name, problem, 6, budget), problem, budget)
    assert best.score < 1e-3
    assert torch.allclose(best.variables[0], torch.ones(1, 6), atol=0.05)


@pytest.mark.parametrize("name, evaluations", [("lbfgs", 150), ("cma", 4000)])
def test_rosenbrocks_valley_is_followed_to_its_end(name, evaluations):
    problem, budget = FunctionProblem(rosenbrock), Budget(evaluations=evaluations)
    best, _ = minimum(_steps(name, problem, 4, budget, seed=1), problem, budget)
    assert best.score < 1e-4
    assert torch.allclose(best.variables[0], torch.ones(1, 4), atol=0.02)


def test_basin_cma_finds_the_lowest_of_many_dents_where_adam_stays_in_the_first():
    scores = {name: [] for name in ("adam", "basin-cma")}
    for name, seed in itertools.product(scores, range(4)):
        problem, budget = FunctionProblem(rastrigin), Budget(evaluations=1500)
        best, _ = minimum(_steps(name, problem, 4, budget, seed), problem, budget)
        scores[name].append(best.score)
    assert max(scores["basin-cma"]) < 0.05
    assert min(scores["adam"]) > 1


def test_lbfgs_needs_far_fewer_evaluations_than_adam_on_a_smooth_function():
    found = {}
    for name in ("adam", "lbfgs"):
        problem, budget = FunctionProblem(quadratic), Budget(evaluations=40)
        found[name] = minimum(_steps(name, problem, 6, budget), problem, budget)[0].score
    assert found["lbfgs"] < 1e-3 * found["adam"]


def test_lbfgs_ends_by_itself_when_nothing_moves_any_more():
    problem, budget = FunctionProblem(quadratic), Budget()
    best, _ = minimum(lbfgs(problem, start(3)), problem, budget)
    assert best.score < 1e-10
    assert budget.evaluated < 200


def test_a_step_of_the_batch_is_the_step_of_every_candidate_alone():
    problem, starts = FunctionProblem(rastrigin), torch.cat([start(3, seed)[0] for seed in range(5)])
    together, alone = AdamWalk(problem, (starts,)), [AdamWalk(problem, (starts[i : i + 1],)) for i in range(5)]
    in_parts = AdamWalk(FunctionProblem(rastrigin, at_once=2), (starts,))
    for _ in range(4):
        losses = together.step()
        assert torch.allclose(in_parts.step(), losses)
        assert torch.allclose(torch.cat([walk.step() for walk in alone]), losses)
    assert torch.allclose(together.variables[0], torch.cat([walk.variables[0] for walk in alone]), atol=1e-6)
    assert torch.allclose(together.variables[0], in_parts.variables[0], atol=1e-6)


def test_adam_is_torchs_own():
    problem, point = FunctionProblem(rosenbrock, rate=0.03), start(4)[0].clone().requires_grad_(True)
    walk, own = AdamWalk(problem, start(4)), torch.optim.Adam([point], lr=0.03)
    for _ in range(5):
        own.zero_grad()
        rosenbrock(point).sum().backward()
        own.step()
        walk.step()
    assert torch.equal(walk.variables[0], point.detach())


# ---- BasinCMA's rule ----


def test_basin_cma_tells_the_refined_score_for_the_point_that_was_asked():
    problem = FunctionProblem(rastrigin)
    asked, told = [], []

    class Spy(Sampler):
        def ask(self):
            asked.append(super().ask())
            return asked[-1]

        def tell(self, scores):
            told.append((list(map(torch.tensor, self._asked)), scores))
            super().tell(scores)

    search, budget = search_of(problem, 3), Budget(steps=12)
    best, steps = minimum(rounds(search, Spy(search, 0), Part(budget)), problem, budget)
    scored = [step for step in steps if step.steps == 0]
    assert len(told) == len(scored) >= 2
    for points, (solutions, scores), step in zip(asked, told, scored, strict=False):
        # The points are those that were asked, the scores those of what Adam made of them.
        assert torch.allclose(torch.stack(solutions).float(), points)
        assert torch.equal(scores, rastrigin(step.variables[0]))
        assert not torch.allclose(step.variables[0], points, atol=1e-3)
        assert (scores < rastrigin(points)).float().mean() > 0.8
    assert best.score == min(float(scores.min()) for _, scores in told)


def test_rounds_are_as_many_as_their_steps_up_to_the_papers_thirty():
    problem = FunctionProblem(quadratic)
    for steps, rounds_expected, length in ((100, 10, 10), (900, 30, 30), (3000, 100, 30)):
        budget = Budget(steps=steps)
        search = search_of(problem, 3)
        _, made = minimum(rounds(search, Sampler(search, 0), Part(budget)), problem, budget)
        scored = sum(step.steps == 0 for step in made)
        assert (scored, sum(step.steps for step in made)) == (pytest.approx(rounds_expected, abs=1), steps)
        assert steps // max(scored, 1) == pytest.approx(length, abs=1)


def test_with_the_papers_steps_basin_cma_ends_with_a_round_of_300():
    problem, budget = FunctionProblem(quadratic), Budget(steps=29 * 30 + 300)
    _, steps = minimum(basin_cma(search_of(problem, 3), 0, Part(budget)), problem, budget)
    rounds_made = [i for i, step in enumerate(steps) if step.steps == 0]
    assert len(rounds_made) == 29
    assert sum(step.steps for step in steps[rounds_made[-1] :]) == 300
    assert len(steps[-1].variables[0]) < len(steps[0].variables[0])


@pytest.mark.parametrize(("evaluations", "walked"), [(170, 85), (500, 250), (3000, 1500)])
def test_of_pictures_basin_cma_leaves_half_to_the_last_walk(evaluations, walked):
    """Also where a round is as long as all rounds' part: one is made, and no second one takes the walk's place."""
    problem, budget = FunctionProblem(quadratic), Budget(evaluations=evaluations)
    _, steps = minimum(basin_cma(search_of(problem, 128), 0, Part(budget)), problem, budget)
    alone = sum(step.evaluations for step in steps if len(step.variables[0]) == 1)
    assert alone == pytest.approx(walked, abs=0.1 * evaluations)


def test_populations_are_pycmas_own():
    assert Sampler(search_of(FunctionProblem(quadratic), 128), 0).population == 18


def test_bounds_hold():
    problem = FunctionProblem(lambda x: -x.sum(1))
    search = search_of(problem, 3)
    bounded = type(search)(problem, 3, 1.0, search.sampled, np.array([0.5, 1.0, 2.0]))
    best, _ = minimum(cma(bounded, 0), problem, Budget(evaluations=600))
    assert torch.allclose(best.variables[0], torch.tensor([[0.5, 1.0, 2.0]]), atol=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_a_single_bounded_coordinate_may_be_searched_to_its_end(seed):
    """The search of a colour transform: its distribution widens as long as the bound is the best place."""
    problem = FunctionProblem(lambda x: -x.sum(1))
    search = search_of(problem, 1)
    bounded = type(search)(problem, 1, 0.3, search.sampled, np.array([1.0]))
    best, _ = minimum(cma(bounded, seed), problem, Budget(evaluations=300))
    assert best.variables[0].item() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_candidates_stay_where_they_may_be(name):
    problem, budget = FunctionProblem(lambda x: (x - 5).square().sum(1), limit=2.0, rate=0.5), Budget(evaluations=300)
    best, steps = minimum(_steps(name, problem, 3, budget), problem, budget)
    assert all(float(step.variables[0].abs().max()) <= 2 for step in steps[1:])
    assert torch.allclose(best.variables[0], torch.full((1, 3), 2.0), atol=1e-3)


# ---- budgets, cancelling, determinism ----


@pytest.mark.parametrize("name", NAMES)
def test_evaluations_are_counted_and_never_exceeded_by_more_than_a_step(name):
    problem, budget = FunctionProblem(rastrigin), Budget(evaluations=100)
    _, steps = minimum(_steps(name, problem, 4, budget), problem, budget)
    assert problem.calls == budget.evaluated
    assert 100 <= budget.evaluated < 100 + max(step.evaluations for step in steps) or name == "lbfgs"
    if name == "lbfgs":
        assert budget.evaluated <= 100


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_kept_exactly(name):
    problem, budget = FunctionProblem(rosenbrock), Budget(steps=7)
    _, steps = minimum(_steps(name, problem, 4, budget), problem, budget)
    assert sum(step.steps for step in steps) == budget.step == 7


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_of_seconds_ends(name):
    problem, budget = FunctionProblem(rosenbrock, rate=1e-4), Budget(seconds=0.3)
    minimum(_steps(name, problem, 30, budget), problem, budget)
    assert budget.elapsed_sec < 2


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes_and_leaves_numpys_state_alone(name):
    found = []
    for seed in (3, 3, 4):
        problem, budget = FunctionProblem(rastrigin), Budget(evaluations=150)
        before = np.random.get_state()[1].copy()
        found.append(minimum(_steps(name, problem, 4, budget, seed), problem, budget)[0].variables[0])
        assert np.array_equal(np.random.get_state()[1], before)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_callers_without_gradients_get_the_same(name, mode):
    def run():
        problem, budget = FunctionProblem(rosenbrock), Budget(evaluations=80)
        return minimum(_steps(name, problem, 4, budget), problem, budget)[0].variables[0]

    expected = run()
    with mode():
        assert torch.equal(run(), expected)
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("name", NAMES)
def test_cancelling_stops_between_two_steps_and_keeps_the_best(name):
    cancel, seen = CancelToken(), []
    problem, budget = FunctionProblem(rastrigin), Budget()

    def watched():
        for step in _steps(name, problem, 4, budget):
            seen.append(step)
            if len(seen) == 3:
                cancel.cancel()
            yield step

    best, _ = minimum(watched(), problem, budget, cancel)
    assert len(seen) == 3
    assert best.score == pytest.approx(float(rastrigin(best.variables[0])))


def test_refined_candidates_are_scored_when_the_work_ends_in_the_middle_of_a_round():
    problem, budget = FunctionProblem(rastrigin, comparable=False), Budget(steps=5)
    search = search_of(problem, 3)
    best, steps = minimum(rounds(search, Sampler(search, 0), Part(Budget(steps=1000))), problem, budget)
    assert all(step.scores is None for step in steps)
    assert best.score == float(rastrigin(best.variables[0]))
    assert budget.evaluated == problem.calls


def test_adam_scores_now_and_then_where_losses_are_no_scores():
    problem, budget = FunctionProblem(quadratic, comparable=False), Budget(steps=35)
    best, steps = minimum(adam(problem, start(3)), problem, budget)
    assert sum(step.scores is not None for step in steps) == 3
    assert best.score == pytest.approx(float(quadratic(best.variables[0])))


def test_the_curve_falls_and_ends_with_the_best():
    problem, budget = FunctionProblem(rastrigin), Budget(evaluations=400)
    best, _ = minimum(cma(search_of(problem, 4), 0), problem, budget)
    counts, scores = zip(*best.curve, strict=True)
    assert list(counts) == sorted(counts)
    assert list(scores) == sorted(scores, reverse=True)
    assert scores[-1] == best.score


def test_shares_of_a_budget():
    budget = Budget(steps=10, evaluations=100)
    budget.count(steps=2, evaluations=50)
    assert budget.share == 0.5
    part = Part(budget, 0.9)
    assert (part.share, part.expected_steps) == (0, None)
    budget.count(steps=1, evaluations=10)
    assert part.share == pytest.approx(0.25)
    assert part.expected_steps == pytest.approx(4)
    assert (budget.allows(39), budget.allows(40)) == (True, False)
    budget.count(steps=3, evaluations=30)
    assert (part.spent, budget.spent) == (True, False)
    budget.count(steps=4)
    assert budget.spent


def test_the_rate_warms_up_and_falls_to_zero():
    shares = np.linspace(0, 1, 101)
    rates = np.array([cosine_rate(share) for share in shares])
    assert rates.argmax() == pytest.approx(5, abs=1)
    assert (rates[0] < 0.3, rates.max() <= 1, abs(rates[-1]) < 1e-9) == (True, True, True)
