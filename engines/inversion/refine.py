"""Method ``encoder-refine``: Adam on the W+ codes, started from the iterated encoder, kept near its manifold.

Image2StyleGAN (Abdal et al. 2019) and the projection of Karras et al. 2020 optimise codes freely; codes that fit well may
then lie where no edit map was trained, and edits break the picture. So the loss has a prior, and the step a metric:

    minimise  L(G(w)) + near * d(w - w_E) + typical * d(w - mean),     w = w_E + A x,   A A^T = covariance of the codes

with w_E the encoder's codes, d the Mahalanobis distance under the pack's W+ statistics, and Adam on x: a step goes the
further, the more codes differ in that direction. Warm-up, then a cosine to zero over whichever budget ends first.
"""

from __future__ import annotations

import dataclasses
import math
import time
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
from engines.inversion.options import InversionOptions
from engines.inversion.prior import CodePrior
from engines.inversion.result import CANCELLED, InversionProgress

__all__ = ["DEFAULT_SECONDS", "DEFAULT_STEPS", "run"]

DEFAULT_SECONDS = 6.0
DEFAULT_STEPS = 100
PREVIEW_PERIOD_SEC = 1 / 3

LEARNING_RATE = 0.05
WARM_UP = 0.05  # share of the budget
BETAS = (0.9, 0.95)
NEAR_WEIGHT = 0.005
TYPICAL_WEIGHT = 0.001
_STAGE = "Refining"


def run(
    models: InversionModels,
    crop: np.ndarray,
    options: InversionOptions,
    cancel: CancelToken,
) -> Iterator[InversionProgress]:
    """At most `steps` steps and about `seconds` seconds (never more than one step beyond); with neither, the defaults of both.

    With `steps` alone the result does not depend on the clock. Once the encoder has answered, cancelling ends the work
    with the best codes so far and the warning "cancelled"; before that it raises Cancelled.
    """
    cancel.raise_if_cancelled()
    seconds, steps = options.seconds, options.steps
    if seconds is None and steps is None:
        seconds, steps = DEFAULT_SECONDS, DEFAULT_STEPS
    objective = ImageObjective(models, as_target(models, crop))
    clock = _Budget(seconds, steps)

    passes = encoder_passes(models, objective)
    start = next(passes)
    yield clock.record(start.image, None)
    for _ in range(1, DEFAULT_PASSES):
        if cancel.cancelled or clock.out_of_time:
            break
        start = min(start, next(passes), key=lambda candidate: candidate.loss)

    refinement = _Refinement(models, objective, start)
    best = refinement.start
    while not (cancel.cancelled or clock.spent):
        candidate = refinement.step(LEARNING_RATE * _schedule(clock.share))
        clock.step += 1
        if candidate.loss < best.loss:
            best = candidate
        if clock.preview_due:
            yield clock.record(best.image, best.loss)

    result = measured(
        models,
        crop,
        best.w_plus,
        method="encoder-refine",
        seconds=clock.elapsed_sec,
        steps=clock.step,
        seed=options.seed,
        warnings=(CANCELLED,) if cancel.cancelled and not clock.spent else (),
    )
    yield InversionProgress(_STAGE, clock.step, steps, clock.elapsed_sec, best.loss, result.reconstruction, result)


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
            prior = TYPICAL_WEIGHT * float(self._prior.distance(self._origin))
        self.start = dataclasses.replace(start, loss=start.loss + prior)
        """Where the refinement starts, with the full loss."""
        self._x.requires_grad_(True)
        self._optimiser = torch.optim.Adam([self._x], betas=BETAS)

    def step(self, learning_rate: float) -> Candidate:
        """Makes one step; returns the codes it started from, with their picture and full loss."""
        # Whatever mode the caller is in, and whatever thread it is: gradients are on here.
        with torch.inference_mode(False), torch.enable_grad():
            w_plus = self._origin + self._prior.unwhitened(self._x)
            image = synthesise(self._models, w_plus)
            near, typical = self._x.square().mean(), self._prior.distance(w_plus)
            loss = self._objective(image) + NEAR_WEIGHT * near + TYPICAL_WEIGHT * typical
            (self._x.grad,) = torch.autograd.grad(loss.sum(), [self._x])
            self._optimiser.param_groups[0]["lr"] = learning_rate
            self._optimiser.step()
        return Candidate(w_plus.detach(), image.detach(), float(loss.detach()))


class _Budget:
    """Seconds and steps that are left, and when the next preview is due."""

    def __init__(self, seconds: float | None, steps: int | None) -> None:
        self._seconds, self._steps = seconds, steps
        self._started = self._previewed = time.perf_counter()
        self.step = 0
        """Steps done."""

    @property
    def elapsed_sec(self) -> float:
        return time.perf_counter() - self._started

    @property
    def share(self) -> float:
        """How much of the budget is used, 0..1."""
        by_steps = self.step / self._steps if self._steps else 0.0
        by_time = self.elapsed_sec / self._seconds if self._seconds else 0.0
        return min(1.0, max(by_steps, by_time))

    @property
    def out_of_time(self) -> bool:
        """Whether more than half of one more step would lie beyond the end."""
        half_step_sec = self.elapsed_sec / (2 * self.step) if self.step else 0.0
        return self._seconds is not None and self.elapsed_sec + half_step_sec >= self._seconds

    @property
    def spent(self) -> bool:
        return self.out_of_time or (self._steps is not None and self.step >= self._steps)

    @property
    def preview_due(self) -> bool:
        return time.perf_counter() - self._previewed >= PREVIEW_PERIOD_SEC

    def record(self, image: Tensor, loss: float | None) -> InversionProgress:
        """A record with a preview, from which the time to the next one counts."""
        self._previewed = time.perf_counter()
        return InversionProgress(_STAGE, self.step, self._steps, self.elapsed_sec, loss, to_uint8(image)[0])


def _schedule(share: float) -> float:
    """Linear warm-up, then a cosine to zero."""
    if share < WARM_UP:
        return (share + 0.01) / (WARM_UP + 0.01)
    return 0.5 + 0.5 * math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP))
