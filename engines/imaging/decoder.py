"""Decodes a picture's bytes: to 8-bit sRGB without transparency, upright. It belongs into a process of its own.

The size is read from the header and refused before a pixel is decoded; then the first frame is decoded, brought to sRGB
and turned upright. What damaged or hostile bytes can make of the decoders in spite of that, any time and any memory, is
bounded by the process that does it: see :mod:`engines.imaging.decoder_worker`.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import IO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from engines.core.errors import ImageReadError
from engines.imaging._colour import to_srgb
from engines.imaging.decoder_limits import MAX_PIXELS, TOO_LARGE

try:
    from PIL import AvifImagePlugin
except ImportError:  # Pillow before 11.3
    AvifImagePlugin = None

__all__ = ["decode", "prepare_library"]

# A progressive JPEG may hold any number of scans over the whole picture; honest ones have about ten.
_MAX_SCANNED_PIXELS = 2_000_000_000
# Beyond this Pillow refuses a PNG as a whole.
_MAX_PNG_PROFILE_BYTES = 2**20 - 1
# Honest values lie side by side; a few, such as the two resolutions, may be shared.
_MOST_COPIES = 2

_ORIENTATION_TAG = 0x0112
_TILE_TAGS = (322, 323)

# The plug-ins are called directly, not through Image.open, whose size limits refuse without naming the size.
# A JPEG is read as such also where it is an MPO: the first picture is the main one.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}

# EXIF orientation to the operation that turns the stored picture upright (EXIF 2.32, 4.6.4, tag 274).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def prepare_library() -> None:
    """Makes Pillow fit for hostile files. It is changed for the whole process, which has to be one of its own."""
    TiffImagePlugin.ImageFileDirectory_v2 = _BoundedDirectory
    if AvifImagePlugin:
        # One for every core by default, and each takes its stack from the memory that the process may have.
        AvifImagePlugin.DEFAULT_MAX_THREADS = 2


def decode(data: bytes, kind: str, subject: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(uint8 sRGB [H, W, 3], notes on what was done). Raises ImageReadError, which begins with `subject`, for anything else.

    kind: what `picture_format` makes of the data. A MemoryError is the error's cause where memory was too little.
    """
    if kind == "AVIF" and not (AvifImagePlugin and AvifImagePlugin.SUPPORTED):
        raise ImageReadError(f"{subject} is an AVIF picture, which the installed Pillow cannot read; save it as PNG or JPEG.")
    try:
        return _decode(data, kind, subject)
    except ImageReadError:
        raise
    except MemoryError as error:
        raise ImageReadError(f"{subject} {TOO_LARGE}") from error
    except Exception as error:  # Decoders fed with damaged bytes raise whatever their innards trip over.
        raise ImageReadError(_damage(error, kind, subject)) from error


def _decode(data: bytes, kind: str, subject: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """As :func:`decode`, but raises anything for damaged data."""
    notes: list[str] = []
    plugin = AvifImagePlugin.AvifImageFile if kind == "AVIF" else _PLUGINS[kind]
    with plugin(io.BytesIO(_lean_png(data) if kind == "PNG" else data), "") as image:
        _check_size(image.size, subject)
        if kind == "JPEG" and data.count(b"\xff\xda") * image.width * image.height > _MAX_SCANNED_PIXELS:
            raise ImageReadError(f"{subject} holds far more passes than a JPEG needs; save it anew and try again.")
        if kind == "TIFF":
            # Tiles are decoded whole, however small the picture in them says it is.
            _check_size(tuple(int(image.tag_v2.get(tag, 1)) for tag in _TILE_TAGS), subject)
        image.load()
        _check_size(image.size, subject)
        upright = _UPRIGHT.get(_orientation(image))
        rgb = to_srgb(image, notes)
        if _has_more(image):
            notes.append("The first page is shown." if kind == "TIFF" else "The first frame of an animation is shown.")
    if upright is not None:
        rgb = rgb.transpose(upright)
        notes.append("The picture was turned upright, as the camera noted.")
    return np.array(rgb), tuple(notes)


def _check_size(size: tuple[int, ...], subject: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageReadError(
            f"{subject} has {width:,} x {height:,} pixels ({width * height / 1e6:,.0f} megapixels) where at most "
            f"{MAX_PIXELS // 1_000_000} megapixels can be read; make it smaller and try again."
        )


def _damage(error: Exception, kind: str, subject: str) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"{subject} says it has far more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller and try again."
    file = f"{'an' if kind == 'AVIF' else 'a'} {'WebP' if kind == 'WEBP' else kind} file"
    # The plug-ins wrap running out of header bytes in a SyntaxError of their own.
    if "truncated" in str(error).lower() or isinstance(error.__cause__ or error, EOFError | IndexError | struct.error):
        return f"{subject} is {file} that ends too early (it was cut off while copying?); choose a complete one."
    return f"{subject} begins like {file} but is damaged, cut off or of an unusual kind; open it elsewhere and save it anew."


def _lean_png(data: bytes) -> bytes:
    """A PNG without the chunks that are not seen and may unpack to any size: texts, and profiles beyond the limit."""
    kept = [data[:8]]
    start = 8
    while start + 8 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        text = kind in (b"tEXt", b"zTXt", b"iTXt")
        if not text and not (kind == b"iCCP" and _unpacks_beyond_limit(data[start + 8 : end - 4])):
            kept.append(data[start:end])
        start = end
    # Up to seven bytes, too few for another chunk, may be left: kept, so that damage stays visible.
    kept.append(data[start:])
    return b"".join(kept)


def _unpacks_beyond_limit(chunk: bytes) -> bool:
    """Whether the content of an iCCP chunk (a name, NUL, the method, compressed data) is too long."""
    packed = chunk[chunk.find(b"\0") + 2 :]
    try:
        return len(zlib.decompressobj().decompress(packed, _MAX_PNG_PROFILE_BYTES + 1)) > _MAX_PNG_PROFILE_BYTES
    except zlib.error:
        return False


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8; 1 where there is none or the EXIF data is damaged."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # A photo with a broken label is still a photo.
        return 1


def _has_more(image: Image.Image) -> bool:
    """Whether frames or pages follow the first; looked at last, for a GIF this leaves the first frame."""
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # Damage behind the frame that is shown does not matter.
        return False


class _BoundedDirectory(TiffImagePlugin.ImageFileDirectory_v2):
    """The tags of a TIFF file or of EXIF data; Pillow copies a value for every tag that points at it, and many tags may."""

    def load(self, fp: IO[bytes]) -> None:
        super().load(_Rationed(fp))


class _Rationed:
    """A file that can be read a few times over, not more."""

    def __init__(self, file: IO[bytes]) -> None:
        start = file.tell()
        self._left_bytes = _MOST_COPIES * file.seek(0, io.SEEK_END)
        file.seek(start)
        self._file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, count: int) -> bytes:
        content = self._file.read(count)
        self._left_bytes -= len(content)
        if self._left_bytes < 0:
            raise ValueError("the tags share their values")
        return content
