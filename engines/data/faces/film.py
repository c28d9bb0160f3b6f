"""From light to a picture: exposure, film curve, softness, vignette, grain."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from engines.data.faces.portrait import Portrait
from engines.data.faces.vectors import F32, Array, smooth

__all__ = ["develop"]

_DESIGN_PX = 128
"""Blurs are given in pixels of a picture of this size."""


def develop(portrait: Portrait, light: Array, hair: Array, depth: Array, size_px: int, rng: np.random.Generator) -> Array:
    """uint8 [size_px, size_px, 3] from light [n * n, 3] on a finer grid.

    `hair` [n * n] is 1 on strands; `depth` [n * n] is how far points lie behind the front of the face, dm (very negative on
    the background, which is blurred already).
    """
    step = round((len(light) ** 0.5) / size_px)
    finer = (size_px, step, size_px, step)
    image = light.reshape(*finer, 3)
    image = image * (portrait.exposure * 1.12 * (1 + np.array(portrait.cast, F32)))
    image = np.clip(image, 0, None)
    image = (image * (1.0 + image / 6.0)) / (1.0 + image * 0.82)  # a soft shoulder
    image = image.mean((1, 3))
    scale = size_px / _DESIGN_PX
    # Hair that covers a pixel partly is its outline; real ones are finer than our strands, so it is softened.
    cover = gaussian_filter(hair.reshape(finer).mean((1, 3)), 0.6 * scale)
    image = _softened(image, 2.6 * cover * (1 - cover), 0.75 * scale)
    if portrait.focus > 0:
        behind = smooth(0.55, 1.8, depth).reshape(finer).mean((1, 3))
        image = _softened(image, portrait.focus * gaussian_filter(behind, scale), 1.3 * scale)
    y, x = np.mgrid[0:size_px, 0:size_px] / (size_px - 1.0) - 0.5
    image = image * (1 - portrait.vignette * 1.1 * (x**2 + y**2))[..., None]
    image = np.clip(image, 0, 1) ** (1 / 2.2)
    image = image + portrait.contrast * 0.12 * np.sin(2 * np.pi * (image - 0.5)) * 0.5
    image = gaussian_filter(image, (portrait.blur * scale, portrait.blur * scale, 0))
    image = image + portrait.grain * rng.standard_normal(image.shape[:2])[..., None] * (0.5 + 0.5 * (1 - image))
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _softened(image: Array, amount: Array, sigma_px: float) -> Array:
    """Blends [H, W, 3] with its blur by `amount` [H, W]."""
    amount = amount[..., None]
    return image * (1 - amount) + gaussian_filter(image, (sigma_px, sigma_px, 0)) * amount
