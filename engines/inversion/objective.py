"""What every method minimises and is compared by: pixels, and the features of the pack's perceptual network."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.inversion.models import InversionModels
from engines.losses.pixel import mse, pyramid_l1

__all__ = ["ImageObjective"]

# Chosen on held-out renders and photographs: squares pull in light and colour, the pyramid edges, features the mouth and eyes.
SQUARED_WEIGHT = 1.0
PYRAMID_WEIGHT = 0.25
PERCEPTUAL_WEIGHT = 0.5


class ImageObjective:
    """L(image) = a |image - x|^2 + b pyramid_l1(image, x) + c perceptual(image, x) for one target x [1, 3, R, R].

    The target's features are computed once.
    """

    def __init__(self, models: InversionModels, target: Tensor) -> None:
        self.target = target
        self._perceptual = models.perceptual
        # no_grad and not inference_mode: these tensors take part in gradient steps.
        with torch.inference_mode(False), torch.no_grad():
            self._features = self._perceptual.features(target)

    def __call__(self, image: Tensor) -> Tensor:
        """Losses [N] of images [N, 3, R, R]."""
        pixels = SQUARED_WEIGHT * mse(image, self.target) + PYRAMID_WEIGHT * pyramid_l1(image, self.target)
        return pixels + PERCEPTUAL_WEIGHT * self._perceptual.distance_to(image, self._features)
