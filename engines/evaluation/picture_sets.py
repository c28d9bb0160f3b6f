"""The sets that inversion is judged on: held-out renders, also of what was never trained on, and real photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engines.core.errors import OptionError
from engines.core.rng import numpy_generator
from engines.data.registry import DATA_SETS
from engines.evaluation.photos import Photo, installed_photos
from engines.evaluation.setting import Setting
from engines.imaging.align import Alignment, align_five_points, align_whole
from engines.imaging.faces import FaceDetector
from engines.imaging.paste import paste_blended, pasted_region
from engines.imaging.seam import seam
from engines.packs.load import Pack

__all__ = ["SETS", "PictureSet", "another_upload", "chosen_names", "picture_set", "seam_of", "uploaded_twice"]

_PHOTOS = "photos"
SETS = (*DATA_SETS, _PHOTOS)

CUT_SHARE = 0.08
"""The most that another upload of a picture lacks at each side, as a share of it."""
RESCALING = (0.8, 1.25)
"""How much larger another upload is, least and most."""


@dataclass(frozen=True, eq=False)
class PictureSet:
    """Pictures to invert."""

    name: str
    crops: np.ndarray
    """uint8 [n, R, R, 3], aligned as the pack wants it."""
    uploads: Sequence[np.ndarray]
    """The pictures they come from, each uint8 [H, W, 3] of its own size."""
    photos: tuple[Photo, ...] = ()
    """Where they come from, for photographs."""
    alignments: tuple[Alignment, ...] = ()
    """Where the crops lie in the uploads, for photographs: renders are aligned as they are."""


def chosen_names(option: str, text: str, known: Sequence[str]) -> list[str]:
    """The words of a list with commas. Raises OptionError, naming the option, for none, one twice, or one that is not known."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        raise OptionError(f"--{option} {text}: name some of {', '.join(known)}, each once, with commas between them.")
    return names


def picture_set(setting: Setting, name: str, n: int) -> PictureSet:
    """The first `n` held-out renders of a set, or all photographs that lie on this machine.

    Raises OptionError when no face is found in any photograph.
    """
    if name != _PHOTOS:
        subjects = setting.subjects("test", n, rendered=name)
        return PictureSet(name, subjects.pictures, subjects.originals)
    detector = FaceDetector()
    found = []
    for photo in installed_photos():
        pixels = photo.read().pixels
        aligned = _aligned(setting.pack, detector, pixels)
        if aligned is not None:
            found.append((*aligned, pixels, photo))
    if not found:
        raise OptionError(f"--sets {name}: no photograph on this machine shows a face that pack {setting.pack.id} could take.")
    crops, alignments, uploads, photos = zip(*found, strict=True)
    return PictureSet(name, np.stack(crops), uploads, photos, alignments)


def uploaded_twice(pack: Pack, uploads: Sequence[np.ndarray], *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops uint8 [m, R, R, 3] of pictures, and of another upload of each, both found and aligned as the app does it.

    m may be smaller than the number of pictures: those where a face is not found both times are left out.
    """
    detector, side = FaceDetector(), pack.manifest.resolution
    pairs = []
    for index, pixels in enumerate(uploads):
        pair = [_aligned(pack, detector, upload) for upload in (pixels, another_upload(pixels, seed, index))]
        if all(aligned is not None for aligned in pair):
            pairs.append(np.stack([crop for crop, _ in pair]))
    both = np.stack(pairs) if pairs else np.empty((0, 2, side, side, 3), np.uint8)
    return both[:, 0], both[:, 1]


def another_upload(pixels: np.ndarray, *seed: int) -> np.ndarray:
    """The picture less up to CUT_SHARE at each side, at another size: what a second upload of a photo looks like."""
    rng = numpy_generator(*seed)
    height, width = pixels.shape[:2]
    left, top, right, bottom = np.rint(rng.uniform(0, CUT_SHARE, 4) * (width, height, width, height)).astype(int)
    kept = Image.fromarray(np.ascontiguousarray(pixels[top : height - bottom, left : width - right]))
    factor = np.exp(rng.uniform(*np.log(RESCALING)))
    size = tuple(max(1, round(factor * length)) for length in kept.size)
    return np.asarray(kept.resize(size, Image.Resampling.BICUBIC))


def seam_of(photo: np.ndarray, alignment: Alignment, reconstruction: np.ndarray) -> float:
    """How much the border shows of a reconstruction uint8 [R, R, 3] that is blended into its photograph uint8 [H, W, 3].

    See :func:`engines.imaging.seam.seam`.
    """
    return seam(photo, paste_blended(photo, alignment, reconstruction), pasted_region(*photo.shape[:2], alignment))


def _aligned(pack: Pack, detector: FaceDetector, pixels: np.ndarray) -> tuple[np.ndarray, Alignment] | None:
    """The crop of the largest face, or None where there is none; the middle square for packs that know no faces."""
    recipe, side = pack.manifest.alignment, pack.manifest.resolution
    if recipe.kind == "none":
        return align_whole(pixels, side)
    faces = detector.detect(np.ascontiguousarray(pixels))
    return align_five_points(pixels, faces[0].points, recipe, side) if faces else None
