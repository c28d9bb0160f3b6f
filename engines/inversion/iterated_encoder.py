"""Method ``iterated-encoder``: the encoder sees its own reconstruction and corrects it (Alaluf et al. 2021, ReStyle).

Kept are the codes of the pass with the smallest loss, which need not be the last.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.core.progress import CancelToken
from engines.imaging.convert import to_uint8
from engines.inversion.encoder import encoder_passes
from engines.inversion.measure import measured
from engines.inversion.models import InversionModels, as_target
from engines.inversion.objective import ImageObjective
from engines.inversion.optimisers.budget import Budget
from engines.inversion.optimisers.follow import until
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
    """`steps` passes (default 3), fewer when `seconds` or `evaluations` (one a pass) end before.

    Raises Cancelled when cancelled before the first.
    """
    cancel.raise_if_cancelled()
    budget = Budget(options.seconds, DEFAULT_PASSES if options.steps is None else options.steps, options.evaluations)
    passes = encoder_passes(models, ImageObjective(models, as_target(models, crop)))
    best = None
    curve: list[tuple[int, float]] = []
    warnings: tuple[str, ...] = ()
    while True:
        candidate = next(passes)
        budget.count(steps=1, evaluations=1)
        improved = best is None or candidate.loss < best.loss
        if improved:
            best = candidate
            curve.append((budget.evaluated, best.loss))
        if budget.spent:
            break
        preview = to_uint8(best.image)[0] if improved else None
        yield InversionProgress(_STAGE, budget.step, budget.steps, budget.elapsed_sec, best.loss, preview)
        if cancel.cancelled:
            warnings = (CANCELLED,)
            break
    result = measured(
        models,
        crop,
        best.w_plus,
        method="iterated-encoder",
        seconds=budget.elapsed_sec,
        steps=budget.step,
        seed=options.seed,
        warnings=warnings,
        evaluations=budget.evaluated,
        losses=until(curve, budget.evaluated),
        settings=budget.settings(),
    )
    yield InversionProgress(_STAGE, budget.step, budget.steps, result.seconds, best.loss, result.reconstruction, result)
