"""``benchmark live``: from a slider's value to the picture and its read-out, in the engine, one picture at a time.

Baseline: the same frame the plain way. The photo's crop is encoded again, synthesis runs as grouped convolutions with weights
made for the sample, and the predictors look at the reconstruction as well as at the edited picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.evaluation.benchmarks.grouped import grouped_synthesis
from engines.evaluation.benchmarks.record import recorded
from engines.evaluation.benchmarks.timing import add_timing_arguments, apply_threads, interleaved_ms
from engines.evaluation.judges import samples
from engines.evaluation.ways import inverted
from engines.imaging.convert import to_tensor, to_uint8
from engines.packs.load import Pack
from engines.packs.registry import open_pack
from engines.session.live import render
from engines.session.state import EditState

__all__ = ["HELP", "add_arguments", "plain_frame", "run"]

HELP = "milliseconds from a slider's value to the picture and its read-out, against the plain way"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_timing_arguments(parser, repeats=200)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns `frame_ms_median`, `frame_ms_p95`, `baseline_ms_median`, `frame_ratio` (baseline / frame) and the parts."""
    threads = apply_threads(arguments)
    pack = open_pack(arguments.pack)
    if not pack.edit_maps.attributes:
        raise OptionError(f"--pack {pack.id} has no edits to measure.")
    crop = samples(pack, 1, seed=arguments.seed, truncation=0.7)[0]
    inversion = inverted(pack, crop, "encoder", seconds=None, steps=None, seed=arguments.seed)
    alphas = _slider(pack)
    w_plus = torch.from_numpy(inversion.w_plus.copy())[None]
    with torch.no_grad():
        measured = interleaved_ms(
            {
                "frame": lambda i: render(pack, inversion, EditState(pack.id, inversion.id, tuple(alphas(i).items()))),
                "baseline": lambda i: plain_frame(pack, crop, alphas(i)),
                "synthesis": lambda i: pack.generator.synthesis(w_plus, noise_mode="const"),
                "grouped_synthesis": lambda i: grouped_synthesis(pack.generator.synthesis, w_plus),
            },
            arguments.repeats,
        )
    medians = {name: float(np.median(values)) for name, values in measured.items()}
    figures = {
        "frame_ms_median": medians["frame"],
        "frame_ms_p95": float(np.quantile(measured["frame"], 0.95)),
        "baseline_ms_median": medians["baseline"],
        "frame_ratio": medians["baseline"] / medians["frame"],
        "synthesis_ms_median": medians["synthesis"],
        "grouped_synthesis_ms_median": medians["grouped_synthesis"],
        "synthesis_ratio": medians["grouped_synthesis"] / medians["synthesis"],
        "baseline": "encodes again, grouped convolutions, predictors on the reconstruction and the edited picture",
        "threads": threads,
        "repeats": arguments.repeats,
    }
    return recorded(figures, "benchmark live", arguments, ("repeats", "threads"), pack)


@torch.no_grad()
def plain_frame(pack: Pack, crop: np.ndarray, alphas: dict[str, float]) -> tuple[np.ndarray, dict[str, float], float | None]:
    """Picture uint8 [R, R, 3], probabilities and identity similarity of an edit; nothing is kept from frame to frame.

    The similarity is None where the pack has no identity network.
    """
    w_plus = pack.encoder(to_tensor(crop))
    codes = (w_plus, pack.edit_maps.edit(w_plus, alphas))
    pictures = [to_uint8(grouped_synthesis(pack.generator.synthesis, code))[0] for code in codes]
    readings = [pack.attribute_predictor.probabilities(to_tensor(picture))[0].tolist() for picture in pictures]
    similarity = None
    if pack.has("identity"):
        before, after = (pack.identity(to_tensor(picture)) for picture in pictures)
        similarity = float((before * after).sum())
    return pictures[1], dict(zip(pack.attribute_predictor.attributes, readings[1], strict=True)), similarity


def _slider(pack: Pack) -> Callable[[int], dict[str, float]]:
    """A hand on the first slider: back and forth, never at 0, where there is nothing to paint."""
    name = pack.edit_maps.attributes[0]
    return lambda index: {name: 0.1 + abs(index % 40 - 20) / 20}
