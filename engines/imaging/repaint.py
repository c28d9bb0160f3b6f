"""Where an edit paints anew, the photo itself goes.

A difference that is added to a photo leaves in place all that the reconstruction had missed: teeth that shine through a
closed mouth, a beard that is skin, the outline of either. So the more an edit changes, the more of the photo gives way to the
edited picture (:func:`engines.imaging.paste.paste_back`):

    (1 - m) (photo + edited - reconstruction) + m edited,   m = smooth step of the change around a pixel
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from engines.imaging.smooth_step import smooth_step

__all__ = ["repainted"]

# Changes in levels up to which all of the photo's detail stays, and from which on none does.
_KEPT_LEVELS = 10.0
_REPAINTED_LEVELS = 40.0
_AROUND_PX = 1.5


def repainted(reconstruction: np.ndarray, edited: np.ndarray) -> np.ndarray:
    """m, float32 [R, R] in [0, 1], of a reconstruction and the edited picture, uint8 or float32 [R, R, 3] in levels.

    Raises ValueError for other shapes.
    """
    if reconstruction.shape != edited.shape or edited.ndim != 3 or edited.shape[2] != 3:
        raise ValueError(f"expected two pictures [R, R, 3], got {reconstruction.shape} and {edited.shape}")
    change = np.abs(edited.astype(np.float32) - reconstruction.astype(np.float32)).max(axis=2)
    around = gaussian_filter(change, _AROUND_PX, mode="mirror", radius=round(3 * _AROUND_PX))
    return smooth_step(torch.from_numpy((around - _KEPT_LEVELS) / (_REPAINTED_LEVELS - _KEPT_LEVELS))).numpy()
