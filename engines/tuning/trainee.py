"""The generator while it is tuned: a private copy of the weights that may change, and the best of them so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from engines.generators.stylegan2.synthesis import Trunk
from engines.generators.weight_differences import differences_between, halved, separated, tuned
from engines.imaging.convert import to_uint8

__all__ = ["Trainee", "tunable_names"]

TUNED_LEVELS = 3
"""How many resolutions are tuned, from the finest down."""


def tunable_names(generator: nn.Module) -> list[str]:
    """Parameters of the synthesis network's finest blocks.

    What the coarse ones paint (shape, pose, what edits mostly change) stays, and with it most of what other codes paint; the
    fine ones can still paint any picture over it. Biases and the strengths of the noise stay too: what they paint, they paint
    over every other picture alike.
    """
    finest = tuple(f"b{resolution}." for resolution in _tuned_resolutions(generator))
    named = (name for name, _ in generator.synthesis.named_parameters())
    return [f"synthesis.{name}" for name in named if name.startswith(finest) and name.endswith(".weight")]


def _tuned_resolutions(generator: nn.Module) -> tuple[int, ...]:
    return generator.config.resolutions[-TUNED_LEVELS:]


class Trainee:
    """A copy of `base` whose synthesis weights take gradients; everything else is shared with it.

    whitening: P by a weight's name; descent then moves V in ``theta = theta_0 + V P`` (:mod:`engines.tuning.whitening`). A
    weight without one is moved itself.
    """

    def __init__(self, base: nn.Module, whitening: Mapping[str, Tensor] | None = None) -> None:
        self.base = base
        self._names = tunable_names(base)
        self.generator = separated(base, self._names)
        self.weights = [self.generator.get_parameter(name).requires_grad_(True) for name in self._names]
        self._origins = [base.get_parameter(name) for name in self._names]
        self.coordinates = [torch.zeros_like(weight) for weight in self.weights]
        """V of every weight."""
        self._whitening = [(whitening or {}).get(name) for name in self._names]
        self._best = [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def trunk(self, w_plus: Tensor, dtype: torch.dtype = torch.float32) -> Trunk | None:
        """What the blocks that are not tuned make of codes [N, L, D], for as many pictures of them as are wanted."""
        coarsest = _tuned_resolutions(self.base)[0]
        return self.base.synthesis.trunk(w_plus, coarsest, dtype=dtype) if coarsest > self.base.config.resolutions[0] else None

    def picture(self, w_plus: Tensor, dtype: torch.dtype = torch.float32, *, trunk: Trunk | None = None) -> Tensor:
        """Image [N, 3, R, R] of codes [N, L, D] by the weights as they are now, differentiable."""
        return self.generator.synthesis(w_plus, noise_mode="const", dtype=dtype, trunk=trunk)

    @torch.no_grad()
    def base_picture(self, w_plus: Tensor, dtype: torch.dtype = torch.float32, *, trunk: Trunk | None = None) -> Tensor:
        """The same by the untuned generator."""
        return self.base.synthesis(w_plus, noise_mode="const", dtype=dtype, trunk=trunk)

    def pulled_back(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Gradients with respect to the coordinates, of those with respect to the weights."""
        return [_times(gradient, p) for gradient, p in zip(gradients, self._whitening, strict=True)]

    @torch.no_grad()
    def follow(self) -> None:
        """Sets the weights to what the coordinates say."""
        for weight, origin, v, p in zip(self.weights, self._origins, self.coordinates, self._whitening, strict=True):
            weight.copy_(origin + _times(v, p))

    def distance(self) -> Tensor:
        """``||theta - theta_0||_2`` over all weights that may change, a scalar; its gradient at theta_0 is 0."""
        squares = [(w - o).square().sum() for w, o in zip(self.weights, self._origins, strict=True)]
        # The root's slope is infinite at 0, where tuning starts: there it is cut off.
        return torch.stack(squares).sum().clamp_min(1e-12).sqrt()

    @torch.no_grad()
    def keep(self) -> None:
        """Notes the weights as they are now as the best so far."""
        for best, weight in zip(self._best, self.weights, strict=True):
            best.copy_(weight)

    @torch.no_grad()
    def restore(self) -> None:
        """Goes back to the best weights: those last kept, or the untuned ones."""
        for best, weight in zip(self._best, self.weights, strict=True):
            weight.copy_(best)

    @torch.no_grad()
    def differences(self, w_plus: Tensor) -> dict[str, np.ndarray]:
        """Differences of the weights as they are now from the untuned ones.

        In float16 where that is exact enough: no colour of the picture of codes [1, L, D] may move by more than a grey level.
        """
        exact = differences_between(self.generator, self.base, self._names)
        half = halved(exact)
        pictures = [
            to_uint8(tuned(self.base, differences).synthesis(w_plus, noise_mode="const")).astype(np.int16)
            for differences in (exact, half)
        ]
        return half if np.abs(pictures[0] - pictures[1]).max() <= 1 else exact


def _times(matrix: Tensor, p: Tensor | None) -> Tensor:
    """``matrix P`` over all axes but the first; P is symmetric, None is the identity."""
    return matrix if p is None else (matrix.flatten(1) @ p).view_as(matrix)
