"""What one inversion method made of one set of pictures, and the figures of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.evaluation.inversion_runs import Outcome
from engines.evaluation.metrics import bootstrap_interval

__all__ = ["Trial", "with_ratios"]


@dataclass(frozen=True, eq=False)
class Trial:
    """One method on n pictures."""

    method: str
    outcomes: Sequence[Outcome]
    """[n]."""
    twice: np.ndarray = field(default_factory=lambda: np.empty(0))
    """[m] identity similarity of the reconstructions of two uploads of one picture."""
    seams: np.ndarray = field(default_factory=lambda: np.empty(0))
    """How much the border shows where reconstructions are blended into their photographs; empty for other pictures."""

    @property
    def mse(self) -> np.ndarray:
        """[n], on the scale [-1, 1]."""
        return self._column("mse")

    @property
    def tuned(self) -> bool:
        """Whether the method changes the generator."""
        return any(outcome.tuned for outcome in self.outcomes)

    def figures(self, *, seed: int) -> dict[str, Any]:
        """NaN for what was not measured."""
        mse, mean = self.mse, {name: float(self._column(name).mean()) for name in _AVERAGED}
        return {
            "mse_median": float(np.median(mse)),
            "mse_mean": float(mse.mean()),
            "mse_mean_interval": bootstrap_interval(mse, seed=seed),
            "mse_worst": float(mse.max()),
            "perceptual_mean": mean["perceptual"],
            "identity_mean": mean["identity"],
            "attributes_kept": mean["attributes_kept"],
            "twice_identity": float(self.twice.mean()) if len(self.twice) else math.nan,
            "twice_n": len(self.twice),
            "seam_worst": float(np.abs(self.seams).max()) if len(self.seams) else math.nan,
            "seconds_mean": mean["seconds"],
            "evaluations_mean": mean["evaluations"],
            "n": len(mse),
        }

    def _column(self, name: str) -> np.ndarray:
        """[n], None as NaN."""
        return np.array([getattr(outcome, name) for outcome in self.outcomes], float)


_AVERAGED = ("perceptual", "identity", "attributes_kept", "seconds", "evaluations")


def with_ratios(trials: Sequence[Trial], *, seed: int) -> dict[str, dict[str, Any]]:
    """{method: figures} of one set, each with `mse_to_best_fixed`: its mean error by the smallest of those that do not tune.

    The ratio is NaN where all methods tune the generator.
    """
    fixed = [float(trial.mse.mean()) for trial in trials if not trial.tuned]
    best = min(fixed, default=math.nan)
    figures = {}
    for trial in trials:
        own = trial.figures(seed=seed)
        ratio = own["mse_mean"] / best if best > 0 else math.nan
        figures[trial.method] = {**own, "mse_to_best_fixed": ratio}
    return figures
