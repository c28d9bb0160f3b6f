"""Locks between processes: a file that one holder at a time has locked. The system lets go when a process dies, however."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["try_lock"]

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Yields whether the lock of that file was free; if so it is held inside, against other processes and other threads.

    The file is made where it is missing and removed at the end. Raises OSError where it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    held = False
    try:
        held = _held(handle, path)
        yield held
    finally:
        # While it is still locked: who waits for this very file sees that it is gone, and tries again.
        if held:
            with suppress(PermissionError):  # Windows keeps files that are open
                path.unlink(missing_ok=True)
        os.close(handle)


def _held(handle: int, path: Path) -> bool:
    try:
        _lock(handle)
        # A holder that has just left has removed the file: then this is the lock of nothing.
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except OSError:
        return False
