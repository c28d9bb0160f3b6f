"""A picture brought into the position that a pack's networks know: the face, or the square with the object, and its mask."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engines.core.errors import NoFaceError, OptionError
from engines.imaging.align import Alignment
from engines.imaging.faces import Face, face_detector
from engines.imaging.paste import Rectangle
from engines.imaging.read import Picture
from engines.imaging.squares import Square, middle_square, square_holding
from engines.inversion.objects import found_box
from engines.inversion.whereabouts import SURE, Whereabouts, whereabouts
from engines.packs.aligning import aligned_crop
from engines.packs.load import Pack

__all__ = ["AlignedPicture", "FaceChoice", "MaskChoice", "align", "align_to_choice", "mask_in_crop"]

FaceChoice = Literal["largest"] | int | None
"""One of the faces that are found, the largest, or the middle of the picture."""
MaskChoice = Literal["auto"] | Rectangle | None
"""The rectangle of the object that was found, one in pixels of the picture, or none."""
SMALL_FACE_SHARE = 0.7
"""A crop that has fewer picture pixels a side than this share of its own is said to be small."""


@dataclass(frozen=True, eq=False)
class AlignedPicture:
    """A picture brought into the position that the pack's networks know."""

    crop: np.ndarray
    """uint8 RGB [R, R, 3], R the pack's resolution."""
    alignment: Alignment
    """Where the crop lies in the picture."""
    picture_px: tuple[int, int]
    """Width and height of the picture."""
    warnings: tuple[str, ...] = ()
    object_box: Rectangle | None = None
    """The detected object (x0, y0, x1, y1) in picture pixels: what ``mask="auto"`` takes."""


def align(pack: Pack, picture: Picture, face: Face | None, around: Rectangle | None = None) -> AlignedPicture:
    """Cuts the face out in the position that the pack's networks know.

    face: None for the square that holds the object, where the pack can find objects; for other packs the middle square.
    around: a rectangle of the picture that a pack without faces has to take in; the square lies around it where it does not
        fit into the one with the object.
    """
    found, square = _square(pack, picture, around) if face is None else (None, None)
    side = pack.manifest.resolution
    crop, alignment = aligned_crop(pack.manifest, picture.pixels, face, square)
    warnings = ()
    coarse = alignment.picture_px_per_crop_px
    if coarse < SMALL_FACE_SHARE:
        px = round(side * coarse)
        what = "picture" if face is None else "face"
        warnings = (
            f"The {what} is small: {px} pixel{'s' if px > 1 else ''} a side, enlarged to {side}. Take a larger or sharper one.",
        )
    if found is not None and around is None and found.agreement < SURE:
        warnings += ("No object was found for sure: draw a rectangle around it.",)
    height, width = picture.pixels.shape[:2]
    if face is not None:
        box = tuple(float(side) for side in face.box)
    elif found is not None and found.box is not None and square == found.square:
        box = found.box
    else:
        box = _object_in_picture(pack, crop, alignment)
    return AlignedPicture(crop, alignment, (width, height), warnings, box)


def align_to_choice(pack: Pack, picture: Picture, face: FaceChoice, mask: MaskChoice) -> AlignedPicture:
    """The aligned picture for a choice of face; a square around the mask that was given, where the pack is not about faces.

    Raises OptionError for what is no choice, NoFaceError for a face that is not there.
    """
    if face is None or pack.manifest.alignment.kind == "none":
        return align(pack, picture, None, None if mask == "auto" else mask)
    faces = face_detector().detect(picture.pixels)
    if face == "largest":
        if faces:
            return align(pack, picture, faces[0])
        aligned = align(pack, picture, None)
        warning = "No face was found; the middle of the picture was taken."
        return dataclasses.replace(aligned, warnings=(warning, *aligned.warnings))
    if not isinstance(face, int) or isinstance(face, bool) or face < 0:
        raise OptionError(f"face={face!r}: expected largest, None for the whole picture, or a number from 0 on.")
    if face >= len(faces):
        found = f"{len(faces)} face{'s' if len(faces) > 1 else ''}, numbered from 0" if faces else "no face"
        raise NoFaceError(f"{picture.name}: face {face} was asked for, but there is {found}.")
    return align(pack, picture, faces[face])


def mask_in_crop(aligned: AlignedPicture, mask: MaskChoice) -> Rectangle | None:
    """The rectangle in pixels of the crop around a mask; None where all of the crop counts.

    Raises OptionError for a mask that is no rectangle, has no area, or lies outside the crop.
    """
    if mask is None or (mask == "auto" and aligned.object_box is None):
        return None
    # A detected box may reach beyond the picture.
    x0, y0, x1, y1 = aligned.object_box if mask == "auto" else _rectangle(mask, aligned.picture_px)
    corners = aligned.alignment.to_crop(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    side = aligned.crop.shape[0]
    low, high = np.clip(corners.min(axis=0), 0, side), np.clip(corners.max(axis=0), 0, side)
    if (high - low).min() <= 0:
        raise OptionError(f"mask={mask}: the rectangle lies outside the part of the picture that is edited.")
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _square(pack: Pack, picture: Picture, around: Rectangle | None) -> tuple[Whereabouts | None, Square | None]:
    """Where the object lies, for a pack that can tell, and the square to take; None for the one in the middle."""
    size = (picture.pixels.shape[1], picture.pixels.shape[0])
    side = pack.manifest.resolution
    found = whereabouts(pack, picture.pixels, side) if pack.has("box_detector") else None
    square = None if found is None else found.square
    if around is None or pack.manifest.alignment.kind != "none":
        return found, square
    around = _rectangle(around, size)
    return found, square_holding(around, square or middle_square(size), size, least_px=side) or square


def _object_in_picture(pack: Pack, crop: np.ndarray, alignment: Alignment) -> Rectangle | None:
    """What the pack's box detector finds in the crop, in picture pixels; None where the pack has none."""
    box = found_box(pack, crop)
    if box is None:
        return None
    low, high = alignment.to_picture(np.array([box[:2], box[2:]]))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _rectangle(mask: Sequence[float], picture_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """A rectangle that was given, as numbers. Raises OptionError unless there is some of the picture in it."""
    try:
        rectangle = tuple(float(side) for side in mask)
    except (TypeError, ValueError):
        raise OptionError(f"mask={mask!r}: give auto, or four numbers x0, y0, x1, y1.") from None
    if len(rectangle) != 4 or not all(math.isfinite(side) for side in rectangle):
        raise OptionError(f"mask={mask}: four numbers x0, y0, x1, y1 are needed.")
    x0, y0, x1, y1 = rectangle
    width, height = picture_px
    if x1 <= x0 or y1 <= y0:
        raise OptionError(f"mask={mask}: the rectangle has no area; x0 < x1 and y0 < y1 are needed.")
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise OptionError(f"mask={mask}: the rectangle lies outside the picture of {width} x {height} pixels.")
    return rectangle
