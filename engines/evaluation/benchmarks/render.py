"""``benchmark render``: milliseconds a rendered portrait of 128 px takes on one core.

Baseline: a fixed NumPy computation, timed in turn with the pictures on the same core, so that `render_ratio` can be compared
between machines and between versions.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.core.rng import numpy_generator
from engines.data.registry import data_set
from engines.evaluation.benchmarks.timing import interleaved_ms

__all__ = ["HELP", "add_arguments", "run"]

HELP = "milliseconds per rendered portrait on one core"

_BASELINE_VALUES = 500_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=40, help="portraits to render (default 40)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns `render_ms_per_picture`, `render_ms_p95`, `baseline_ms_median` and `render_ratio` (picture / baseline)."""
    if arguments.n < 1:
        raise OptionError(f"--n {arguments.n}: at least one portrait is needed.")
    faces = data_set("faces")
    portraits = [faces.exported(arguments.seed, index) for index in range(arguments.n)]
    values = numpy_generator(arguments.seed).random(_BASELINE_VALUES, np.float32)
    with _one_core() as pinned:
        measured = interleaved_ms(
            {
                "render": lambda index: faces.render(portraits[index % len(portraits)], faces.size_px),
                "baseline": lambda _: np.cumsum(np.sort(values)),
            },
            arguments.n,
        )
    baseline = float(np.median(measured["baseline"]))
    mean = float(measured["render"].mean())
    return {
        "render_ms_per_picture": mean,
        "render_ms_p95": float(np.quantile(measured["render"], 0.95)),
        "baseline_ms_median": baseline,
        "render_ratio": mean / baseline,
        "baseline": f"sorting and summing {_BASELINE_VALUES} float32 values in NumPy",
        "one_core": pinned,
        "n": arguments.n,
        "size_px": faces.size_px,
    }


@contextmanager
def _one_core() -> Iterator[bool]:
    """Keeps this thread on one core while inside, where the system can; yields whether it could."""
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
