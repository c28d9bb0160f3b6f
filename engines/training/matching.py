"""Directions that nobody labelled, matched to attributes by what they do to pictures.

GANSpace and SeFa find directions without labels and leave it to people to look at them. Here the image predictor looks: every
direction is tried on several ranges of style layers, and an attribute gets the candidate that changes it most beyond what it
changes on average of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.core.rng import torch_generator
from engines.editing.shared_maps import SharedMaps
from engines.generators.labels import random_labels
from engines.generators.stylegan2 import Generator
from engines.training.family_run import Material
from engines.training.sample_weights import implied_changes
from engines.training.trial import Trial

__all__ = ["Candidates", "MatchedFit", "best_candidate", "layer_ranges", "measured_effects", "sampled_w", "spread"]

_STEP = 2.0
"""Standard deviations that a candidate is moved either way when it is tried."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Directions in W+, each in units of a standard deviation of w along it."""

    changes: Tensor
    """[C, L, D]"""
    names: tuple[str, ...]
    """What each one is, for the log: ``component 3, layers 0-11``."""


def layer_ranges(layers: int) -> tuple[tuple[int, int], ...]:
    """(first, end) of all layers, and of the coarse, middle and fine third."""
    a, b = round(layers / 3), round(2 * layers / 3)
    return tuple(dict.fromkeys(r for r in ((0, layers), (0, a), (a, b), (b, layers)) if r[0] < r[1]))


def spread(directions: Tensor, what: str, layers: int, only: tuple[int, int] | None = None) -> Candidates:
    """Directions [C, D] put on the rows of every layer range, or on those of one."""
    changes, names = [], []
    for first, end in layer_ranges(layers) if only is None else (only,):
        placed = torch.zeros(len(directions), layers, directions.shape[1])
        placed[:, first:end] = directions[:, None]
        changes.append(placed)
        names += [f"{what} {number}, layers {first}-{end - 1}" for number in range(len(directions))]
    return Candidates(torch.cat(changes), tuple(names))


@torch.no_grad()
def sampled_w(generator: Generator, n: int, *, seed: int) -> Tensor:
    """w [n, D] of the generator, of classes drawn evenly where it has classes."""
    draw, config = torch_generator(seed, 71), generator.config
    z = torch.randn(n, config.z_dim, generator=draw)
    return generator.mapping(z, random_labels(n, config.class_count, draw))


def measured_effects(trial: Trial, candidates: Candidates, codes: int, report: Callable[[int], None]) -> np.ndarray:
    """What one unit of every candidate does to the predictor's logits, in their standard deviations over people: [C, K].

    Central differences at ``+-_STEP`` units on the first `codes` of the trial's codes.
    """
    shown = trial.codes[:codes]
    deviation = np.maximum(trial.before.std(axis=0), 1e-6)
    effects = []
    for number, change in enumerate(candidates.changes):
        report(number)
        logits = trial.logits(torch.cat([shown + _STEP * change, shown - _STEP * change]))
        effects.append((logits[: len(shown)] - logits[len(shown) :]).mean(axis=0) / (2 * _STEP * deviation))
    return np.array(effects)


def best_candidate(effects: np.ndarray, k: int, others: np.ndarray) -> tuple[int, float]:
    """(index, sign) of the candidate with the largest ``|effect on k| - mean |effect on the others|``; sign makes it add k.

    effects: [C, K]; others: bool [K].
    """
    strength = np.abs(effects)
    beside = strength[:, others].mean(axis=1) if others.any() else 0.0
    best = int(np.argmax(strength[:, k] - beside))
    return best, 1.0 if effects[best, k] >= 0 else -1.0


class MatchedFit:
    """The fit of GANSpace and SeFa: candidates are measured once, every attribute takes its best one."""

    most = 16.0

    def __init__(self, material: Material, candidates: Candidates, *, codes: int) -> None:
        if codes < 1:
            raise OptionError(f"--codes {codes}: at least one code is needed to see what a direction does.")
        self._material, self._candidates, self._codes = material, candidates, codes
        self._report: Callable[[int, float], None] = lambda step, loss: None

    @cached_property
    def _effects(self) -> np.ndarray:
        return measured_effects(self._material.trial, self._candidates, self._codes, lambda step: self._report(step, 0.0))

    def start(self) -> SharedMaps:
        return SharedMaps(self._material.attributes, *self._candidates.changes.shape[1:])

    def fit(
        self, family: SharedMaps, attribute: str, deadline: float | None, report: Callable[[int, float], None]
    ) -> dict[str, Any]:
        self._report = report
        train = self._material.train
        k = train.attributes.index(attribute)
        others = ~(implied_changes(train.labels, k, "add") | implied_changes(train.labels, k, "remove"))
        others[k] = False
        best, sign = best_candidate(self._effects, k, others)
        family.bias.data[family.attributes.index(attribute)] = sign * self._candidates.changes[best]
        return {"candidate": self._candidates.names[best], "effect": float(abs(self._effects[best, k]))}
