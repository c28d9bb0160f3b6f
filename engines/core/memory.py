"""Memory that large tensors free stays with the process, so that the next ones need no fresh pages from the system.

By default glibc hands every block of more than some megabytes straight back; a training or inversion step then spends a
third of its time on page faults.
"""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

# Parameters of mallopt, malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory(*, up_to_bytes: int = 2**31 - 1) -> bool:
    """Tells the C library's allocator to reuse freed memory up to a total; returns whether it listened (glibc only)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no glibc: macOS, Windows, musl
        return False
    done = [mallopt(_M_MMAP_THRESHOLD, 2**30), mallopt(_M_TRIM_THRESHOLD, up_to_bytes), mallopt(_M_TOP_PAD, 64 * 2**20)]
    return all(result == 1 for result in done)
