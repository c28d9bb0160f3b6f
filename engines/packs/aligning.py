"""A picture brought into the position that a pack's networks know."""

from __future__ import annotations

import numpy as np

from engines.imaging.align import Alignment, align_five_points, align_whole, resample
from engines.imaging.faces import Face
from engines.imaging.squares import Square
from engines.packs.manifest import Manifest

__all__ = ["aligned_crop"]


def aligned_crop(
    manifest: Manifest, pixels: np.ndarray, face: Face | None, square: Square | None = None
) -> tuple[np.ndarray, Alignment]:
    """The crop uint8 [R, R, 3] of a picture uint8 [H, W, 3] and where it lies.

    square: what of the picture to take where there is no face; None is the largest in its middle.
    """
    if face is None and square is not None:
        alignment = square.alignment(manifest.resolution)
        return resample(pixels, alignment), alignment
    if face is None:
        return align_whole(pixels, manifest.resolution)
    return align_five_points(pixels, face.points, manifest.alignment, manifest.resolution)
