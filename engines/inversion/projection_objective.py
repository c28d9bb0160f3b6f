"""What the searching methods minimise: pixels and features under the mask (Huh et al. 2020, Eq. 3 and 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.inversion.options import PixelLoss
from engines.losses.laplacian import laplacian_pyramid_l1
from engines.losses.lpips_distance import PerceptualKind
from engines.losses.masked import FeatureDistance, masked_distance, masked_l1

__all__ = ["PERCEPTUAL_WEIGHTS", "ProjectionObjective"]

PERCEPTUAL_WEIGHTS: dict[PerceptualKind, float] = {"lpips-alex": 10.0, "pack": 0.5}
"""beta. For LPIPS the paper's. The pack's own network gives larger distances: the ratio of the mean L1 (.086) and the mean
distance (.18) of what the encoder makes of held-out renders, so that both terms weigh about the same."""


class ProjectionObjective:
    """``L(G) = |m (G - y)|_1 / |m|_1 + beta * d_m(G, y)`` for targets y [1 or N, 3, R, R] and masks m [1 or N, 1, R, R].

    The targets' features are computed once. With the pixel loss ``laplacian`` the first term is the L1 of the levels of a
    Laplacian pyramid under the mask.
    """

    def __init__(
        self, perceptual: FeatureDistance, kind: PerceptualKind, target: Tensor, mask: Tensor, pixel_loss: PixelLoss = "l1"
    ) -> None:
        self._perceptual, self._weight, self._pixel_loss = perceptual, PERCEPTUAL_WEIGHTS[kind], pixel_loss
        self._target, self._mask = target, mask
        # no_grad and not inference_mode: these tensors take part in gradient steps.
        with torch.inference_mode(False), torch.no_grad():
            self._features = perceptual.features(target)

    def __call__(self, image: Tensor) -> Tensor:
        """Losses [N] of images [N, 3, R, R]."""
        if self._pixel_loss == "l1":
            pixels = masked_l1(image, self._target, self._mask)
        else:
            pixels = laplacian_pyramid_l1(image, self._target, weight_map=self._mask)
        return pixels + self._weight * masked_distance(self._perceptual, image, self._features, self._mask)
