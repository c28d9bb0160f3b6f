"""One folder for all that a server writes for a while: uploads, downloads, the pictures of trainings.

It is removed when the server ends. One that was killed cannot: the next server removes what it has left.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engines.core.locks import try_lock

__all__ = ["own_folder"]

_PREFIX = "lwe-server-"
_ALIVE = "alive"
"""A file that its server has locked for as long as it lives."""
_STARTING_SEC = 60.0
"""A server may take so long from making its folder to locking it."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that goes at the end, and in which the program's temporary files are made meanwhile."""
    _remove_abandoned()
    before = tempfile.tempdir
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with try_lock(folder / _ALIVE):
            tempfile.tempdir = str(folder)
            yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, or gone meanwhile
            # Without its file it is no server's, or of one that has only just made it.
            if (folder / _ALIVE).exists() and time.time() - folder.stat().st_ctime > _STARTING_SEC:
                with try_lock(folder / _ALIVE) as abandoned:
                    if abandoned:
                        shutil.rmtree(folder, ignore_errors=True)
