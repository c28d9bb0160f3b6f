"""What a pack's networks say of the object in a picture: where it lies and of which class it is: Huh et al. 2020, section 3."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engines.inversion.models import InversionModels, as_target

__all__ = ["found_box", "predicted_label"]

_LEAST_SHARE = 0.02
"""Of a side: a box that is cut off by the border to less than this says nothing."""


def found_box(models: InversionModels, crop: np.ndarray) -> tuple[float, float, float, float] | None:
    """The object's rectangle (x0, y0, x1, y1) in pixels of a crop uint8 [R, R, 3], as far as it lies inside.

    None where the pack has no box detector, or where next to nothing of the box lies inside.
    """
    if not models.has("box_detector"):
        return None
    with torch.inference_mode(False), torch.no_grad():
        x0, y0, x1, y1 = models.box_detector(as_target(models, crop))[0].double().clamp(0, 1).tolist()
    side = crop.shape[0]
    return None if min(x1 - x0, y1 - y0) < _LEAST_SHARE else (x0 * side, y0 * side, x1 * side, y1 * side)


def predicted_label(models: InversionModels, views: Tensor) -> Tensor | None:
    """The label c~ [1, C] of the class that an object is most probably of, by all of its pictures [K, 3, R, R] together.

    None for a pack without classes, or without a network that tells them.
    """
    if not models.has("class_predictor"):
        return None
    with torch.inference_mode(False), torch.no_grad():
        likelihood = torch.log_softmax(models.class_predictor(views), dim=1).mean(0, keepdim=True)
        return torch.nn.functional.one_hot(likelihood.argmax(1), likelihood.shape[1]).float()
