"""Progress records and cancelling, shared by inversion, training, rendering and evaluation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.core.errors import Cancelled

__all__ = ["CancelToken", "Progress", "ProgressCallback"]


@dataclass(frozen=True)
class Progress:
    """One moment of a long piece of work."""

    stage: str
    """What is being done, in words a user understands."""
    step: int
    """Steps finished in this stage, 0 <= step <= total."""
    total: int | None
    """Steps of this stage, or None when only time bounds it."""
    elapsed_sec: float
    loss: float | None = None
    preview: np.ndarray | None = None
    """uint8 RGB [H, W, 3] of the best result so far, or None when this record brings no new one."""


ProgressCallback = Callable[[Progress], None]


class CancelToken:
    """A thread-safe flag that long work looks at between any two steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raises Cancelled once :meth:`cancel` was called."""
        if self._event.is_set():
            raise Cancelled("Cancelled.")
