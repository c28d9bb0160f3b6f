"""What the test's own process needs of memory while something happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["own_peak_bytes"]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@contextmanager
def own_peak_bytes() -> Iterator[Callable[[], int]]:
    """Yields a function: by how much the process at its largest has exceeded what it had on entry. Skips without Linux."""
    if not _CLEAR.exists():
        pytest.skip("only Linux forgets a process's peak")
    _CLEAR.write_text("5", encoding="ascii")  # proc(5): resets the peak
    before = _field_bytes("VmRSS")
    yield lambda: _field_bytes("VmHWM") - before


def _field_bytes(name: str) -> int:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
