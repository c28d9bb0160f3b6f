"""One Latent Wasserstein map: transport of the codes of one side of an attribute to the other (Doubinsky et al. 2023).

    L = W(mu'_s, mu_t) + lambda * W_F(mu'_s, mu_s)                                                          (Eq. 4, 5)

mu_s and mu_t are the weighted codes without and with what the edit brings, mu'_s the moved ones, W the Sinkhorn divergence
with cost 1/2 ||x - y||^2 between codes and W_F the one between the scaled outputs of the latent classifier.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engines.core.rng import numpy_generator, torch_generator
from engines.losses.sinkhorn import attribute_features, sinkhorn_divergence
from engines.training.common import set_learning_rate
from engines.training.map_forms import FreeForm, MapForm, MlpForm, SharedForm

__all__ = ["Cloud", "CodeSpace", "FittedMap", "LwOptions", "TransportSpace", "fit_map"]

_BLOCK = 1024
"""Codes at a time where all of them are gone through: 38 MB of the largest ones, 18 x 512, in float32."""


@dataclass(frozen=True)
class LwOptions:
    """How a map is trained. `engines.training.lw_recipe` makes the paper's own setting from its option ``--paper``."""

    steps: int = 40
    batch: int = 384
    """Most samples of a side in a step; 0 is all of the smaller side, as in the paper."""
    learning_rate: float = 0.01
    preservation: float = 1.0
    """lambda of the attribute cost."""
    rank: int = 12
    """Inner size of the finished map's layers. A map that is fitted in larger matrices is cut to it, and judged so."""
    map_components: int = 12
    """Leading principal components that the map reads and changes; 0 is a free matrix for every layer, as in the paper."""
    hidden: int = 0
    """Hidden units beside the affine part (:mod:`engines.editing.mlp_maps`); 0 for the paper's affine map."""
    components: int = 16
    """Leading principal components in which codes are compared; 0 compares the codes themselves."""
    whitening: float = 0.5
    """0 keeps the components' variances, 1 makes them equal, between: variance^(1 - whitening)."""
    blur: float = 0.5
    """Entropic scale, as a share of the root-mean-square distance of a code from the mean."""
    own_units: bool = True
    """Measure codes and attributes each in units of their spread, so that lambda and blur mean the same for every pack."""
    input_noise: float = 0.5
    """Noise on what the map sees, in standard deviations of the codes: keeps maps calm away from the training codes."""
    calm: float = 0.3
    """Weight of the variance of the changes that a map makes: what the codes do not call for stays a plain shift."""
    stay: float = 0.0
    """Weight of the mean squared change of a code, in units of the codes' variance: many changes paint the same picture, and a
    cost between pictures takes any of them."""
    decay: float = 1.0
    """Learning rates at the last step as a share of those at the first; on the way they fall by the same factor every step."""
    shift_rate: float = 0.1
    """Learning rate of the shift, as a share of the matrix's."""
    check_steps: int = 10
    patience_checks: int = 4
    early_stopping: bool = True
    """Stop when the held-out loss falls no longer and keep the map where it was least; without, the map after the last step."""


@dataclass(frozen=True)
class Cloud:
    """Weighted codes: one side of an attribute."""

    codes: Tensor
    """[n, L, D], float32, or float16 for half the memory, also mapped from a file; what a step needs is made float32."""
    weights: np.ndarray
    """float64 [n], sum 1"""
    classes: np.ndarray | None = None
    """int64 [n]: transport stays within a class; None where there are none."""

    def mean(self) -> Tensor:
        """Weighted mean [L, D], float32."""
        blocks = zip(torch.from_numpy(self.weights).float().split(_BLOCK), self.codes.split(_BLOCK), strict=True)
        total = torch.zeros(self.codes.shape[1:])
        for weights, codes in blocks:
            total += torch.einsum("n,nld->ld", weights, codes.float())
        return total


@dataclass(frozen=True)
class FittedMap:
    """One map, and how it came about."""

    parameters: dict[str, Tensor]
    """Its part of every parameter of the family that holds it, without the axes for attribute and direction."""
    steps: int
    best_step: int
    initial_loss: float
    best_loss: float


class CodeSpace(Protocol):
    """Coordinates of codes in which half the squared distance is the transport cost."""

    mean: Tensor
    """[L, D], what maps count from."""
    unit: Tensor
    """[]: cost times unit squared is the cost in units of the codes."""

    def __call__(self, codes: Tensor) -> Tensor:
        """Coordinates [n, c] of codes [n, L, D], of mean squared norm 1 over the training codes."""
        ...


