"""Files for the reader's tests: encoded pictures, and colour profiles and broken headers written byte by byte."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

# Columns: the primaries' XYZ, adapted to D50, as in the profiles ICC publishes for these spaces.
SRGB_TO_XYZ = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
P3_TO_XYZ = np.array([[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]])


def encoded(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def srgb_encoded(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1: linear light in [0, 1] to sRGB levels 0..255, not rounded."""
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)


def linear_rgb_profile(to_xyz: np.ndarray) -> bytes:
    """An ICC profile of the given primaries in linear light."""
    tags = [(name, _xyz(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), to_xyz.T, strict=True)]
    return _profile(b"RGB ", tags + [(name, _LINEAR_CURVE) for name in (b"rTRC", b"gTRC", b"bTRC")])


def linear_grey_profile() -> bytes:
    return _profile(b"GRAY", [(b"kTRC", _LINEAR_CURVE)])


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(data: bytes, kind: bytes, content: bytes) -> bytes:
    """A PNG with a further chunk behind its header."""
    return data[:33] + png_chunk(kind, content) + data[33:]


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is large and holds a single byte of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def gif_with_frame(width: int, height: int) -> bytes:
    """A GIF whose screen has one pixel and whose only frame has width x height."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    return screen + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00\x3b"


def gif_with_comment(blocks: int) -> bytes:
    """A GIF whose comment is cut into blocks of one byte; Pillow copies all of it for each."""
    data = encoded(Image.new("L", (4, 4)), "GIF")
    start = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:start] + b"\x21\xfe" + b"\x01c" * blocks + b"\0" + data[start:]


def tags_of_one_value(tags: int, value_bytes: int) -> bytes:
    """A TIFF file, or EXIF data, of nothing but a directory whose tags all have the same bytes as their value."""
    start = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", 1 + tag, 7, value_bytes, start) for tag in range(tags))
    return b"II*\0" + struct.pack("<IH", 8, tags) + entries + struct.pack("<I", 0) + bytes(value_bytes)


def tiff_with_tiles(side: int, tile: int) -> bytes:
    """A grey TIFF of side x side whose only tile, deflated, is tile x tile."""
    packed = zlib.compress(b"\0" * 1024)
    entries = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, tile), (323, 4, tile), (324, 4, 8 + 2 + 12 * 10 + 4), (325, 4, len(packed))]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + packed


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(value)) for value in values)


_LINEAR_CURVE = b"curv\0\0\0\0\0\0\0\0"
_D50 = np.array([0.9642, 1.0, 0.8249])


def _profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """ICC.1:2001-04: a display profile with a D50 white point."""
    description = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = [(b"desc", description), (b"cprt", b"text\0\0\0\0CC0\0"), (b"wtpt", _xyz(_D50)), *tags]
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags:
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(_fixed(float(v)) for v in _D50)
    return header.ljust(128, b"\0") + table + body
