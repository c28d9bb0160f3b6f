"""Has pictures decoded in other processes: a few at a time, each watched, and replaced when it was ended.

Every process has a thread here that hands it one picture after the other. Who wants a picture waits, looks at the clock and
at the cancel token meanwhile, and has the process killed where one of them says so.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from concurrent.futures import Future, wait
from dataclasses import dataclass

import numpy as np

from engines.core.errors import Cancelled, ImageReadError
from engines.core.progress import CancelToken
from engines.imaging import decoder_limits as limits
from engines.imaging.decoder_process import DecoderProcess

__all__ = ["DecoderPool", "decoder_pool"]

_MOST_PROCESSES = 2
_IDLE_SEC = 180.0
_POLL_SEC = 0.05

_Result = tuple[np.ndarray, tuple[str, ...]]


@dataclass(eq=False)
class _Job:
    """A picture that somebody waits for."""

    data: bytes
    kind: str
    subject: str
    outcome: Future[_Result] | None
    """None once it is settled; who waits has it then."""
    process: DecoderProcess | None = None
    """The one that is at it."""
    begun: float = float("inf")
    wanted: bool = True
    """Whether somebody still waits."""

    def settle(self, result: _Result | None = None, error: Exception | None = None) -> None:
        """Tells who waits, and forgets what is large."""
        outcome, self.outcome, self.data = self.outcome, None, b""
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)


class DecoderPool:
    """At most two decoders, started when they are needed and ended when they were idle for minutes, or with the program."""

    def __init__(self) -> None:
        self._hooked = False
        self._forget()

    def decode(self, data: bytes, kind: str, subject: str, cancel: CancelToken | None = None) -> _Result:
        """(uint8 sRGB [H, W, 3], notes) of a picture's bytes; `kind` and `subject` as :func:`decoder.decode` has them.

        Raises ImageReadError for anything that is not read within the limits, and Cancelled.
        """
        outcome: Future[_Result] = Future()
        job = _Job(data, kind, subject, outcome)
        try:
            self._add(job)
            while not wait([outcome], _POLL_SEC).done:
                if cancel is not None:
                    cancel.raise_if_cancelled()
                if time.monotonic() - job.begun > limits.WALL_SEC:
                    raise ImageReadError(f"{subject} {limits.TOO_LONG}")
            return outcome.result()
        finally:
            self._drop(job)
            del outcome  # Its error leads here through the traceback: neither, nor the picture, would be let go for long.

    def process_ids(self) -> list[int]:
        """Those of the decoders that run now."""
        with self._changed:
            return [process.id for process in self._processes]

    def close(self) -> None:
        """Ends the decoders and whatever they are at."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            jobs, processes = tuple(self._jobs), tuple(self._processes)
            self._jobs.clear()
        for job in jobs:
            job.settle(error=_no_process(job, "the program ends"))
        for process in processes:
            process.end()

    def _forget(self) -> None:
        """As new; also in a forked process, where the threads are gone and the decoders are another's."""
        for process in getattr(self, "_processes", ()):
            process.close_pipes()
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._processes: set[DecoderProcess] = set()
        self._threads = self._busy_threads = 0
        self._closed = False

    def _add(self, job: _Job) -> None:
        with self._changed:
            if self._closed:
                raise _no_process(job, "the program ends")
            self._hook()
            self._jobs.append(job)
            if self._threads - self._busy_threads < len(self._jobs) and self._threads < _MOST_PROCESSES:
                try:
                    threading.Thread(target=self._serve, name="picture decoder", daemon=True).start()
                    self._threads += 1
                except RuntimeError as error:  # As many as the system allows run.
                    if not self._threads:
                        raise _no_process(job, error) from error
            self._changed.notify()

    def _drop(self, job: _Job) -> None:
        """Nobody waits for it any more."""
        with self._changed:
            job.wanted = False
            if job in self._jobs:
                self._jobs.remove(job)
            if job.process is not None:
                job.process.kill()

    def _serve(self) -> None:
        """What a thread does: it keeps one process, and ends it when nothing was to do for a while."""
        process = None
        while not self._closed:
            process = self._serve_next(process)
        if process is not None:
            self._end(process)

    def _serve_next(self, process: DecoderProcess | None) -> DecoderProcess | None:
        """Waits for a job and does it; returns the process to go on with."""
        job = self._next(None if process is None else _IDLE_SEC)
        if process is not None and (job is None or not process.usable):
            self._end(process)
            process = None
        if job is not None:
            process = self._work(job, process)
        if process is not None and not process.usable:
            self._end(process)
            process = None
        return process

    def _next(self, timeout_sec: float | None) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed, timeout_sec)
            if self._closed or not self._jobs:
                return None
            self._busy_threads += 1
            return self._jobs.popleft()

    def _work(self, job: _Job, process: DecoderProcess | None) -> DecoderProcess | None:
        """Fulfils a job with the process, or a new one; returns the one to go on with."""
        try:
            process = process or self._start()
            self._begin(job, process)
            result = process.decode(job.data, job.kind, job.subject)
        except OSError as error:
            self._finish(job, error=_no_process(job, error.strerror or error))
        except Exception as error:  # ImageReadError, or a fault: whoever waits is to see it.
            self._finish(job, error=error)
        else:
            self._finish(job, result)
        return process

    def _begin(self, job: _Job, process: DecoderProcess) -> None:
        with self._changed:
            if not job.wanted:
                raise Cancelled("Cancelled.")
            job.process, job.begun = process, time.monotonic()

    def _finish(self, job: _Job, result: _Result | None = None, error: Exception | None = None) -> None:
        with self._changed:
            job.process = None  # It must not be killed for this job's sake from here on.
            self._busy_threads -= 1
        job.settle(result, error)

    def _start(self) -> DecoderProcess:
        process = DecoderProcess()
        with self._changed:
            self._processes.add(process)
        return process

    def _end(self, process: DecoderProcess) -> None:
        process.end()
        with self._changed:
            self._processes.discard(process)

    def _hook(self) -> None:
        """Has the system tell when the program ends or forks, from the first picture on."""
        if not self._hooked:
            self._hooked = True
            atexit.register(self.close)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._forget)


def _no_process(job: _Job, reason: object) -> ImageReadError:
    return ImageReadError(
        f"{job.subject} could not be read, because the process that reads pictures did not start ({reason}); try again later."
    )


_POOL = DecoderPool()


def decoder_pool() -> DecoderPool:
    """The one that the whole program shares."""
    return _POOL
