"""One process that decodes pictures, seen from the program: started, asked, and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

import numpy as np

from engines.core.errors import ImageReadError
from engines.core.paths import repository_dir
from engines.imaging import decoder_limits as limits
from engines.imaging.decoder_frames import receive, send

__all__ = ["DecoderProcess"]

_BROKEN_OFF = "is damaged in such a way that reading it broke off; open it elsewhere and save it anew."

# Between the end of its output and the end of a process.
_END_SEC = 5.0
# How the system ends a process that computed for too long; Windows does not.
_CPU_SIGNAL = getattr(signal, "SIGXCPU", None)
_KILL_SIGNAL = getattr(signal, "SIGKILL", None)


class DecoderProcess:
    """A running decoder. One thread asks it; any may :meth:`kill` it meanwhile, which ends what is being asked."""

    def __init__(self) -> None:
        """Raises OSError where no process can be started."""
        if not sys.executable:
            raise OSError("there is no Python interpreter to start")
        # Not multiprocessing, which runs the program's main script once more.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engines.imaging.decoder_worker", str(limits.MEMORY_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=repository_dir(),
            env=_environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._ready = False
        self._over = self._killed = False

    @property
    def id(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can be asked again."""
        return not (self._over or self._killed) and self._process.poll() is None

    def decode(self, data: bytes, kind: str, subject: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """(uint8 sRGB [H, W, 3], notes). Raises ImageReadError for what cannot be read, and OSError where it has never run."""
        self._over = True
        self._wait_until_ready()
        try:
            send(self._process.stdin, {"kind": kind, "subject": subject, "cpu_sec": limits.CPU_SEC}, data)
            head, body = receive(self._process.stdout, 3 * limits.MAX_PIXELS)
            answer = _checked(head, body)
        except (OSError, EOFError, ValueError) as error:
            raise ImageReadError(f"{subject} {self._ending()}") from error
        self._over = bool(head.get("last"))
        if isinstance(answer, str):
            raise ImageReadError(answer)
        return answer

    def kill(self) -> None:
        self._killed = True
        with suppress(OSError):
            self._process.kill()

    def end(self) -> None:
        """Kills it, waits for its end and closes the pipes."""
        self.kill()
        self._process.wait()
        self.close_pipes()

    def close_pipes(self) -> None:
        """All that a process may do that was forked off the one that started the decoder."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()

    def _wait_until_ready(self) -> None:
        if not self._ready:
            try:
                receive(self._process.stdout, 0)
            except (EOFError, ValueError) as error:
                raise OSError("it ended at once") from error
        self._ready = True

    def _ending(self) -> str:
        """What is said of a picture whose process did not answer."""
        try:
            code = self._process.wait(_END_SEC)
        except subprocess.TimeoutExpired:  # It lives and answers nonsense.
            return _BROKEN_OFF
        if _CPU_SIGNAL is not None and code == -_CPU_SIGNAL:
            return limits.TOO_LONG
        # Where the machine runs out of memory, the system kills the decoder.
        return limits.TOO_LARGE if _KILL_SIGNAL is not None and code == -_KILL_SIGNAL else _BROKEN_OFF


def _checked(head: dict[str, Any], body: np.ndarray) -> str | tuple[np.ndarray, tuple[str, ...]]:
    """A sentence, or (pixels, notes). Raises ValueError for anything else: hostile bytes may have taken the decoder over."""
    if isinstance(head.get("error"), str):
        return head["error"]
    shape, notes = head.get("shape"), head.get("notes")
    if not (isinstance(shape, list) and len(shape) == 3 and all(type(side) is int and side > 0 for side in shape)):
        raise ValueError(f"an answer without a shape: {shape}")
    if shape[2] != 3 or not (isinstance(notes, list) and all(isinstance(note, str) for note in notes)):
        raise ValueError("an answer that is no picture")
    return body.reshape(shape), tuple(notes)


def _environment() -> dict[str, str]:
    path = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    path = os.pathsep.join([str(repository_dir()), *map(os.path.abspath, path)])
    # The threads of libraries that are not used, and each one's share of the heap, would take of the memory it may have.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **threads, "MALLOC_ARENA_MAX": "2", "PYTHONPATH": path}
