"""The cache: bounded, least recently used first, one load a key at a time, no failures kept."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engines.core.cache import BoundedCache


def test_total_size_stays_within_the_bound_and_the_oldest_goes_first():
    cache: BoundedCache[str] = BoundedCache(10)
    for key in "abc":
        cache.get(key, lambda key=key: (key.upper(), 4))
        assert cache.total <= 10
    assert ["a" in cache, "b" in cache, "c" in cache] == [False, True, True]


def test_use_makes_recent():
    cache: BoundedCache[str] = BoundedCache(2)
    cache.get("a", lambda: ("A", 1))
    cache.get("b", lambda: ("B", 1))
    assert cache.get("a", lambda: pytest.fail("a is there")) == "A"
    cache.get("c", lambda: ("C", 1))
    assert ["a" in cache, "b" in cache, "c" in cache] == [True, False, True]


def test_a_value_larger_than_the_bound_is_given_but_not_kept():
    cache: BoundedCache[str] = BoundedCache(3)
    cache.get("small", lambda: ("s", 1))
    assert cache.get("large", lambda: ("l", 4)) == "l"
    assert "large" not in cache
    assert "small" in cache
    assert (len(cache), cache.total) == (1, 1)


def test_failures_are_not_kept():
    cache: BoundedCache[str] = BoundedCache(3)

    def fail():
        raise OSError("no disk")

    for _ in range(2):
        with pytest.raises(OSError, match="no disk"):
            cache.get("a", fail)
    assert cache.get("a", lambda: ("A", 1)) == "A"


def test_many_threads_load_a_key_once():
    cache: BoundedCache[object] = BoundedCache(3)
    loads = []
    release = threading.Event()

    def load():
        loads.append(1)
        assert release.wait(10)
        return object(), 1

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(cache.get, "a", load) for _ in range(8)]
        release.set()
        values = {id(future.result(10)) for future in waiting}
    assert len(loads) == 1
    assert len(values) == 1


def test_a_waiting_thread_tries_again_after_a_failure():
    cache: BoundedCache[str] = BoundedCache(3)
    started, release = threading.Event(), threading.Event()

    def fail():
        started.set()
        assert release.wait(10)
        raise OSError("first")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(cache.get, "a", fail)
        assert started.wait(10)
        second = threads.submit(cache.get, "a", lambda: ("A", 1))
        release.set()
        with pytest.raises(OSError, match="first"):
            first.result(10)
        assert second.result(10) == "A"


def test_different_keys_load_side_by_side():
    cache: BoundedCache[str] = BoundedCache(3)
    both = threading.Barrier(2)

    def load(name):
        both.wait(10)
        return name, 1

    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(cache.get, key, lambda key=key: load(key)) for key in "ab"]
        assert [future.result(10) for future in futures] == ["a", "b"]
