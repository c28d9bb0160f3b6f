"""How strong an edit must be to count as "changed": the image predictor's answer after synthesis decides.

A latent classifier can be fooled by codes whose picture did not change; the predictor that looks at the picture is what a
user would agree with. It has to be about as sure as it is of pictures that have the attribute (or lack it) unedited: at
logit 0 glasses are rings of shadow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["Calibration", "ImageResponse", "Response", "answers", "bar", "calibrate"]

_BATCH = 24
# Preservation counts twice: a slightly weaker edit is better than one that takes other things along.
_PRESERVATION_POWER = 2


@dataclass(frozen=True)
class Response:
    """What a strength does to held-out codes."""

    change: float
    """Share whose prediction of the edited attribute flips."""
    preservation: float
    """Mean share of the other attributes whose prediction stays."""
    sureness: float = 1.0
    """How sure the typical prediction is on the other side: its logit's share of the bar there, 0 to 1."""


@dataclass(frozen=True)
class Calibration:
    """The chosen strength and what was seen there."""

    scale: float
    change: float
    preservation: float
    tried: int


def calibrate(
    respond: Callable[[float], Response],
    *,
    target: float = 0.9,
    least: float = 0.25,
    most: float = 4.0,
    halvings: int = 2,
) -> Calibration:
    """The strength that becomes slider 1.0.

    respond: a strength in [least, most] to its response; change is taken to grow with strength.
    Doubles or halves from 1 until the share `target` lies between two strengths, then halves the interval (in logarithms)
    `halvings` times; where the predictor is not sure enough, its share counts for less. Of all strengths tried the one
    with the highest ``min(change * sureness / target, 1) * preservation^2`` wins, the weaker one of equals: beyond the
    target more strength only costs preservation, and an attribute that never gets there stops where the cost exceeds the
    gain.
    """
    seen: dict[float, Response] = {}

    def share(strength: float) -> float:
        return seen[strength].change * seen[strength].sureness / target

    def reaches(strength: float) -> bool:
        seen[strength] = respond(strength)
        return share(strength) >= 1

    low, high = 1.0, 1.0
    if reaches(1.0):
        while low > least:
            high, low = low, max(least, low / 2)
            if not reaches(low):
                break
    else:
        while high < most:
            low, high = high, min(most, high * 2)
            if reaches(high):
                break
    for _ in range(halvings):
        middle = (low * high) ** 0.5
        if middle in (low, high):
            break
        low, high = (low, middle) if reaches(middle) else (middle, high)

    def value(strength: float) -> float:
        return min(share(strength), 1.0) * seen[strength].preservation ** _PRESERVATION_POWER

    chosen = max(sorted(seen), key=value)
    return Calibration(chosen, seen[chosen].change, seen[chosen].preservation, len(seen))


class ImageResponse:
    """Response of held-out codes to one edit, by the image predictor's logits."""

    def __init__(
        self,
        edited_logits: Callable[[float], np.ndarray],
        *,
        k: int,
        others: np.ndarray,
        before: np.ndarray,
        bar: float = 0.0,
    ) -> None:
        """edited_logits: a strength to the logits [n, K] of the edited pictures.

        k: the edited attribute; others: bool [K], the attributes that should stay; before: [n, K], the logits of the
        unedited codes, of one sign in column k; bar: the logit to reach on the other side, in the median; 0 for any.
        """
        self._edited_logits = edited_logits
        self._k, self._others, self._before, self._bar = k, np.asarray(others, bool), np.asarray(before), bar

    def __call__(self, strength: float) -> Response:
        after = self._edited_logits(strength)
        same = (after > 0) == (self._before > 0)
        kept = same[:, self._others].mean() if self._others.any() else 1.0
        there = np.where(same[:, self._k], -1, 1) * np.abs(after[:, self._k])
        sureness = min(1.0, max(0.0, float(np.median(there))) / self._bar) if self._bar > 0 else 1.0
        return Response(float((~same[:, self._k]).mean()), float(kept), sureness)


def bar(logits: np.ndarray, direction: str, certainty: float) -> float:
    """How far from 0 the share `certainty` of the answers on the side that an edit goes to stays back; 0 without answers.

    logits: [n] of unedited pictures; direction: "add" goes above 0, "remove" below; certainty: 0 to 1, 0 for any answer.
    """
    there = logits[logits > 0] if direction == "add" else -logits[logits <= 0]
    return float(np.quantile(there, certainty)) if certainty > 0 and len(there) else 0.0


@torch.inference_mode()
def answers(codes: Tensor, synthesis: Callable[[Tensor], Tensor], predictor: Callable[[Tensor], Tensor]) -> np.ndarray:
    """The predictor's logits [n, K] on the pictures of codes [n, L, D]."""
    parts = [predictor(synthesis(codes[i : i + _BATCH]).clamp(-1, 1)) for i in range(0, len(codes), _BATCH)]
    return torch.cat(parts).float().numpy()
