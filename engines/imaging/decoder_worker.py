"""The process that decodes pictures: requests on its input, answers on its output, until the input ends.

Whatever a hostile file does to the decoders happens here, where memory and time are bounded by the system and nobody
else's work is lost. Started by :mod:`engines.imaging.decoder_pool`. A request's head has `kind`, `subject` and `cpu_sec`, its
body is the file; the answer's has `shape` and `notes`, its body the pixels, or it has `error`, a sentence. With `last` the
process ends after it.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import warnings
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.errors import ImageReadError
from engines.imaging.decoder import decode, prepare_library
from engines.imaging.decoder_frames import receive, send

try:
    import resource
except ImportError:  # Windows
    resource = None

__all__ = ["main"]

_MAX_REQUEST_BYTES = 2**30
# What decoders lose of their memory piles up only until then.
_MOST_PICTURES = 1000


def main(memory_bytes: int) -> None:
    """Answers requests, in at most so much memory. The first frame sent, an empty one, says that it is ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # It is meant for the program, which ends this process when it ends.
    warnings.simplefilter("ignore")
    requests, answers = _pipes()
    prepare_library()
    _bound(memory_bytes)
    send(answers, {})
    for number in range(1, _MOST_PICTURES + 1):
        try:
            head, body = receive(requests, _MAX_REQUEST_BYTES)
        except EOFError:
            return
        _allow_cpu(head["cpu_sec"])
        head, body = _answer(body.tobytes(), head["kind"], head["subject"])
        head["last"] = head.get("last", False) or number == _MOST_PICTURES
        send(answers, head, body)
        if head["last"]:
            return


def _answer(data: bytes, kind: str, subject: str) -> tuple[dict[str, Any], np.ndarray | bytes]:
    try:
        pixels, notes = decode(data, kind, subject)
    except ImageReadError as error:
        return {"error": str(error), "last": isinstance(error.__cause__, MemoryError)}, b""
    return {"shape": pixels.shape, "notes": notes}, pixels


def _pipes() -> tuple[FileIO, FileIO]:
    """(requests, answers); what the decoders' own code might read or print no longer gets there."""
    requests, answers = (os.fdopen(os.dup(number), mode, buffering=0) for number, mode in ((0, "rb"), (1, "wb")))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    return requests, answers


def _bound(memory_bytes: int) -> None:
    """Bounds the memory of this process, and puts it first in line where the whole machine runs out of it."""
    if resource is not None:
        _limit(resource.RLIMIT_AS, memory_bytes)
        _limit(resource.RLIMIT_CORE, 0)
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    with suppress(OSError):  # Linux has it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _allow_cpu(seconds: float) -> None:
    """Lets the system end this process once it has computed for so many seconds more, to a second or two."""
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds))


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    with suppress(ValueError, OSError):  # macOS knows limits that it does not let one set
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main(int(sys.argv[1]))
