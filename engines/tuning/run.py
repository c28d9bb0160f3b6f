"""The course of every tuning: codes first, then the weights, with previews, a budget, cancelling and the best so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engines.core.errors import Cancelled
from engines.core.progress import CancelToken
from engines.generators.stylegan2.synthesis import Trunk
from engines.imaging.convert import to_uint8
from engines.inversion import project, refine
from engines.inversion.measure import measured
from engines.inversion.models import as_target, device_of
from engines.inversion.optimisers.budget import Budget, Part
from engines.inversion.optimisers.follow import until
from engines.inversion.optimisers.problem import gradients
from engines.inversion.options import InversionOptions
from engines.inversion.result import CANCELLED, Inversion, InversionProgress
from engines.inversion.transforms import Transform, transform_masks
from engines.losses.masked import masked_mse, rectangle_mask
from engines.tuning.models import TuningModels
from engines.tuning.trainee import Trainee, tunable_names
from engines.tuning.whitening import whitening_of

__all__ = ["PIVOT_STEPS", "TARGET_MSE", "Look", "Recipe", "Task", "Tuner", "tune"]

PIVOT_STEPS = refine.DEFAULT_STEPS
"""Steps of encoder-refine for the codes: they bring most of what codes can; what is left is what the weights are tuned for."""
PIVOT_SHARE = 0.2
"""The codes' share of a budget in seconds or evaluations."""
PLACED_STEPS, PLACED_SHARE = 120, 0.5
"""The same where a transform of the picture is searched with the codes: gradient steps, of whole populations at first."""
TARGET_MSE = 2.5e-4
"""Where tuning ends before its budget does: about 2 grey levels, less than a photograph's own noise and compression."""
_FINDING = "Finding the code"
_STUDYING = "Studying the generator"


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be tuned to what."""

    models: TuningModels
    trainee: Trainee
    target: Tensor
    """The crop, or T(crop) where a transform T was found, [1, 3, R, R]."""
    weight_map: Tensor | None
    """[1, 1, R, R]: 1 inside the mask, the option's weight outside, 0 beyond the crop; None without mask and transform."""
    w_plus: Tensor
    """The pivot: codes [1, L, D] that stay as they are."""
    code_mse: float
    """Mean squared error of the untuned generator's picture of them."""
    seed: int

    @cached_property
    def _trunk(self) -> Trunk | None:
        return self.trainee.trunk(self.w_plus)

    def picture(self) -> Tensor:
        """G(w*) [1, 3, R, R] by the weights as they are now, differentiable."""
        return self.trainee.picture(self.w_plus, trunk=self._trunk)

    @property
    def mask(self) -> Tensor:
        """The weight map, of ones where there is none."""
        return torch.ones_like(self.target[:, :1]) if self.weight_map is None else self.weight_map


@dataclass(frozen=True, eq=False)
class Look:
    """What the weights are worth, before an update changes them."""

    image: Tensor
    """G(w*), [1, 3, R, R]."""
    loss: Tensor
    """What the next update minimises at w*, a scalar that gradients flow from."""
    score: Tensor
    """What weights are compared by, a scalar: the smallest is the best."""


class Tuner(Protocol):
    """A way of tuning: looks and updates take turns."""

    def look(self) -> Look: ...
    def update(self, look: Look, share: float) -> int:
        """Changes the weights after a look, with `share` of the budget used, 0..1. Returns the further pictures it made."""

    def settings(self) -> Mapping[str, Any]:
        """JSON of what decided the result."""


@dataclass(frozen=True)
class Recipe:
    """A row of the table of tuning methods."""

    id: str
    stage: str
    """What the user is told is being done."""
    seconds: float
    steps: int
    """The budget of a run that is given none: whichever ends first."""
    tuner: Callable[[Task], Tuner]
    whitened: bool = False
    """Whether descent moves weights in the coordinates of :mod:`engines.tuning.whitening`."""


