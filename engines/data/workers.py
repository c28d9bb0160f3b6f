"""Work spread over processes: one writer asks, many render."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from engines.core.progress import CancelToken

__all__ = ["default_processes", "in_processes"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_MOST_PROCESSES = 8
"""Each holds the mesh, about 350 MB."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def default_processes() -> int:
    """As many as there are cores for this process, up to eight."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_PROCESSES)


def in_processes(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[Result]:
    """Results of `function` on each task, in order, as they become ready.

    `function` and the tasks are sent to freshly started processes, so they must be importable and small. One process, or one
    task, runs here. Raises Cancelled at the next result once `cancel` was set; the processes end then, or when the iterator
    is closed.
    """
    wanted = min(default_processes() if processes is None else processes, len(tasks))
    if wanted <= 1:
        for task in tasks:
            if cancel is not None:
                cancel.raise_if_cancelled()
            yield function(task)
        return
    with _one_thread_each():
        pool = multiprocessing.get_context("spawn").Pool(wanted)
    with pool:  # leaving it ends the processes
        for result in pool.imap(function, tasks):
            if cancel is not None:
                cancel.raise_if_cancelled()
            yield result


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside compute on one thread each: there is one for every core already."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
