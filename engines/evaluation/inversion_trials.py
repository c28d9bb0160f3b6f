"""What one inversion method made of one set of pictures, and the figures of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.evaluation.inversion_runs import Result
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import attribute_preservation, bootstrap_interval, squared_difference

__all__ = ["Trial", "with_ratios"]


@dataclass(frozen=True, eq=False)
class Trial:
    """One method on n pictures."""

    method: str
    crops: np.ndarray
    """uint8 [n, R, R, 3]: the pictures."""
    reconstructions: np.ndarray
    """uint8 [n, R, R, 3]."""
    mse: np.ndarray
    """[n], on the scale [-1, 1]."""
    seconds: np.ndarray
    evaluations: np.ndarray
    """[n] pictures that the generator made for each."""
    tuned: bool
    """Whether the method changes the generator."""
    twice: np.ndarray = field(default_factory=lambda: np.empty(0))
    """[m] identity similarity of the reconstructions of two uploads of one picture."""
    seams: np.ndarray = field(default_factory=lambda: np.empty(0))
    """[n] how much the border shows where the reconstruction is blended into its photograph; empty for other pictures."""

    @classmethod
    def of(cls, method: str, crops: np.ndarray, results: Iterable[Result]) -> Trial:
        efforts, reconstructions = zip(*results, strict=True)
        made = np.array(reconstructions)
        seconds, evaluations = (np.array([getattr(effort, name) for effort in efforts]) for name in ("seconds", "evaluations"))
        tuned = any(effort.tuned for effort in efforts)
        return cls(method, crops, made, squared_difference(crops, made), seconds, evaluations, tuned)

    def figures(self, judges: Judges, *, seed: int) -> dict[str, Any]:
        before, after = (judges.probabilities(pictures) for pictures in (self.crops, self.reconstructions))
        kept = attribute_preservation(before, after, np.ones(before.shape[1], bool))
        return {
            "mse_median": float(np.median(self.mse)),
            "mse_mean": float(self.mse.mean()),
            "mse_mean_interval": bootstrap_interval(self.mse, seed=seed),
            "mse_worst": float(self.mse.max()),
            "perceptual_mean": float(judges.perceptual(self.crops, self.reconstructions).mean()),
            "identity_mean": float(judges.identity_similarity(self.crops, self.reconstructions).mean()),
            "attributes_kept": float(kept.mean()),
            "twice_identity": float(self.twice.mean()) if len(self.twice) else math.nan,
            "twice_n": len(self.twice),
            "seam_worst": float(np.abs(self.seams).max()) if len(self.seams) else math.nan,
            "seconds_mean": float(self.seconds.mean()),
            "evaluations_mean": float(self.evaluations.mean()),
            "n": len(self.mse),
        }


def with_ratios(judges: Judges, trials: Sequence[Trial], *, seed: int) -> dict[str, dict[str, Any]]:
    """{method: figures} of one set, each with `mse_to_best_fixed`: its mean error by the smallest of those that do not tune.

    The ratio is NaN where all methods tune the generator.
    """
    fixed = [float(trial.mse.mean()) for trial in trials if not trial.tuned]
    best = min(fixed, default=math.nan)
    figures = {}
    for trial in trials:
        own = trial.figures(judges, seed=seed)
        ratio = own["mse_mean"] / best if best > 0 else math.nan
        figures[trial.method] = {**own, "mse_to_best_fixed": ratio}
    return figures
