"""What a search shows while it goes on: the candidate's picture where it belongs in the crop."""

from __future__ import annotations

import numpy as np
import torch

from engines.imaging.convert import to_uint8
from engines.inversion.optimisers.problem import Variables
from engines.inversion.projection import Projection, transform_of
from engines.inversion.transforms import transform_images, transform_masks

__all__ = ["picture_of"]

_OUTLINE_PX = 1.5


def picture_of(projection: Projection, candidate: Variables, *, outlined: bool = False) -> np.ndarray:
    """uint8 [R, R, 3] of one candidate: T^-1(G) over the crop, whose rest is darkened; without a transform G itself.

    outlined: with a white line around the generator's frame, so that one sees it move.
    """
    with torch.inference_mode(False), torch.no_grad():
        image = projection.image(candidate)
        back = [transform_of(candidate[-1][0]).inverse()]
        frame = torch.ones_like(image[:, :1])
        covered = transform_masks(frame, back)
        picture = covered * transform_images(image, back) + (1 - covered) * (projection.target - 1) / 2
        if outlined and back[0].moves:
            side = image.shape[-1]
            edge = (_OUTLINE_PX / side) * 2
            at = torch.linspace(-1 + 1 / side, 1 - 1 / side, side, device=image.device).abs() > 1 - edge
            line = transform_masks((at[:, None] | at[None])[None, None].to(image.dtype), back)
            picture = picture + line * (1 - picture)
        return to_uint8(picture)[0]
