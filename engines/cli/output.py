"""What commands write: text for people, progress and errors on stderr, and one JSON object where that is wanted."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.progress import Progress, ProgressCallback

__all__ = ["complain", "print_json", "progress_line", "progress_printer"]

_PERIOD_SEC = 1.0


def complain(text: str) -> None:
    """One line ``error: ...`` on stderr, whatever line breaks `text` has."""
    print(f"error: {' '.join(text.split())}", file=sys.stderr, flush=True)


def print_json(value: dict[str, Any]) -> None:
    """One line of strict JSON on stdout; numbers that are not finite become null."""
    print(json.dumps(_plain(value), allow_nan=False), flush=True)


def progress_line(record: Progress) -> str:
    """``Refining 40/100, 3.1 s, loss 0.0214``"""
    steps = f" {record.step}" if record.total is None else f" {record.step}/{record.total}"
    loss = "" if record.loss is None else f", loss {record.loss:.4g}"
    return f"{record.stage}{steps}, {record.elapsed_sec:.1f} s{loss}"


def progress_printer(prefix: str = "") -> ProgressCallback:
    """A callback that prints records to stderr: where a stage begins or ends, and at most once a second in between."""
    last_sec, last_stage = -math.inf, None

    def show(record: Progress) -> None:
        nonlocal last_sec, last_stage
        now = time.monotonic()
        if record.stage != last_stage or record.step == record.total or now - last_sec >= _PERIOD_SEC:
            last_sec, last_stage = now, record.stage
            print(f"{prefix}{progress_line(record)}", file=sys.stderr, flush=True)

    return show


def _plain(value: Any) -> Any:
    """Plain JSON values: paths as text, NumPy numbers and arrays as numbers and lists, NaN and infinity as None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value
