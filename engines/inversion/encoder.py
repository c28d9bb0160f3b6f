"""Method ``encoder``: one pass of the pack's encoder (Richardson et al. 2021, pSp).

Also the passes of the iterated encoder, from which the other methods start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.core.progress import CancelToken
from engines.inversion.measure import measured, synthesise
from engines.inversion.models import InversionModels, as_target
from engines.inversion.objective import ImageObjective
from engines.inversion.options import InversionOptions
from engines.inversion.result import InversionProgress

__all__ = ["Candidate", "encoder_passes", "run"]


def run(
    models: InversionModels,
    crop: np.ndarray,
    options: InversionOptions,
    cancel: CancelToken,
) -> Iterator[InversionProgress]:
    """One pass, whatever the budget. Raises Cancelled when cancelled before it."""
    cancel.raise_if_cancelled()
    encoder, target = models.encoder, as_target(models, crop)
    started = time.perf_counter()
    with torch.inference_mode():
        w_plus = encoder(target)
    elapsed = time.perf_counter() - started
    result = measured(models, crop, w_plus, method="encoder", seconds=elapsed, steps=1, seed=options.seed)
    yield InversionProgress("Encoding", 1, 1, elapsed, result.mse, result.reconstruction, result)


@dataclass(frozen=True, eq=False)
class Candidate:
    """Codes [1, L, D], their picture [1, 3, R, R], and the loss of the picture."""

    w_plus: Tensor
    image: Tensor
    loss: float


def encoder_passes(models: InversionModels, objective: ImageObjective) -> Iterator[Candidate]:
    """Endless passes of the encoder over its own reconstruction (Alaluf et al. 2021, ReStyle, Eq. 2).

    w_0 = E(x),   w_{t+1} = E(x, G(w_t), w_t)

    ReStyle's w_0 is the average latent, and its first pass sees the picture of that. Here the first pass sees zeros for a
    reconstruction and answers by heads of its own (:class:`WPlusEncoder`): it is the method ``encoder`` by itself, without a
    picture having been made.
    """
    encoder, w_plus, image = models.encoder, None, None
    while True:
        with torch.inference_mode():
            w_plus = encoder(objective.target, image, w_plus)
            image = synthesise(models, w_plus)
            loss = float(objective(image))
        yield Candidate(w_plus, image, loss)
