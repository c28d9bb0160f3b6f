"""Rare attributes: what they weigh in a loss, and the accuracy that counts both kinds of error alike."""

from __future__ import annotations

import numpy as np
from torch import Tensor

__all__ = ["balanced_accuracies", "positive_weights"]


def positive_weights(labels: Tensor, *, power: float = 1.0, least: float = 0.1) -> Tensor:
    """Cross-entropy weights [K] of the positives of `labels` [N, K]: (negatives per positive)^power, from `least` to 10."""
    share = labels.float().mean(0).clamp(1e-6, 1 - 1e-6)
    return ((1 - share) / share).pow(power).clamp(least, 10)


def balanced_accuracies(logits: Tensor, labels: np.ndarray) -> np.ndarray:
    """Balanced accuracy [K] of logits [N, K] at 0; NaN where `labels` bool [N, K] has one class only."""
    predicted = logits.numpy() > 0
    with np.errstate(invalid="ignore"):
        sensitivity = (predicted & labels).sum(0) / labels.sum(0)
        specificity = (~predicted & ~labels).sum(0) / (~labels).sum(0)
    return (sensitivity + specificity) / 2
