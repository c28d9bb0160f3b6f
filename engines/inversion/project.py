"""Methods ``adam``, ``lbfgs``, ``cma``, ``cma-adam`` and ``basin-cma``: the picture is searched in a latent space.

Huh et al. 2020 ("Transforming and Projecting"), Algorithm 1, in two stages: where the transform of the picture is searched,
CMA over transforms with Adam inside comes first, whichever the method; then the method searches the latent. Adam in w+ is
the projection of Abdal et al. 2019 (Image2StyleGAN).

Of Adam the paper's text gives the learning rates alone. Not from there are BETAS and, where one walk goes on to the end of the
budget (``adam``, the last part of ``cma-adam`` and ``basin-cma``), the warm-up of its rates and their cosine decay to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engines.core.progress import CancelToken
from engines.inversion.measure import measured
from engines.inversion.models import InversionModels
from engines.inversion.optimisers.adam import adam, cosine_rate
from engines.inversion.optimisers.basin_cma import basin_cma, rounds
from engines.inversion.optimisers.budget import Budget, Part
from engines.inversion.optimisers.cma import Sampler, cma
from engines.inversion.optimisers.cma_adam import cma_adam
from engines.inversion.optimisers.follow import Best, follow, until
from engines.inversion.optimisers.lbfgs import lbfgs
from engines.inversion.optimisers.problem import Search, Step, Variables, scores_of
from engines.inversion.options import InversionOptions, Space
from engines.inversion.preview import picture_of
from engines.inversion.projection import Projection, transform_of
from engines.inversion.result import CANCELLED, InversionProgress

__all__ = ["ADAM", "BASIN_CMA", "CMA", "CMA_ADAM", "LBFGS", "SEARCHES", "Beginning", "Method", "begin", "run"]

TRANSFORM_SHARE = 900 / (900 + 29 * 30 + 300)
"""What the search of the transform has of the budget: 30 rounds of 30 steps, as many as the latent's, before its last round."""
BETAS = (0.9, 0.95)
"""Of Adam wherever it searches here; its authors' are (.9, .999)."""


@dataclass(frozen=True)
class _Task:
    """What a method gets to search the latent with."""

    projection: Projection
    start: Variables
    encoder_start: bool
    seed: int
    part: Part
    cancel: CancelToken

    @property
    def search(self) -> Search:
        return self.projection.latent_search(self.start, around_start=self.encoder_start)


@dataclass(frozen=True)
class Method:
    """A row of the table of searching methods."""

    id: str
    stage: str
    """What the user is told is being done."""
    space: Space
    """Where latents are searched unless the user says so, or the generator has classes (then z)."""
    seconds: float
    """The budget of a run that is given none."""
    steps: Callable[[_Task], Iterator[Step]]


def _adam_steps(task: _Task) -> Iterator[Step]:
    return adam(task.projection, task.start, rate=lambda: cosine_rate(task.part.share), betas=BETAS)


def _lbfgs_steps(task: _Task) -> Iterator[Step]:
    budget = task.part.budget

    def allowed(made: int) -> bool:
        return budget.allows(made) and not task.cancel.cancelled

    return lbfgs(task.projection, task.start, allowed=allowed)


ADAM = Method("adam", "Following the gradient", "w+", 10, _adam_steps)
LBFGS = Method("lbfgs", "Following the gradient", "w+", 10, _lbfgs_steps)
CMA = Method("cma", "Evolving guesses", "w+", 10, lambda task: cma(task.search, task.seed))
CMA_ADAM = Method(
    "cma-adam", "Evolving guesses", "w+", 15, lambda task: cma_adam(task.search, task.seed, task.part, betas=BETAS)
)
BASIN_CMA = Method(
    "basin-cma", "Evolving refined guesses", "w+", 30, lambda task: basin_cma(task.search, task.seed, task.part, betas=BETAS)
)
SEARCHES = (ADAM, LBFGS, CMA, CMA_ADAM, BASIN_CMA)
"""All rows."""


def _usual_space(models: InversionModels, method: Method) -> Space:
    """Where classes are told apart it is z: there the class is a variable of its own, and can be changed afterwards."""
    return "z" if models.generator.config.class_count else method.space


@dataclass(frozen=True)
class Beginning:
    """What all methods do first on one picture with the same options: the first latent, and the search of the transform."""

    projection: Projection
    budget: Budget
    """What was used of it."""
    best: Best
    start: Variables
    """The candidate from which the latent is searched."""

    def again(self) -> Beginning:
        """The same for another method to go on from."""
        return replace(self, budget=self.budget.again(), best=self.best.again())


