"""Sheets of pictures, and how pictures leave the program."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engines.core.atomic import replacing

__all__ = ["encode_jpeg", "picture_grid", "save_png"]

_LABEL_FONT_PX = 12
_LABEL_BAND_PX = 18


def picture_grid(
    rows: Sequence[Sequence[np.ndarray]], *, labels: Sequence[Sequence[str]] | None = None, pad_px: int = 2
) -> np.ndarray:
    """Pictures in rows and columns on white.

    Args:
        rows: uint8 [H, W, 3] pictures; rows may differ in length and pictures in size, each is centred in its cell.
        labels: one text for each picture, in the shape of `rows`, written below it; a text too long for its cell is cut.
        pad_px: white between the pictures.

    Returns uint8 [height, width, 3]. Raises ValueError when there is no picture or `labels` has another shape.
    """
    pictures = [picture for row in rows for picture in row]
    if not pictures:
        raise ValueError("a grid needs at least one picture")
    if labels is not None and [len(row) for row in labels] != [len(row) for row in rows]:
        raise ValueError("labels must have the shape of rows")
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    band = _LABEL_BAND_PX if labels is not None else 0
    columns = max(len(row) for row in rows)
    step_y, step_x = height + band + pad_px, width + pad_px
    sheet = np.full((len(rows) * step_y - pad_px, columns * step_x - pad_px, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top = i * step_y + (height - picture.shape[0]) // 2
            left = j * step_x + (width - picture.shape[1]) // 2
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            if labels is not None and labels[i][j]:
                below = i * step_y + height
                sheet[below : below + band, j * step_x : j * step_x + width] = _label(labels[i][j], width)
    return sheet


def save_png(path: Path | str, pixels: np.ndarray) -> None:
    """Writes uint8 [H, W, 3] as a PNG; the file appears whole or not at all."""
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def encode_jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    """uint8 [H, W, 3] as a JPEG with its colours at full resolution, quality 1..95."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _label(text: str, width: int) -> np.ndarray:
    """uint8 [_LABEL_BAND_PX, width, 3]: black text in the middle of a white band."""
    font = ImageFont.load_default(_LABEL_FONT_PX)
    shown = text
    while len(shown) > 1 and font.getlength(shown) > width:
        shown = shown.removesuffix("…")[:-1] + "…"
    band = Image.new("RGB", (width, _LABEL_BAND_PX), (255, 255, 255))
    ImageDraw.Draw(band).text((width / 2, _LABEL_BAND_PX / 2), shown, fill=(0, 0, 0), font=font, anchor="mm")
    return np.asarray(band)
