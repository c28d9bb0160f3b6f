"""Who may use the networks now: long jobs take turns in the order they came, and a waiting one knows its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from engines.api import CancelToken

__all__ = ["TooBusy", "Turn", "Turns"]


class TooBusy(Exception):
    """More jobs wait than are allowed to."""


class Turns:
    """A fair lock for one job at a time, or a few, whose waiters can count and give up."""

    def __init__(self, max_waiting: int = 20, *, at_once: int = 1) -> None:
        self._max_waiting = max_waiting
        self._at_once = at_once
        self._changed = threading.Condition()
        self._queue: list[object] = []

    @contextmanager
    def join(self) -> Iterator[Turn]:
        """A place in the queue, left at the end of the with block. Raises TooBusy."""
        ticket = object()
        with self._changed:
            if len(self._queue) >= self._at_once + self._max_waiting:
                raise TooBusy
            self._queue.append(ticket)
        try:
            yield Turn(self._changed, self._queue, ticket, self._at_once)
        finally:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()


class Turn:
    """One job's place."""

    def __init__(self, changed: threading.Condition, queue: list[object], ticket: object, at_once: int) -> None:
        self._changed, self._queue, self._ticket, self._at_once = changed, queue, ticket, at_once

    @property
    def ahead(self) -> int:
        """How many jobs have to end first; 0: it is this one's turn."""
        with self._changed:
            return max(0, self._queue.index(self._ticket) + 1 - self._at_once)

    def wait(self, cancel: CancelToken, *, look_every_sec: float = 0.3) -> Iterator[int]:
        """Yields the number of jobs ahead every now and then until it is this one's turn or `cancel` is set."""
        while not cancel.cancelled and (ahead := self.ahead):
            yield ahead
            with self._changed:
                self._changed.wait_for(lambda: not self.ahead, timeout=look_every_sec)
