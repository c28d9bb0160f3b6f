"""Timing functions against each other."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch

from engines.core.device import resolve_device
from engines.core.errors import OptionError

__all__ = ["add_timing_arguments", "apply_threads", "interleaved_ms"]

_WARM_UP = 5


def add_timing_arguments(parser: argparse.ArgumentParser, *, repeats: int) -> None:
    parser.add_argument("--repeats", type=int, default=repeats, help=f"timed calls of each kind (default {repeats})")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (default: torch's own choice)")


def apply_threads(arguments: argparse.Namespace) -> int:
    """Applies --threads, checks --repeats, and returns the number of threads in use. Raises OptionError."""
    if resolve_device(arguments.device).type != "cpu":
        raise OptionError(f"--device {arguments.device}: benchmarks measure the CPU; use cpu.")
    if arguments.repeats < 1:
        raise OptionError(f"--repeats {arguments.repeats}: at least one call is needed.")
    if arguments.threads is not None:
        if arguments.threads < 1:
            raise OptionError(f"--threads {arguments.threads}: at least one is needed.")
        torch.set_num_threads(arguments.threads)
    return torch.get_num_threads()


def interleaved_ms(
    functions: Mapping[str, Callable[[int], object]], repeats: int, *, warm_up: int = _WARM_UP
) -> dict[str, np.ndarray]:
    """Milliseconds [repeats] of every function, called with 0, 1, 2, …

    The functions take turns, so that a machine that slows down meanwhile slows all of them; `warm_up` calls of each
    before are not counted.
    """
    for index in range(warm_up):
        for function in functions.values():
            function(index)
    measured: dict[str, list[float]] = {name: [] for name in functions}
    for index in range(repeats):
        for name, function in functions.items():
            started = time.perf_counter()
            function(index)
            measured[name].append((time.perf_counter() - started) * 1000)
    return {name: np.array(values) for name, values in measured.items()}
