"""What happens to pictures before they reach the program: they are cut badly, taken in poor light, sent through messengers.

Every degradation takes the aligned picture uint8 [R, R, 3] and a seed path, draws its strength from it, and gives the same
bytes for the same path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from torchvision.io import decode_jpeg, encode_jpeg

from engines.core.rng import numpy_generator
from engines.imaging.align import Alignment, resample

__all__ = ["DEGRADATIONS", "darkened", "degraded", "recompressed", "shifted"]

SHIFT_SHARE = 0.06
"""The face lies so far from its place, as a share of the picture's side, in a direction that is drawn."""
DARK_LIGHT = (0.3, 0.5)
"""The least and most of the light that is left; drawn evenly between them. Light is proportional to level^2.2."""
QUALITY = (12, 25)
"""The least and highest quality of the JPEG, with colours at half resolution; drawn evenly."""


def shifted(picture: np.ndarray, *seed: int) -> np.ndarray:
    """Moved by SHIFT_SHARE of its side; what comes into view is its mirror image, blurred, as in every alignment."""
    side = picture.shape[0]
    angle = numpy_generator(*seed).uniform(0, 2 * np.pi)
    x, y = SHIFT_SHARE * side * np.array([np.cos(angle), np.sin(angle)])
    return resample(picture, Alignment(np.array([[1, 0, x], [0, 1, y]]), side))


def darkened(picture: np.ndarray, *seed: int) -> np.ndarray:
    """With a share of the light that is drawn from DARK_LIGHT: every level is multiplied by share^(1 / 2.2)."""
    share = numpy_generator(*seed).uniform(*DARK_LIGHT)
    return np.rint(picture * share ** (1 / 2.2)).astype(np.uint8)


def recompressed(picture: np.ndarray, *seed: int) -> np.ndarray:
    """Saved as a JPEG of a quality drawn from QUALITY, with colours at half resolution, and read again."""
    quality = int(numpy_generator(*seed).integers(*QUALITY, endpoint=True))
    stored = encode_jpeg(torch.from_numpy(picture.copy()).permute(2, 0, 1).contiguous(), quality)
    return decode_jpeg(stored).permute(1, 2, 0).numpy()


DEGRADATIONS: Mapping[str, Callable[..., np.ndarray]] = MappingProxyType(
    {"none": lambda picture, *seed: picture, "shifted": shifted, "darkened": darkened, "recompressed": recompressed}
)
"""Name -> degradation; ``none`` leaves the picture as it is."""


def degraded(name: str, pictures: np.ndarray, seed: int) -> np.ndarray:
    """All pictures uint8 [n, R, R, 3], each with a strength of its own, drawn from the path (seed, index)."""
    return np.stack([DEGRADATIONS[name](np.asarray(picture), seed, index) for index, picture in enumerate(pictures)])
