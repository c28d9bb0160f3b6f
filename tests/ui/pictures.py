"""Pictures for the page's tests, made here or bundled: one face, several, none, and files that are no good."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["HOSTILE", "face", "png", "several_faces", "without_face"]

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "assets" / "examples"


def face() -> np.ndarray:
    """uint8 [512, 512, 3]: the public-domain portrait of the astronaut."""
    bundled = next(iter(sorted(EXAMPLES_DIR.glob("astronaut.*"))), None)
    if bundled is not None:
        return np.asarray(Image.open(bundled).convert("RGB"))
    from skimage import data

    return data.astronaut()


def several_faces() -> np.ndarray:
    """uint8 [512, 1024, 3]: the same face twice, the right one mirrored and smaller."""
    left = face()
    right = np.asarray(Image.fromarray(left[:, ::-1]).resize((400, 400)))
    right = np.pad(right, ((60, 52), (56, 56), (0, 0)), mode="edge")
    return np.concatenate([left, right], axis=1)


def without_face() -> np.ndarray:
    """uint8 [240, 320, 3]: a colour ramp."""
    y, x = np.mgrid[0:240, 0:320]
    return np.stack([x * 255 // 319, y * 255 // 239, np.full_like(x, 90)], axis=-1).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg")
    return buffer.getvalue()


def _bomb() -> bytes:
    """A PNG of a few bytes that says it has 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'

HOSTILE = {
    "text.png": b"this is no picture",
    "cut-off.jpg": _jpeg(without_face())[:700],
    "huge.png": _bomb(),
    "drawing.svg": _SVG,
    "paper.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
    "<img src=x onerror=alert(1)>.jpg": b"\xff\xd8\xff\xe0broken",
}
"""File name -> bytes of files that are no readable picture."""
