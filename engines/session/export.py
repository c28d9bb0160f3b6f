"""The edited picture back in its photo: which way of pasting, and through which maps."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from engines.core.errors import OptionError
from engines.imaging.align import Alignment
from engines.imaging.convert import to_tensor, to_uint8
from engines.imaging.grey import is_grey, to_grey
from engines.imaging.paste import Rectangle, paste_back, paste_blended
from engines.imaging.repaint import repainted
from engines.inversion.result import Inversion
from engines.inversion.transforms import Transform

__all__ = ["BLENDS", "Blend", "exported", "framed_crop", "usual_blend", "with_edit"]

Blend = Literal["detail", "poisson", "mixed"]
"""How an edit goes back into its photo. ``detail``: the photo with what the edit changes added where its attributes show; the
photo's own detail is kept but where the edit paints anew. ``poisson``: the generator's picture in the photo's place, blended
without a seam. ``mixed``: the same with the photo's gradients wherever they are steeper."""
BLENDS: tuple[Blend, ...] = get_args(Blend)


def usual_blend(inversion: Inversion) -> Blend:
    """``poisson`` where a transform of the picture was found, whose reconstruction stands elsewhere and in another light than
    the photo's, else ``detail``."""
    return "detail" if inversion.transform is None else "poisson"


def exported(
    pixels: np.ndarray,
    inversion: Inversion,
    image: np.ndarray,
    blend: Blend,
    *,
    object_box: Rectangle | None = None,
) -> np.ndarray:
    """The photo uint8 [H, W, 3] that `inversion` was made from, with the edited picture in it.

    image: uint8 or float32 [R, R, 3] in levels.

    object_box: where the object lies in the edited picture (x0, y0, x1, y1), if that is known: both it and where it was, the
    mask, are blended, so that an object that has moved or grown is not cut off. ``detail`` needs neither.
    Raises OptionError for another blend.
    A photo in black and white gets the edit in black and white.
    """
    result = _pasted(pixels, inversion, image, blend, object_box)
    return to_grey(result) if is_grey(pixels) else result


def _pasted(
    pixels: np.ndarray,
    inversion: Inversion,
    image: np.ndarray,
    blend: Blend,
    object_box: Rectangle | None,
) -> np.ndarray:
    if blend not in BLENDS:
        raise OptionError(f"blend={blend!r}: use one of {', '.join(BLENDS)}.")
    alignment = Alignment.from_json(inversion.alignment)
    transform = _transform(inversion)
    to_frame = transform.matrix(inversion.resolution)
    if blend == "detail":
        reconstruction, edited = (_in_the_photos_light(picture, transform) for picture in (inversion.reconstruction, image))
        return with_edit(pixels, alignment.then(to_frame), reconstruction, edited)
    picture = _in_the_photos_light(image, transform)
    mask = inversion.mask if object_box is None else _grown(inversion.mask, object_box, to_frame)
    return paste_blended(pixels, alignment, picture, to_frame=to_frame, mask=mask, mixed=blend == "mixed")


def with_edit(pixels: np.ndarray, alignment: Alignment, reconstruction: np.ndarray, edited: np.ndarray) -> np.ndarray:
    """The photo uint8 [H, W, 3] with its own detail and what the edit changes.

    reconstruction and edited picture: uint8 or float32 [R, R, 3] in levels.
    """
    return paste_back(pixels, alignment, reconstruction, edited, repainted(reconstruction, edited))


def framed_crop(inversion: Inversion) -> np.ndarray:
    """uint8 [R, R, 3]: T(crop), the input where and as bright as the generator paints it; without a transform the crop."""
    if inversion.transform is None:
        return inversion.crop
    return to_uint8(_transform(inversion).apply(to_tensor(np.array(inversion.crop))))[0]


def _grown(mask: Rectangle | None, box: Rectangle, to_frame: np.ndarray) -> Rectangle | None:
    """The rectangle in crop pixels around the mask and a box in the generator's frame."""
    if mask is None:
        return None
    # Axes stay parallel: frame = scale * crop + shift, along each of them.
    scale, shift = np.diag(to_frame[:, :2]), to_frame[:, 2]
    low, high = ((np.array(corner) - shift) / scale for corner in (box[:2], box[2:]))
    low, high = np.minimum(low, mask[:2]), np.maximum(high, mask[2:])
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _transform(inversion: Inversion) -> Transform:
    return Transform() if inversion.transform is None else Transform.from_json(inversion.transform)


def _in_the_photos_light(picture: np.ndarray, transform: Transform) -> np.ndarray:
    """float32 [R, R, 3] in levels: the generator's picture with the transform's brightness taken back, b^-1(v) = v e^-gamma."""
    return picture.astype(np.float32) * np.float32(math.exp(-transform.brightness))
