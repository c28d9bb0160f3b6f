"""``benchmark inversion``: the encoder's milliseconds, optimisation steps per second, and rounds of BasinCMA.

Baseline: the same step (forward, backward, Adam on W+) on a generator that runs as grouped convolutions with weights made for
the sample, the usual implementation of projection.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.evaluation.benchmarks.basin import basin_round_figures
from engines.evaluation.benchmarks.grouped import grouped_synthesis
from engines.evaluation.benchmarks.record import recorded
from engines.evaluation.benchmarks.timing import add_timing_arguments, apply_threads, interleaved_ms
from engines.evaluation.judges import samples
from engines.evaluation.ways import inverted
from engines.imaging.convert import to_tensor
from engines.inversion.objective import ImageObjective
from engines.packs.load import Pack
from engines.packs.registry import open_pack

__all__ = ["HELP", "add_arguments", "run"]

HELP = "encoder milliseconds and refinement steps per second, against steps on grouped convolutions"

_RATE = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_timing_arguments(parser, repeats=50)
    parser.add_argument("--steps", type=int, default=100, help="steps of the refinement that is timed as a whole (default 100)")
    parser.add_argument("--round-steps", type=int, default=5, help="gradient steps in a round of BasinCMA (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="timed rounds of BasinCMA of each kind (default 3)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns `encoder_ms_median`, `refine_steps_per_sec`, `steps_ratio` (baseline step / own step), `basin_round_ratio`
    (plain loop / batched round) and the parts."""
    for name in ("steps", "round_steps", "rounds"):
        value = getattr(arguments, name)
        if value < 1:
            raise OptionError(f"--{name.replace('_', '-')} {value}: at least one is needed.")
    threads = apply_threads(arguments)
    pack = open_pack(arguments.pack)
    # A sample of the generator will do: how long a step takes does not depend on the picture.
    crop = samples(pack, 1, seed=arguments.seed, truncation=0.7)[0]
    image = to_tensor(crop)
    with torch.no_grad():
        encoder_ms = interleaved_ms({"encoder": lambda _: pack.encoder(image)}, arguments.repeats)["encoder"]
    objective, synthesis = ImageObjective(pack, image), pack.generator.synthesis
    step_ms = interleaved_ms(
        {
            "own": _step(pack, objective, lambda codes: synthesis(codes, noise_mode="const")),
            "grouped": _step(pack, objective, lambda codes: grouped_synthesis(synthesis, codes)),
        },
        arguments.repeats,
    )
    own, grouped = (float(np.median(step_ms[name])) for name in ("own", "grouped"))
    refined = inverted(pack, crop, "encoder-refine", seconds=None, steps=arguments.steps, seed=arguments.seed)
    figures = {
        "encoder_ms_median": float(np.median(encoder_ms)),
        "encoder_ms_p95": float(np.quantile(encoder_ms, 0.95)),
        "refine_steps_per_sec": refined.steps / refined.seconds,
        "refine_seconds": refined.seconds,
        "step_ms_median": own,
        "baseline_step_ms_median": grouped,
        "steps_ratio": grouped / own,
        **basin_round_figures(pack, crop, steps=arguments.round_steps, repeats=arguments.rounds, seed=arguments.seed),
        "baseline": "the same step (forward, backward, Adam on W+) on grouped convolutions",
        "threads": threads,
        "repeats": arguments.repeats,
    }
    return recorded(figures, "benchmark inversion", arguments, ("repeats", "threads", "steps", "round_steps", "rounds"), pack)


def _step(pack: Pack, objective: ImageObjective, synthesise: Callable[[Tensor], Tensor]) -> Callable[[int], None]:
    """One gradient step on W+ codes that start from the mean code."""
    codes = pack.generator.broadcast(pack.statistics["w_avg"][None].float()).clone().requires_grad_(True)
    optimiser = torch.optim.Adam([codes], lr=_RATE)

    def step(_: int) -> None:
        optimiser.zero_grad(set_to_none=True)
        objective(synthesise(codes)).sum().backward()
        optimiser.step()

    return step
