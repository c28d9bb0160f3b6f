"""What goes through the pipes between the program and its decoders: a JSON head and raw bytes, their lengths before them."""

from __future__ import annotations

import json
import struct
from io import FileIO
from typing import Any

import numpy as np

__all__ = ["receive", "send"]

_LENGTHS = struct.Struct(">II")
_MAX_HEAD_BYTES = 2**20


def send(pipe: FileIO, head: dict[str, Any], body: bytes | np.ndarray = b"") -> None:
    """Writes one frame; body: bytes, or an array that lies in one piece. Raises OSError where nobody reads."""
    text = json.dumps(head).encode("ascii")
    body = memoryview(body).cast("B") if len(body) else b""
    _write(pipe, _LENGTHS.pack(len(text), len(body)) + text)
    _write(pipe, body)


def receive(pipe: FileIO, max_body_bytes: int) -> tuple[dict[str, Any], np.ndarray]:
    """(head, uint8 body). Raises EOFError where the other side is gone, and ValueError for what is no such frame."""
    head_bytes, body_bytes = _LENGTHS.unpack(_read(pipe, _LENGTHS.size))
    if head_bytes > _MAX_HEAD_BYTES or body_bytes > max_body_bytes:
        raise ValueError(f"a frame of {head_bytes} + {body_bytes} bytes")
    head = json.loads(_read(pipe, head_bytes).tobytes())
    if not isinstance(head, dict):
        raise ValueError("a frame's head is no object")
    return head, _read(pipe, body_bytes)


def _write(pipe: FileIO, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[pipe.write(rest) :]


def _read(pipe: FileIO, count: int) -> np.ndarray:
    content = np.empty(count, np.uint8)
    rest = memoryview(content)
    while rest:
        read = pipe.readinto(rest)
        if not read:
            raise EOFError("the other side is gone")
        rest = rest[read:]
    return content