def run(
    models: InversionModels,
    crop: np.ndarray,
    options: InversionOptions,
    cancel: CancelToken,
    *,
    method: Method,
    beginning: Beginning | None = None,
) -> Iterator[InversionProgress]:
    """Searches until the budget ends, never more than one step and its scoring beyond (in a population
    search as many pictures as it has members, twice); without `seconds` the clock has no say in the result.

    Steps are gradient steps (``adam``; ``basin-cma`` and the search of the transform: of a whole population), iterations
    (``lbfgs``) or rounds (``cma``). Cancelling ends the work with the best so far and the warning "cancelled"; before the
    first candidate was looked at it raises Cancelled.

    beginning: what :func:`begin` came to for the same picture and options, which is then not done again.
    """
    if beginning is None:
        beginning = yield from _begun(models, crop, options, cancel, method)
    projection, budget, best = beginning.projection, beginning.budget, beginning.best
    course = _Course(projection, method, options, budget, cancel)
    task = _Task(projection, beginning.start, options.encoder_start, options.seed, Part(budget), cancel)
    yield from course.follow(method.steps(task), best, method.stage)
    yield course.result(models, crop, best)


def begin(models: InversionModels, crop: np.ndarray, options: InversionOptions) -> Beginning:
    """The beginning of every method. Raises ValueError where methods would differ: without a space, or bounded by seconds."""
    if options.space is None or options.seconds is not None or (options.steps is None and options.evaluations is None):
        raise ValueError("methods begin alike in one space, bounded by steps or evaluations and by no seconds")
    records = _begun(models, crop, options, CancelToken(), ADAM)
    while True:
        try:
            next(records)
        except StopIteration as end:
            return end.value


def _begun(
    models: InversionModels, crop: np.ndarray, options: InversionOptions, cancel: CancelToken, method: Method
) -> Generator[InversionProgress, None, Beginning]:
    cancel.raise_if_cancelled()
    budget = _budget(options, method)
    projection = Projection(models, crop, options, options.space or _usual_space(models, method))
    best, course = Best(), _Course(projection, method, options, budget, cancel)
    start = projection.start(projection.first_phi, options.seed)
    budget.count(steps=0, evaluations=1)
    best.see(Step(start, scores_of(projection, start), evaluations=1, steps=0), budget.evaluated)
    yield course.record(method.stage, best)

    if options.transform != "none":
        search = projection.transform_search(options.seed)
        sampler = Sampler(search, options.seed)
        steps = rounds(search, sampler, Part(budget, TRANSFORM_SHARE))
        yield from course.follow(steps, best, "Searching the transform", outlined=True)
        start = _placed(projection, sampler, best, options.seed)
        budget.count(steps=0, evaluations=2)
    return Beginning(projection, budget, best, start)


def _budget(options: InversionOptions, method: Method) -> Budget:
    unbounded = options.seconds is None and options.steps is None and options.evaluations is None
    return Budget(method.seconds if unbounded else options.seconds, options.steps, options.evaluations)


def _placed(projection: Projection, sampler: Sampler, best: Best, seed: int) -> Variables:
    """The candidate from which the latent is searched: the mean transform, with a new latent or with the best so far."""
    phi = projection.phi_at(sampler.mean())
    return projection.better(projection.start(phi, seed), (*best.variables[:-1], phi))


@dataclass(frozen=True)
class _Course:
    projection: Projection
    method: Method
    options: InversionOptions
    budget: Budget
    cancel: CancelToken

    def follow(self, steps: Iterator[Step], best: Best, stage: str, *, outlined: bool = False) -> Iterator[InversionProgress]:
        """Follows the steps to their end; records with previews come about three times a second."""
        for _ in follow(steps, self.projection, self.budget, self.cancel, best):
            if self.budget.preview_due:
                yield self.record(stage, best, outlined=outlined)

    def record(self, stage: str, best: Best, *, outlined: bool = False) -> InversionProgress:
        budget = self.budget
        budget.previewed()
        preview = picture_of(self.projection, best.variables, outlined=outlined)
        return InversionProgress(stage, budget.step, budget.steps, budget.elapsed_sec, best.score, preview, share=budget.share)

    def result(self, models: InversionModels, crop: np.ndarray, best: Best) -> InversionProgress:
        """The last record."""
        budget, options, projection = self.budget, self.options, self.projection
        transform = None if options.transform == "none" else transform_of(best.variables[-1][0])
        inversion = measured(
            models,
            crop,
            projection.codes(best.variables).detach(),
            method=self.method.id,
            seconds=budget.elapsed_sec,
            steps=budget.step,
            seed=options.seed,
            warnings=(CANCELLED,) if self.cancel.cancelled and not budget.spent else (),
            evaluations=budget.evaluated,
            losses=until(best.curve, budget.evaluated),
            settings={**self._settings(), **projection.facts(best.variables)},
            transform=transform,
            mask=options.mask,
        )
        preview = picture_of(projection, best.variables)
        return InversionProgress(
            self.method.stage, budget.step, budget.steps, budget.elapsed_sec, best.score, preview, inversion
        )

    def _settings(self) -> dict[str, Any]:
        options = self.options
        return {
            "space": self.projection.space.name,
            "encoder_start": options.encoder_start,
            "class_search": options.class_search,
            "transform": options.transform,
            "outside_weight": options.outside_weight,
            "pixel_loss": options.pixel_loss,
            **self.budget.settings(),
            "perceptual_kind": self.projection.kind,
        }
