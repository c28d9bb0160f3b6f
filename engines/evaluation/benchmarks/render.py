"""``benchmark render``: milliseconds that a rendered picture of the set that a pack learns from takes on one core.

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

from engines.core.arguments import bounded_int
from engines.core.rng import numpy_generator
from engines.data.registry import set_with_attributes
from engines.evaluation.benchmarks.record import recorded
from engines.evaluation.benchmarks.timing import interleaved_ms
from engines.packs.registry import open_pack

__all__ = ["HELP", "add_arguments", "run"]

HELP = "milliseconds per rendered picture of the pack's set on one core"

_BASELINE_VALUES = 500_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=bounded_int(1, 100_000), default=40, help="pictures to render (default 40)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns `render_ms_per_picture`, `render_ms_p95`, `baseline_ms_median` and `render_ratio` (picture / baseline)."""
    pack = open_pack(arguments.pack)
    labels = [label for row in pack.manifest.attributes for label in row.levels or (row.id,)]
    data = set_with_attributes(labels)
    records = [data.exported(arguments.seed, index) for index in range(arguments.n)]
    values = numpy_generator(arguments.seed).random(_BASELINE_VALUES, np.float32)
    with _one_core() as pinned:
        measured = interleaved_ms(
            {
                "render": lambda index: data.render(records[index % len(records)], data.size_px),
                "baseline": lambda _: np.cumsum(np.sort(values)),
            },
            arguments.n,
        )
    baseline = float(np.median(measured["baseline"]))
    mean = float(measured["render"].mean())
    figures = {
        "render_ms_per_picture": mean,
        "render_ms_p95": float(np.quantile(measured["render"], 0.95)),
        "baseline_ms_median": baseline,
        "render_ratio": mean / baseline,
        "baseline": f"sorting and summing {_BASELINE_VALUES} float32 values in NumPy",
        "one_core": pinned,
        "n": arguments.n,
        "set": data.name,
        "size_px": data.size_px,
    }
    return recorded(figures, "benchmark render", arguments, ("n",), pack)


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
