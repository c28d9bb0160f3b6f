"""From codes to the finished record: every method is measured here, in the same way."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.models import InversionModels, as_target, device_of
from engines.inversion.result import Inversion
from engines.losses.pixel import mse

__all__ = ["generator_hash", "measured", "synthesise"]


def synthesise(models: InversionModels, w_plus: Tensor) -> Tensor:
    """Image [N, 3, R, R] of codes [N, L, D]: float32 with the constant noise, the picture that the user sees."""
    return models.generator.synthesis(w_plus, noise_mode="const")


def generator_hash(models: InversionModels) -> str:
    """What `Inversion.pack_hash` holds."""
    return models.component_sha256("generator")[:16]


def measured(
    models: InversionModels,
    crop: np.ndarray,
    w_plus: Tensor,
    *,
    method: str,
    seconds: float,
    steps: int,
    seed: int,
    warnings: tuple[str, ...] = (),
) -> Inversion:
    """The Inversion of codes [1, L, D]. Errors are those of the rounded picture, which is what the user sees."""
    perceptual, target = models.perceptual, as_target(models, crop)
    with torch.inference_mode():
        reconstruction = to_uint8(synthesise(models, w_plus))[0]
        rounded = to_tensor(reconstruction).to(device_of(models))
        pixel_error, perceptual_error = float(mse(rounded, target)), float(perceptual.distance(rounded, target))
    return Inversion(
        pack_id=models.id,
        pack_hash=generator_hash(models),
        method=method,
        w_plus=w_plus[0].float().cpu().numpy(),
        crop=crop,
        reconstruction=reconstruction,
        mse=pixel_error,
        perceptual=perceptual_error,
        perceptual_kind="pack",
        seconds=seconds,
        steps=steps,
        warnings=warnings,
        alignment=None,
        seed=seed,
    )
