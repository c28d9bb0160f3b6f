"""How strong an edit must be to count as "changed": the image predictor's answer after synthesis decides.

A latent classifier can be fooled by codes whose picture did not change; the predictor that looks at the picture is what a
user would agree with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["Calibration", "ImageResponse", "Response", "calibrate", "predictions"]

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
    `halvings` times. Of all strengths tried the one with the highest ``min(change / target, 1) * preservation^2`` wins,
    the weaker one of equals: beyond the target more strength only costs preservation, and an attribute that never gets
    there stops where the cost exceeds the gain.
    """
    seen: dict[float, Response] = {}

    def reaches(strength: float) -> bool:
        seen[strength] = respond(strength)
        return seen[strength].change >= target

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
        response = seen[strength]
        return min(response.change / target, 1.0) * response.preservation**_PRESERVATION_POWER

    chosen = max(sorted(seen), key=value)
    return Calibration(chosen, seen[chosen].change, seen[chosen].preservation, len(seen))


class ImageResponse:
    """Response of held-out codes [n, L, D] to one map, by synthesis and image prediction."""

    def __init__(
        self,
        codes: Tensor,
        change: Callable[[Tensor], Tensor],
        synthesis: Callable[[Tensor], Tensor],
        predictor: Callable[[Tensor], Tensor],
        *,
        k: int,
        others: np.ndarray,
        before: np.ndarray,
    ) -> None:
        """change: codes to H(codes); synthesis: codes to images; predictor: images to logits [n, K].

        k: the edited attribute; others: bool [K], the attributes that should stay; before: bool [n, K], the predictions
        for the unedited codes, all alike in column k.
        """
        self._codes, self._change = codes, change(codes)
        self._picture, self._predict = synthesis, predictor
        self._k, self._others, self._before = k, np.asarray(others, bool), np.asarray(before, bool)

    def __call__(self, strength: float) -> Response:
        after = predictions(self._codes + strength * self._change, self._picture, self._predict)
        same = after == self._before
        kept = same[:, self._others].mean() if self._others.any() else 1.0
        return Response(float((~same[:, self._k]).mean()), float(kept))


@torch.inference_mode()
def predictions(codes: Tensor, synthesis: Callable[[Tensor], Tensor], predictor: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Whether each attribute is predicted in the pictures of codes [n, L, D], bool [n, K]."""
    parts = [predictor(synthesis(codes[i : i + _BATCH]).clamp(-1, 1)) > 0 for i in range(0, len(codes), _BATCH)]
    return torch.cat(parts).numpy()
