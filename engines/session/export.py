"""The edited picture back in its photo: which way of pasting, and through which maps."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from engines.core.errors import OptionError
from engines.imaging.align import Alignment
from engines.imaging.convert import to_tensor, to_uint8
from engines.imaging.paste import paste_back, paste_blended
from engines.inversion.result import Inversion
from engines.inversion.transforms import Transform

__all__ = ["BLENDS", "Blend", "exported", "framed_crop"]

Blend = Literal["detail", "poisson", "mixed"]
"""How an edit goes back into its photo. ``detail``: the photo with what the edit changes added, every detail kept. ``poisson``:
the generator's picture in the photo's place, blended without a seam. ``mixed``: the same with the photo's gradients wherever
they are steeper."""
BLENDS: tuple[Blend, ...] = get_args(Blend)


def exported(pixels: np.ndarray, inversion: Inversion, image: np.ndarray, blend: Blend | None) -> np.ndarray:
    """The photo uint8 [H, W, 3] that `inversion` was made from, with the edited picture uint8 [R, R, 3] in it.

    blend: None is ``poisson`` where a transform of the picture was found, whose reconstruction stands elsewhere and in another
    light than the photo's, else ``detail``. Raises OptionError for another word.
    """
    if blend is None:
        blend = "detail" if inversion.transform is None else "poisson"
    if blend not in BLENDS:
        raise OptionError(f"blend={blend!r}: use one of {', '.join(BLENDS)}.")
    alignment = Alignment.from_json(inversion.alignment)
    transform = _transform(inversion)
    to_frame = transform.matrix(inversion.resolution)
    if blend == "detail":
        reconstruction, edited = (_in_the_photos_light(picture, transform) for picture in (inversion.reconstruction, image))
        return paste_back(pixels, alignment.then(to_frame), reconstruction, edited)
    picture = _in_the_photos_light(image, transform)
    return paste_blended(pixels, alignment, picture, to_frame=to_frame, mask=inversion.mask, mixed=blend == "mixed")


def framed_crop(inversion: Inversion) -> np.ndarray:
    """uint8 [R, R, 3]: T(crop), the input where and as bright as the generator paints it; without a transform the crop."""
    if inversion.transform is None:
        return inversion.crop
    return to_uint8(_transform(inversion).apply(to_tensor(np.array(inversion.crop))))[0]


def _transform(inversion: Inversion) -> Transform:
    return Transform() if inversion.transform is None else Transform.from_json(inversion.transform)


def _in_the_photos_light(picture: np.ndarray, transform: Transform) -> np.ndarray:
    """float32 [R, R, 3] in levels: the generator's picture with the transform's brightness taken back, b^-1(v) = v e^-gamma."""
    return picture.astype(np.float32) * np.float32(math.exp(-transform.brightness))
