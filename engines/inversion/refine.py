"""Method ``encoder-refine``: Adam on the W+ codes, started from the iterated encoder, kept where codes of real pictures lie.

Image2StyleGAN (Abdal et al. 2019) and the projection of Karras et al. 2020 optimise codes freely; codes that fit well may
then lie where no edit map was trained, and edits break the picture. So the loss has a prior, and the step a metric:

    minimise  L(G(w)) + typical * d + outside * max(0, d - usual),     w = w_E + A x,   A A^T = covariance of the codes

with w_E the encoder's codes, d the squared Mahalanobis distance of w from the mean code under the pack's W+ statistics, and
Adam on x: a step goes the further, the more codes differ in that direction. Warm-up, then a cosine to zero over whichever
budget ends first.

The distance is from the mean code, not from w_E: of a photograph, which the encoder never learned from, w_E itself is far out.
Beyond `usual`, where codes of real pictures end, every further step must pay: a photograph's picture gains little there, and
the generator has never drawn glasses on such codes. Within it the prior is weak, and pictures like the training's lose nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from engines.core.progress import CancelToken
from engines.imaging.convert import to_uint8
from engines.inversion.encoder import Candidate, encoder_passes
from engines.inversion.iterated_encoder import DEFAULT_PASSES
from engines.inversion.measure import measured, synthesise
from engines.inversion.models import InversionModels, as_target
from engines.inversion.objective import ImageObjective
from engines.inversion.optimisers.adam import cosine_rate
from engines.inversion.optimisers.budget import Budget, Part
from engines.inversion.optimisers.follow import until
from engines.inversion.optimisers.problem import gradients
from engines.inversion.options import InversionOptions
from engines.inversion.prior import CodePrior
from engines.inversion.result import CANCELLED, InversionProgress

__all__ = ["DEFAULT_SECONDS", "DEFAULT_STEPS", "run"]

DEFAULT_SECONDS = 6.0
DEFAULT_STEPS = 100

LEARNING_RATE = 0.05
BETAS = (0.9, 0.95)
TYPICAL_WEIGHT = 0.4
"""On pack faces the error hardly rises up to this weight."""
OUTSIDE_WEIGHT = 10.0
"""Enough to hold a photograph's codes at the bound."""
_STAGE = "Refining"


def run(
    models: InversionModels,
    crop: np.ndarray,
    options: InversionOptions,
    cancel: CancelToken,
) -> Iterator[InversionProgress]:
    """At most `steps` steps, `evaluations` pictures and about `seconds` seconds (never more than one step beyond); with none
    of them, the defaults of steps and seconds.

    Without `seconds` the result does not depend on the clock. Once the encoder has answered, cancelling ends the work
    with the best codes so far and the warning "cancelled"; before that it raises Cancelled.
    """
    cancel.raise_if_cancelled()
    budget = Budget(options.seconds, options.steps, options.evaluations)
    if options.seconds is None and options.steps is None and options.evaluations is None:
        budget = Budget(DEFAULT_SECONDS, DEFAULT_STEPS)
    objective = ImageObjective(models, as_target(models, crop))

    passes = encoder_passes(models, objective)
    start = next(passes)
    budget.count(steps=0, evaluations=1)
    yield _record(budget, start.image, None)
    for _ in range(1, DEFAULT_PASSES):
        if cancel.cancelled or budget.spent:
            break
        start = min(start, next(passes), key=lambda candidate: candidate.loss)
        budget.count(steps=0, evaluations=1)

    refinement = _Refinement(models, objective, start)
    best = refinement.start
    curve = [(budget.evaluated, best.loss)]
    # Its own share: networks that are read at first use take time, and without the warm-up Adam leaves the start for worse.
    part = Part(budget)
    while not (cancel.cancelled or budget.spent):
        candidate = refinement.step(LEARNING_RATE * cosine_rate(part.share))
        budget.count(steps=1, evaluations=1)
        if candidate.loss < best.loss:
            best = candidate
            curve.append((budget.evaluated, best.loss))
        if budget.preview_due:
            yield _record(budget, best.image, best.loss)

    result = measured(
        models,
        crop,
        best.w_plus,
        method="encoder-refine",
        seconds=budget.elapsed_sec,
        steps=budget.step,
        seed=options.seed,
        warnings=(CANCELLED,) if cancel.cancelled and not budget.spent else (),
        evaluations=budget.evaluated,
        losses=until(curve, budget.evaluated),
        settings=budget.settings(),
    )
    yield InversionProgress(_STAGE, budget.step, budget.steps, budget.elapsed_sec, best.loss, result.reconstruction, result)


def _record(budget: Budget, image: Tensor, loss: float | None) -> InversionProgress:
    budget.previewed()
    preview = to_uint8(image)[0]
    return InversionProgress(_STAGE, budget.step, budget.steps, budget.elapsed_sec, loss, preview, share=budget.share)


class _Refinement:
    """The codes w = w_E + A x while x is optimised."""

    def __init__(self, models: InversionModels, objective: ImageObjective, start: Candidate) -> None:
        self._models, self._objective = models, objective
        statistics = models.statistics
        # The encoder's codes were made in inference mode; a clone made outside of it may take part in gradients.
        with torch.inference_mode(False), torch.no_grad():
            self._prior = CodePrior(statistics["w_plus_mean"], statistics["w_plus_factors"])
            self._origin = start.w_plus.clone()
            self._x = torch.zeros_like(self._origin)
            prior = float(self._penalty(self._origin))
        self.start = dataclasses.replace(start, loss=start.loss + prior)
        """Where the refinement starts, with the full loss."""
        self._x.requires_grad_(True)
        self._optimiser = torch.optim.Adam([self._x], betas=BETAS)

    def step(self, learning_rate: float) -> Candidate:
        """Makes one step; returns the codes it started from, with their picture and full loss."""
        with gradients():
            w_plus = self._origin + self._prior.unwhitened(self._x)
            image = synthesise(self._models, w_plus)
            loss = self._objective(image) + self._penalty(w_plus)
            (self._x.grad,) = torch.autograd.grad(loss.sum(), [self._x])
            self._optimiser.param_groups[0]["lr"] = learning_rate
            self._optimiser.step()
        return Candidate(w_plus.detach(), image.detach(), float(loss.detach()))

    def _penalty(self, w_plus: Tensor) -> Tensor:
        distance = self._prior.distance(w_plus)
        return TYPICAL_WEIGHT * distance + OUTSIDE_WEIGHT * (distance - self._prior.usual_distance).clamp_min(0)
