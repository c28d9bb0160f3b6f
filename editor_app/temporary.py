"""One folder for all that a server writes for a while: uploads, downloads, the pictures of trainings.

It is removed when the server ends. One that was killed cannot: the next server removes what it has left.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["own_folder"]

_PREFIX = "lwe-server-"
_ALIVE = "alive"
_STARTING_SEC = 60.0
"""A server may take so long from making its folder to locking it."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that goes at the end, and in which the program's temporary files are made meanwhile."""
    _remove_abandoned()
    before = tempfile.tempdir
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with (folder / _ALIVE).open("wb") as alive:
            # The system lets go when the process dies, however it does.
            _lock(alive)
            tempfile.tempdir = str(folder)
            yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # also: its server is alive, or is somebody else's
            if time.time() - folder.stat().st_ctime > _STARTING_SEC:
                with (folder / _ALIVE).open("r+b") as alive:
                    _lock(alive)
                shutil.rmtree(folder, ignore_errors=True)
