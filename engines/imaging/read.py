"""Reads an uploaded or named picture safely: any bytes give a :class:`Picture` or one clear sentence.

The kind is decided by the first bytes; the rest is done by :mod:`engines.imaging.decoder` in another process, whose memory
and time are bounded. Calls may run in any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.core.errors import ImageReadError
from engines.core.progress import CancelToken
from engines.core.text import printable
from engines.imaging._kinds import describe_kind, picture_format
from engines.imaging.decoder_limits import MAX_PIXELS
from engines.imaging.decoder_pool import decoder_pool

__all__ = ["MAX_BYTES", "MAX_PIXELS", "Picture", "read_picture"]

MAX_BYTES = 25 * 2**20

_ACCEPTED = "a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF picture"


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it was read."""

    pixels: np.ndarray
    """uint8 sRGB [H, W, 3], upright."""
    name: str
    """The file's name without its folder."""
    notes: tuple[str, ...] = ()
    """What was done to show it, one sentence each."""


def read_picture(source: str | Path | bytes, *, name: str | None = None, cancel: CancelToken | None = None) -> Picture:
    """Reads a picture from a path or from a file's bytes.

    Args:
        source: path of a file, or its content. At most MAX_BYTES and MAX_PIXELS.
        name: what to call it in `Picture.name` and in errors; the file's name by default.
        cancel: looked at while the picture is decoded.

    Raises ImageReadError, with one sentence for the user, for everything that cannot be read, and Cancelled.
    """
    if cancel is not None:
        cancel.raise_if_cancelled()
    data, label = _content(source, name)
    subject = label or "The file"
    if not data:
        raise ImageReadError(f"{subject} is empty (0 bytes); choose {_ACCEPTED}.")
    if len(data) > MAX_BYTES:
        raise ImageReadError(f"{subject} is larger than {MAX_BYTES // 2**20} MB; save the picture smaller and try again.")
    kind = picture_format(data)
    if kind is None:
        raise ImageReadError(f"{subject} is {describe_kind(data)}, not {_ACCEPTED}; save it as one of these and try again.")
    try:
        pixels, notes = decoder_pool().decode(data, kind, subject, cancel)
    except MemoryError as error:
        raise ImageReadError(f"{subject} needs more memory than there is; save the picture smaller and try again.") from error
    return Picture(pixels, label or "picture", notes)


def _content(source: str | Path | bytes, name: str | None) -> tuple[bytes, str]:
    """(at most MAX_BYTES + 1 bytes, label or ""). Raises ImageReadError when the path cannot be read."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source[: MAX_BYTES + 1]), printable(name or "")
    path = Path(source)
    label = printable(name or path.name or str(path))
    try:
        if path.is_dir():
            raise ImageReadError(f"{label} is a folder; choose {_ACCEPTED}.")
        if not path.exists():
            raise ImageReadError(f"There is no file {printable(str(path))}; choose {_ACCEPTED}.")
        if not path.is_file():  # A pipe or a device could be read for ever.
            raise ImageReadError(f"{label} is not an ordinary file; choose {_ACCEPTED}.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1), label
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path.
        raise ImageReadError(f"{label} could not be opened: {getattr(error, 'strerror', None) or error}.") from error