class TransportSpace:
    """Linear coordinates of codes in which the transport cost is measured; a code's mean squared norm there is 1.

    `unit` is what the coordinates were divided by.
    """

    def __init__(self, mean: Tensor, factors: Tensor, *, components: int, whitening: float) -> None:
        """mean [L, D]; factors [r, L*D] with F^T F the covariance of the flattened codes, rows orthogonal (pack statistics).

        components: leading principal components that count; 0 keeps the codes as they are, but for their unit.
        whitening: a component of variance v enters with variance v^(1 - whitening).
        """
        self.mean = mean
        variance = factors.square().sum(1)  # [r]
        self._projection: Tensor | None = None
        self.unit = variance.sum().sqrt()
        if components:
            kept = variance[:components]
            axes = factors[:components] / kept.sqrt()[:, None]
            self._projection = (axes * kept.pow(-whitening / 2)[:, None]).T  # [L*D, c]
            self.unit = kept.pow(1 - whitening).sum().sqrt()

    def __call__(self, codes: Tensor) -> Tensor:
        """Coordinates [n, c] of codes [n, L, D]."""
        flat = (codes - self.mean).flatten(1)
        return (flat if self._projection is None else flat @ self._projection) / self.unit


def fit_map(
    source: Cloud,
    target: Cloud,
    held_out: tuple[Cloud, Cloud],
    *,
    shift: Tensor,
    space: CodeSpace,
    factors: Tensor,
    classifier: Callable[[Tensor], Tensor],
    relevance: np.ndarray,
    options: LwOptions,
    seed: int,
    deadline: float | None = None,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> FittedMap:
    """The map that moves `source` to `target` and keeps what `relevance` [K] weighs.

    held_out: source and target for early stopping, which is on the whole loss; without it they are only reported on.
    shift: [L, D], the change that the map starts at.
    factors: [r, L*D], F^T F the covariance of the flattened codes.
    classifier: codes to logits [n, K]. seed: draws batches and noise.
    deadline: time.monotonic() at which to stop with the best so far.
    report: hears the step and its held-out loss at every check.
    """
    variance = float(factors.square().sum())
    form = _form(options, space.mean, factors, source, shift, seed)
    loss_of = _Loss(options, space, classifier, source, torch.from_numpy(relevance).float(), variance)
    noise_scale = options.input_noise * (variance / space.mean.numel()) ** 0.5
    moving = [p for p in form.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam({"params": [p], "rate_share": options.shift_rate if p is form.beta else 1.0} for p in moving)
    batches = _Batches(source, target, options.batch, seed)
    checks = [_largest(side, options.batch, seed) for side in held_out]
    with torch.no_grad():
        checked_goal = space(checks[1].codes)
    best_loss, best_step, best = float("inf"), 0, {}
    initial_loss = 0.0
    step = 0
    while True:
        if step % options.check_steps == 0:
            with torch.no_grad():
                held_out_loss = loss_of(form.cut(options.rank), *checks, goal=checked_goal).item()
            report(step, held_out_loss)
            initial_loss = held_out_loss if step == 0 else initial_loss
            if held_out_loss < best_loss or not options.early_stopping:
                best_loss, best_step = held_out_loss, step
                best = copy.deepcopy(form.state_dict())
            elif step - best_step >= options.patience_checks * options.check_steps:
                break
        if step == options.steps or (deadline is not None and time.monotonic() > deadline):
            break
        x, y = batches.at(step)
        noise = noise_scale * torch.randn(x.codes.shape, generator=torch_generator(seed, 3, step)) if noise_scale else None
        set_learning_rate(optimiser, options.learning_rate * options.decay ** (step / options.steps))
        loss = loss_of(form, x, y, noise=noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
    if options.early_stopping:
        form.load_state_dict(best)
    else:
        best_step = step
    return FittedMap(form.stored(options.rank), step, best_step, initial_loss, best_loss)


class _Loss:
    """The loss of a map on two clouds: Eq. 4 and 5, and what `options` add to them."""

    def __init__(
        self,
        options: LwOptions,
        space: CodeSpace,
        classifier: Callable[[Tensor], Tensor],
        source: Cloud,
        relevance: Tensor,
        variance: float,
    ) -> None:
        """relevance: [K], what Eq. 5 weighs; variance: of the codes, summed over their numbers."""
        self._options, self._space, self._classifier = options, space, classifier
        self._relevance, self._variance = relevance, variance
        self._attribute_unit = _attribute_unit(classifier, source, relevance)
        # A cost in the codes' own unit, times the unit squared, is the cost of the codes as they are.
        self._edit_weight = 1.0 if options.own_units else float(space.unit) ** 2
        self._keep_weight = options.preservation * (1.0 if options.own_units else float(self._attribute_unit) ** 2)

    def __call__(self, form: MapForm, x: Cloud, y: Cloud, *, noise: Tensor | None = None, goal: Tensor | None = None) -> Tensor:
        """A scalar. noise: [n, L, D], on what the map sees of x; goal: the coordinates of y, where they are known."""
        options, space = self._options, self._space
        change = form(x.codes if noise is None else x.codes + noise)
        moved = x.codes + change
        points = space(moved)
        loss = self._edit_weight * _transport(points, space(y.codes) if goal is None else goal, x, y, options.blur)
        if self._keep_weight:
            features = [self._features(codes) for codes in (moved, x.codes)]
            loss = loss + self._keep_weight * _divergence(*features, x.weights, x.weights, options.blur)
        if options.calm:
            effect = points - space(x.codes)
            loss = loss + options.calm * (effect - effect.mean(0)).square().sum(1).mean()
        if options.stay:
            loss = loss + options.stay * change.flatten(1).square().sum(1).mean() / self._variance
        return loss

    def _features(self, codes: Tensor) -> Tensor:
        return attribute_features(self._classifier(codes), self._relevance) / self._attribute_unit


def _form(options: LwOptions, mean: Tensor, factors: Tensor, source: Cloud, shift: Tensor, seed: int) -> MapForm:
    kept = factors[: options.map_components]
    if options.hidden:
        return MlpForm(mean, kept, shift, hidden=options.hidden, seed=seed)
    if options.map_components:
        return SharedForm(mean, kept.view(-1, *mean.shape), source.mean(), shift)
    return FreeForm(mean, shift)


def _transport(points: Tensor, goal: Tensor, x: Cloud, y: Cloud, blur: float) -> Tensor:
    """The divergence between the points of two clouds; with classes its mean over those that both have, by their mass in x.

    What one class becomes is another class otherwise: transport alone takes the nearest code, whatever it shows.
    """
    shared = [] if x.classes is None or y.classes is None else np.intersect1d(x.classes, y.classes)
    parts = []
    for number in shared:
        own, other = (np.flatnonzero(cloud.classes == number) for cloud in (x, y))
        share, weights = float(x.weights[own].sum()), (x.weights[own], y.weights[other])
        if share > 0 and weights[1].sum() > 0:
            places = points[torch.from_numpy(own)], goal[torch.from_numpy(other)]
            parts.append((share, _divergence(*places, *(each / each.sum() for each in weights), blur)))
    if not parts:
        return _divergence(points, goal, x.weights, y.weights, blur)
    return sum(share * each for share, each in parts) / sum(share for share, _ in parts)


def _divergence(x: Tensor, y: Tensor, x_weights: np.ndarray, y_weights: np.ndarray, blur: float) -> Tensor:
    a, b = (torch.from_numpy(w).to(x.dtype) for w in (x_weights, y_weights))
    # Clouds of unit spread: nearly all distances are below 4.
    return sinkhorn_divergence(x, y, x_weights=a, y_weights=b, blur=blur, diameter=4.0)


@torch.no_grad()
def _attribute_unit(classifier: Callable[[Tensor], Tensor], source: Cloud, weights: Tensor) -> Tensor:
    """Root-mean-square distance of the source's attribute features from their mean: their unit."""
    logits = torch.cat([classifier(codes.float()) for codes in source.codes.split(_BLOCK)])
    features = attribute_features(logits, weights)
    return (features - features.mean(0)).square().sum(1).mean().sqrt().clamp_min(1e-6)


def _part(cloud: Cloud, indices: np.ndarray) -> Cloud:
    weights = cloud.weights[indices]
    classes = None if cloud.classes is None else cloud.classes[indices]
    return Cloud(cloud.codes[torch.from_numpy(indices)].float(), weights / weights.sum(), classes)


def _largest(cloud: Cloud, count: int, seed: int) -> Cloud:
    """At most `count` samples of positive mass, drawn once; 0: all of them."""
    useful = np.flatnonzero(cloud.weights > 0)
    if 0 < count < len(useful):
        useful = numpy_generator(seed, 5).choice(useful, count, replace=False)
    return _part(cloud, useful)


class _Batches:
    """min(n_s, n_t, batch) samples of each side, in epochs without repetition; samples of no mass stay out.

    batch: 0 for min(n_s, n_t).
    """

    def __init__(self, source: Cloud, target: Cloud, batch: int, seed: int) -> None:
        self._sides = (source, target)
        self._useful = tuple(np.flatnonzero(side.weights > 0) for side in self._sides)
        smaller = min(len(u) for u in self._useful)
        self._count = min(batch or smaller, smaller)
        self._seed = seed

    def at(self, step: int) -> tuple[Cloud, Cloud]:
        x, y = (self._draw(side, step) for side in (0, 1))
        return x, y

    def _draw(self, side: int, step: int) -> Cloud:
        useful = self._useful[side]
        # The last batch of an epoch is dropped where it would be smaller than the others.
        per_epoch = len(useful) // self._count
        epoch, place = divmod(step, per_epoch)
        order = numpy_generator(self._seed, 7, side, epoch).permutation(useful)
        return _part(self._sides[side], order[place * self._count : (place + 1) * self._count])
