"""A bounded cache that loads each key at most once at a time and never keeps a failure."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["BoundedCache"]

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Keeps the values that were used last, up to a total size; safe to use from several threads.

    The unit of size is the caller's (bytes for weights, 1 for things that are merely counted).
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._total = 0
        self._loading: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], tuple[Value, int]]) -> Value:
        """The value of `key`; ``load() -> (value, size)`` is called when it is not there, by one thread at a time.

        Threads that ask for the key meanwhile wait. When `load` raises, its caller gets the error, nothing is kept, and
        one of those who wait tries again. A value larger than the whole capacity is returned and not kept.
        """
        while True:
            with self._lock:
                if key in self._entries:
                    self._entries.move_to_end(key)
                    return self._entries[key][0]
                finished = self._loading.get(key)
                if finished is None:
                    self._loading[key] = threading.Event()
                    break
            finished.wait()
        try:
            value, size = load()
            with self._lock:
                self._keep(key, value, size)
            return value
        finally:
            with self._lock:
                self._loading.pop(key).set()

    def _keep(self, key: Hashable, value: Value, size: int) -> None:
        if size > self.capacity:
            return
        self._entries[key] = (value, size)
        self._total += size
        while self._total > self.capacity:
            _, (_, evicted_size) = self._entries.popitem(last=False)
            self._total -= evicted_size

    @property
    def total(self) -> int:
        """Size of what is kept, at most `capacity`."""
        return self._total

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)
