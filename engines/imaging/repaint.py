"""Where an edit paints anew, the photo's own detail goes.

A difference that is added to a photo (:func:`engines.imaging.paste.paste_back`) leaves in place all that the reconstruction had
missed: teeth that shine through a closed mouth, a beard that is skin. So the picture that is taken off before the edited one
is added passes, the more an edit changes, from the reconstruction to the photo's crop itself:

    before = reconstruction + m (crop - reconstruction),   m = smooth step of the change around a pixel

With m = 0 that is the photo with a difference, with m = 1 the edited picture in the photo's place.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from engines.imaging.smooth_step import smooth_step

__all__ = ["before_edit"]

# Changes in levels up to which all of the photo's detail stays, and from which on none does.
_KEPT_LEVELS = 10.0
_REPAINTED_LEVELS = 40.0
_AROUND_PX = 1.5


def before_edit(crop: np.ndarray, reconstruction: np.ndarray, edited: np.ndarray) -> np.ndarray:
    """float32 [R, R, 3] in levels: what an edited picture takes the place of.

    Args: the photo's crop, its reconstruction and the edited picture, uint8 or float32 [R, R, 3] in levels. Where the edit
    changes nothing the result is the reconstruction, bit for bit. Raises ValueError for other shapes.
    """
    if not crop.shape == reconstruction.shape == edited.shape or crop.ndim != 3 or crop.shape[2] != 3:
        raise ValueError(f"expected three pictures [R, R, 3], got {crop.shape}, {reconstruction.shape} and {edited.shape}")
    before, photo, after = (torch.from_numpy(picture.astype(np.float32)) for picture in (reconstruction, crop, edited))
    change = (after - before).abs().amax(dim=2)
    around = torch.from_numpy(gaussian_filter(change.numpy(), _AROUND_PX, mode="mirror", radius=round(3 * _AROUND_PX)))
    repainted = smooth_step((around - _KEPT_LEVELS) / (_REPAINTED_LEVELS - _KEPT_LEVELS))
    return (before + repainted[..., None] * (photo - before)).numpy()
