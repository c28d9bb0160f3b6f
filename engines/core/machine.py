"""Which machine a speed was measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["machine"]

_CPUINFO = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """`processor`, as the system names it, and `cores`, those that this process may use."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return {"processor": _named_by_linux() or platform.processor() or platform.machine(), "cores": len(usable)}


def _named_by_linux() -> str | None:
    """platform.processor() is empty on most Linux systems."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