def tune(
    models: TuningModels, crop: np.ndarray, options: InversionOptions, cancel: CancelToken, *, recipe: Recipe
) -> Iterator[InversionProgress]:
    """Codes by encoder-refine, then updates of the weights until the budget ends or the error falls below TARGET_MSE.

    With a transform of the picture (Huh et al. 2020, Eq. 6 has it beside codes and weights) codes and transform come from the
    search of method ``adam``, and the weights are tuned to the picture as it is then placed.
    `steps` counts updates; the codes take PIVOT_STEPS of their own. Without `seconds` the result does not depend on the
    clock. Cancelling ends the work with the best so far (before the first update that is the codes alone) and the warning
    "cancelled"; before any codes were found it raises Cancelled.
    """
    cancel.raise_if_cancelled()
    budget = _budget(options, recipe)
    pivot = None
    for record in _pivots(models, crop, options, budget, cancel):
        pivot = record.result
        yield InversionProgress(_FINDING, 0, budget.steps, budget.elapsed_sec, record.loss, record.preview, share=budget.share)
    budget.count(steps=0, evaluations=pivot.evaluations)

    if recipe.whitened:
        # The first time for a generator it takes some seconds.
        yield InversionProgress(_STUDYING, 0, budget.steps, budget.elapsed_sec, record.loss, record.preview, share=budget.share)
    task = _task(models, crop, options, pivot, cancel, whitened=recipe.whitened)
    with gradients():
        tuner, best, part = recipe.tuner(task), _Best(task), Part(budget)
    while True:
        with gradients():
            look = tuner.look()
        budget.count(steps=0, evaluations=1)
        best.see(look, budget.evaluated)
        if cancel.cancelled or budget.spent or best.mse <= TARGET_MSE:
            break
        with gradients():
            further = tuner.update(look, part.share)
        budget.count(steps=1, evaluations=further)
        if budget.preview_due:
            budget.previewed()
            yield InversionProgress(
                recipe.stage, budget.step, budget.steps, budget.elapsed_sec, best.loss, best.picture, share=budget.share
            )
    task.trainee.restore()

    stopped = cancel.cancelled and not budget.spent and best.mse > TARGET_MSE
    result = measured(
        models,
        crop,
        task.w_plus,
        method=recipe.id,
        seconds=budget.elapsed_sec,
        steps=budget.step,
        seed=options.seed,
        warnings=(CANCELLED,) if stopped else (),
        evaluations=budget.evaluated,
        losses=until(best.curve, budget.evaluated),
        settings={**budget.settings(), **tuner.settings(), **_noted(options), "code_mse": pivot.mse},
        transform=_transform(pivot),
        mask=options.mask,
        weight_differences=task.trainee.differences(task.w_plus),
    )
    yield InversionProgress(
        recipe.stage, budget.step, budget.steps, budget.elapsed_sec, best.loss, result.reconstruction, result
    )


class _Best:
    """The best weights so far; the trainee keeps them."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._mask = task.mask
        self._image: Tensor | None = None
        self.loss = self.mse = float("inf")
        self.curve: list[tuple[int, float]] = []
        """(evaluations until then, score) at every improvement."""

    def see(self, look: Look, evaluations: int) -> None:
        loss = float(look.score.detach())
        if not loss < self.loss:
            return
        self._task.trainee.keep()
        self._image, self.loss = look.image.detach(), loss
        self.mse = float(masked_mse(self._image, self._task.target, self._mask))
        self.curve.append((evaluations, loss))

    @property
    def picture(self) -> np.ndarray:
        """uint8 [R, R, 3]."""
        return to_uint8(self._image)[0]


def _budget(options: InversionOptions, recipe: Recipe) -> Budget:
    if options.seconds is None and options.steps is None and options.evaluations is None:
        return Budget(recipe.seconds, recipe.steps)
    return Budget(options.seconds, options.steps, options.evaluations)


def _pivots(
    models: TuningModels, crop: np.ndarray, options: InversionOptions, budget: Budget, cancel: CancelToken
) -> Iterator[InversionProgress]:
    """The search for the codes, and for the transform if one is asked for, within its part of the budget."""
    placed = options.transform != "none"
    steps, share = (PLACED_STEPS, PLACED_SHARE) if placed else (PIVOT_STEPS, PIVOT_SHARE)
    seconds = None if budget.seconds is None else share * budget.seconds
    evaluations = None if budget.evaluations is None else max(1, int(share * budget.evaluations))
    if not placed:
        return refine.run(models, crop, InversionOptions(seconds, steps, evaluations, options.seed), cancel)
    searched = dataclasses.replace(options, seconds=seconds, steps=steps, evaluations=evaluations)
    return project.run(models, crop, searched, cancel, method=project.ADAM)


def _transform(pivot: Inversion) -> Transform | None:
    return None if pivot.transform is None else Transform.from_json(pivot.transform)


def _noted(options: InversionOptions) -> dict[str, Any]:
    return {"outside_weight": options.outside_weight, "transform": options.transform}


def _task(
    models: TuningModels,
    crop: np.ndarray,
    options: InversionOptions,
    pivot: Inversion,
    cancel: CancelToken,
    *,
    whitened: bool,
) -> Task:
    device = device_of(models)
    transform, weight_map = _transform(pivot), None
    if options.mask is not None or transform is not None:
        weight_map = rectangle_mask(options.mask, crop.shape[0], options.outside_weight).to(device)
    # Whatever mode the caller is in: what gradients flow through may not be an inference tensor.
    with torch.inference_mode(False), torch.no_grad():
        w_plus = torch.from_numpy(pivot.w_plus.copy())[None].to(device)
        target = as_target(models, crop)
        if transform is not None:
            target, weight_map = transform.apply(target), transform_masks(weight_map, [transform])
        whitening = _whitening(models.generator, cancel) if whitened else None
        return Task(models, Trainee(models.generator, whitening), target, weight_map, w_plus, pivot.mse, options.seed)


def _whitening(generator: nn.Module, cancel: CancelToken) -> Mapping[str, Tensor] | None:
    """None where it is cancelled: then no update follows that would use it."""
    try:
        return whitening_of(generator, tunable_names(generator), cancel)
    except Cancelled:
        return None
