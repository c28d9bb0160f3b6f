"""A picture brought into the position that a pack's networks know."""

from __future__ import annotations

import numpy as np

from engines.imaging.align import Alignment, align_five_points, align_whole
from engines.imaging.faces import Face
from engines.packs.manifest import Manifest

__all__ = ["aligned_crop"]


def aligned_crop(manifest: Manifest, pixels: np.ndarray, face: Face | None) -> tuple[np.ndarray, Alignment]:
    """The crop uint8 [R, R, 3] of a picture uint8 [H, W, 3] and where it lies; without a face the middle square."""
    if face is None:
        return align_whole(pixels, manifest.resolution)
    return align_five_points(pixels, face.points, manifest.alignment, manifest.resolution)
