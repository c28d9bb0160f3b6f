"""What every training command shares: options, sets, optimiser helpers, sample pictures."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from engines.core.arguments import bounded_float, bounded_int, new_folder
from engines.core.device import rough_dtype
from engines.core.paths import packs_dir
from engines.core.progress import Progress
from engines.training.runs import Run, run_folder
from engines.training.schedule import MOST_MINUTES, Schedule

__all__ = [
    "add_common_arguments",
    "autocast",
    "command_line",
    "freeze",
    "held_out_count",
    "open_run",
    "pack_folder",
    "provenance",
    "report_every",
    "set_learning_rate",
]

_MOST_THREADS = 1024


def add_common_arguments(parser: argparse.ArgumentParser, *, steps: int | None, train_pictures: int | None = 24000) -> None:
    """--steps, --minutes, --resume, --run, --pictures, --threads; --pack and --seed come from the command line itself.

    steps: the default; None for a training without steps, which has no --steps, and for which --minutes decide nothing.
    train_pictures: the default; None for a training without renders, which has no --pictures.
    """
    add = parser.add_argument
    minutes = "stop after so many minutes of training"
    if steps is None:
        parser.set_defaults(steps=None)
        minutes = "as all trainings take it; this one has no steps to leave out, and takes the time that it takes"
    else:
        add("--steps", type=bounded_int(1), help=f"training steps (default {steps} where no --minutes is given)")
    add("--minutes", type=bounded_float(0, MOST_MINUTES, above=True), help=minutes)
    add("--resume", action="store_true", help="go on from the run's last checkpoint")
    add("--run", type=new_folder, metavar="DIR", help="the run's folder (default: in the data folder)")
    if train_pictures is None:
        parser.set_defaults(pictures=0)
    else:
        pictures = f"rendered training pictures to use (default {train_pictures})"
        add("--pictures", type=bounded_int(1), default=train_pictures, help=pictures)
    add("--threads", type=bounded_int(1, _MOST_THREADS), help="CPU threads (default: torch's own choice)")
    parser.set_defaults(default_steps=steps or 1)


def open_run(arguments: argparse.Namespace, what: str, extra: dict[str, Any]) -> tuple[Run, Schedule]:
    """The run of a training command and its schedule; applies --threads."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    steps = arguments.default_steps if arguments.steps is None and arguments.minutes is None else arguments.steps
    schedule = Schedule(steps, arguments.minutes)
    config = {
        "what": what,
        "pack": arguments.pack,
        "seed": arguments.seed,
        "steps": steps,
        "minutes": arguments.minutes,
        "pictures": arguments.pictures,
        **extra,
    }
    folder = run_folder(arguments.pack, what, arguments.run)
    return Run.open(folder, config, resume=arguments.resume), schedule


def command_line() -> str:
    """The command as it can be typed again, for provenance: without where its run lay and what it printed."""
    words, kept = list(sys.argv[1:]), ["python -m engines"]
    while words:
        word = words.pop(0)
        if word in ("--run", "--data-dir"):
            words = words[1:]
        elif word not in ("--json", "--resume") and not word.startswith(("--run=", "--data-dir=")):
            kept.append(Path(word).name if kept[-1] == "--init" else word)
    return " ".join(kept)


def provenance(
    arguments: argparse.Namespace,
    *,
    images_seen: int,
    data: str,
    data_licence: str,
    metrics: dict[str, Any],
    initialised_from: str = "",
) -> dict[str, Any]:
    """Where trained weights come from, in a manifest's form; `initialised_from` is empty for random starting weights."""
    return {
        "command": command_line(),
        "seed": arguments.seed,
        "images_seen": images_seen,
        "data": data,
        "data_licence": data_licence,
        "weights_licence": "Apache-2.0",
        "initialised_from": initialised_from,
        "metrics": metrics,
    }


def pack_folder(arguments: argparse.Namespace) -> Path:
    return packs_dir() / arguments.pack


def autocast() -> AbstractContextManager[None]:
    """bfloat16 activations where the processor has it: 1.5 to 2 times faster there, weights and losses stay float32."""
    return torch.autocast("cpu", torch.bfloat16, enabled=rough_dtype() is torch.bfloat16)


def set_learning_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Sets the rate; a group of parameters with a ``rate_share`` gets that share of it."""
    for group in optimiser.param_groups:
        group["lr"] = value * group.get("rate_share", 1.0)


def report_every(arguments: argparse.Namespace, stage: str, schedule: Schedule, seconds: float = 1.0) -> Callable[..., None]:
    """A function (step, elapsed_sec, loss, preview=None) that reports progress at most once in `seconds`."""
    last = [-float("inf")]

    def report(step: int, elapsed_sec: float, loss: float | None = None, preview: np.ndarray | None = None) -> None:
        now = time.monotonic()
        if now - last[0] >= seconds or preview is not None:
            last[0] = now
            arguments.progress(Progress(stage, step, schedule.steps, elapsed_sec, loss, preview))

    return report


def freeze(module: nn.Module) -> nn.Module:
    """Evaluation mode without gradients; returns the module."""
    return module.eval().requires_grad_(False)


def held_out_count(arguments: argparse.Namespace) -> int:
    """Validation pictures of a training: an eighth of the training pictures, from 32 to 2,000."""
    return min(2000, max(32, arguments.pictures // 8))
