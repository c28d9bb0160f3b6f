"""From codes to the finished record: every method is measured here, in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.generators.weight_differences import tuned
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.models import InversionModels, as_target, device_of
from engines.inversion.result import Inversion
from engines.inversion.transforms import Transform, transform_images, transform_masks
from engines.losses.lpips_distance import perceptual_for
from engines.losses.masked import masked_distance, masked_mse, rectangle_mask

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
    evaluations: int = 0,
    losses: Sequence[tuple[int, float]] = (),
    settings: Mapping[str, Any] | None = None,
    transform: Transform | None = None,
    mask: tuple[float, float, float, float] | None = None,
    weight_differences: Mapping[str, np.ndarray] | None = None,
) -> Inversion:
    """The Inversion of codes [1, L, D], in the generator with `weight_differences` added.

    Errors are those of the rounded picture, which is what the user sees, inside `mask`; with a transform T of the picture
    T^-1 of the rounded picture is compared with the crop, where it covers it.
    """
    target = as_target(models, crop)
    perceptual, kind = perceptual_for(models)
    with torch.inference_mode():
        generator = tuned(models.generator, weight_differences or {})
        reconstruction = to_uint8(generator.synthesis(w_plus, noise_mode="const"))[0]
        image = to_tensor(reconstruction).to(device_of(models))
        weights = rectangle_mask(mask, crop.shape[0], outside=0.0).to(image.device)
        if transform is not None:
            back = [transform.inverse()]
            weights = weights * transform_masks(torch.ones_like(weights), back)
            image = transform_images(image, back)
        pixel_error = float(masked_mse(image, target, weights))
        perceptual_error = float(masked_distance(perceptual, image, perceptual.features(target), weights))
    return Inversion(
        pack_id=models.id,
        pack_hash=generator_hash(models),
        method=method,
        w_plus=w_plus[0].float().cpu().numpy(),
        crop=crop,
        reconstruction=reconstruction,
        mse=pixel_error,
        perceptual=perceptual_error,
        perceptual_kind=kind,
        seconds=seconds,
        steps=steps,
        warnings=warnings,
        alignment=None,
        seed=seed,
        evaluations=evaluations,
        losses=tuple(losses),
        settings=settings or {},
        transform=None if transform is None else transform.to_json(),
        mask=mask,
        weight_differences=weight_differences or {},
    )
