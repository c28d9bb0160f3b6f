"""Finished pictures waiting for the browser: each lies under an unguessable ticket, for a short time, in a private folder."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["Download", "Downloads"]


@dataclass(frozen=True)
class Download:
    """A PNG file and the name it is offered under."""

    path: Path
    name: str
    made_sec: float
    bytes: int


class Downloads:
    """Tickets and their files; a ticket is good for `max_age_sec`, and the oldest go where all together are too large."""

    def __init__(
        self,
        *,
        max_age_sec: float = 300.0,
        max_bytes: int = 1 << 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_age_sec = max_age_sec
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._files: dict[str, Download] = {}

    def add(self, pixels: np.ndarray, name: str) -> str:
        """Writes uint8 [H, W, 3] as PNG and returns its ticket."""
        ticket = secrets.token_urlsafe(24)
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="lwe-downloads-"))
            path = self._folder / f"{ticket}.png"
        try:
            # Level 1 writes a 12-megapixel photo in about a second; higher levels take several for a tenth of the size.
            Image.fromarray(pixels).save(path, "png", compress_level=1)
            size_bytes = path.stat().st_size
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        with self._lock:
            self._remove_old()
            self._make_room(size_bytes)
            self._files[ticket] = Download(path, name, self._clock(), size_bytes)
        return ticket

    def find(self, ticket: str) -> Download | None:
        with self._lock:
            self._remove_old()
            return self._files.get(ticket)

    def sweep(self) -> None:
        """Removes the files whose time is over; to be called every now and then."""
        with self._lock:
            self._remove_old()

    def close(self) -> None:
        """Removes all files."""
        with self._lock:
            self._files.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _remove_old(self) -> None:
        for ticket, download in list(self._files.items()):
            if self._clock() - download.made_sec > self._max_age_sec:
                self._remove(ticket)

    def _make_room(self, bytes_: int) -> None:
        total_bytes = bytes_ + sum(download.bytes for download in self._files.values())
        for ticket, download in list(self._files.items()):
            if total_bytes > self._max_bytes:
                total_bytes -= download.bytes
                self._remove(ticket)

    def _remove(self, ticket: str) -> None:
        self._files.pop(ticket).path.unlink(missing_ok=True)
