"""Method ``iterated-encoder``: the encoder sees its own reconstruction and corrects it (Alaluf et al. 2021, ReStyle).

Kept are the codes of the pass with the smallest loss, which need not be the last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from engines.core.progress import CancelToken
from engines.imaging.convert import to_uint8
from engines.inversion.encoder import encoder_passes
from engines.inversion.measure import measured
from engines.inversion.models import InversionModels, as_target
from engines.inversion.objective import ImageObjective
from engines.inversion.options import InversionOptions
from engines.inversion.result import CANCELLED, InversionProgress

__all__ = ["DEFAULT_PASSES", "run"]

DEFAULT_PASSES = 3
_STAGE = "Encoding again"


def run(
    models: InversionModels,
    crop: np.ndarray,
    options: InversionOptions,
    cancel: CancelToken,
) -> Iterator[InversionProgress]:
    """`steps` passes (default 3), fewer when `seconds` end before. Raises Cancelled when cancelled before the first."""
    cancel.raise_if_cancelled()
    total = DEFAULT_PASSES if options.steps is None else options.steps
    passes = encoder_passes(models, ImageObjective(models, as_target(models, crop)))
    started = time.perf_counter()
    best = None
    done = 0
    warnings: tuple[str, ...] = ()
    while done < total:
        candidate = next(passes)
        done += 1
        elapsed = time.perf_counter() - started
        improved = best is None or candidate.loss < best.loss
        if improved:
            best = candidate
        if done < total:
            yield InversionProgress(_STAGE, done, total, elapsed, best.loss, to_uint8(best.image)[0] if improved else None)
        if cancel.cancelled and done < total:
            warnings = (CANCELLED,)
            break
        if options.seconds is not None and time.perf_counter() - started >= options.seconds:
            break
    elapsed = time.perf_counter() - started
    result = measured(
        models, crop, best.w_plus, method="iterated-encoder", seconds=elapsed, steps=done, seed=options.seed, warnings=warnings
    )
    yield InversionProgress(_STAGE, done, total, elapsed, best.loss, result.reconstruction, result)
