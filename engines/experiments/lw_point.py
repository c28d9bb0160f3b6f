"""What one Latent Wasserstein map costs for a number of codes of a size: seconds and peak memory, in a process of its own.

Codes are synthetic: their cost does not depend on what they say. All that the training of a pack's map does with codes is done
here, in the same functions: statistics, sample weights, the two clouds, and epochs of steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.core.memory import keep_freed_memory
from engines.core.rng import numpy_generator, torch_generator
from engines.predictors.latent_classifier import LatentClassifier
from engines.training.label_effects import label_effect
from engines.training.lw_map import Cloud, LwOptions, TransportSpace, fit_map
from engines.training.sample_weights import relevance, sample_weights, weight_attributes
from engines.training.statistics import STATISTICS_PICTURES, latent_statistics

__all__ = ["Point", "gflop_per_batch", "measured", "measured_apart", "peak_mib", "printed_options", "synthetic_codes"]

ATTRIBUTES = 8
CLASSIFIER_WIDTHS = (256, 64)
_WEIGHT_BY = 4
_BLOCK = 1000
_COARSEST = 4.0  # diameter of clouds of unit spread, see engines.training.lw_map
_SCALING = 0.5


@dataclass(frozen=True)
class Point:
    """One measurement."""

    codes: int
    layers: int
    dim: int
    batch: int
    least_batches: int
    """So many batches are timed at least, in whole epochs."""
    half: bool
    """Whether the codes are kept in half precision."""
    options: LwOptions
    label_start: bool
    """Whether the map starts at what the attribute adds while the others are held, as in this project's setting."""
    threads: int
    seed: int

    @property
    def numbers(self) -> int:
        """Of a code."""
        return self.layers * self.dim


def measured_apart(point: Point) -> dict[str, Any]:
    """:func:`measured` in a fresh process, whose peak memory is its own. Raises OptionError where the system ends it."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(measured, point).result()
    except BrokenProcessPool:
        raise OptionError(
            f"{point.codes} codes of {point.layers} x {point.dim}: the measuring process was ended, most likely for want of "
            "memory; use smaller --counts or --sizes, or --half."
        ) from None


def measured(point: Point) -> dict[str, Any]:
    """Seconds and MiB of one map; see the keys' names. Memory is that of the whole process."""
    torch.set_num_threads(point.threads)
    keep_freed_memory()
    base_mib = peak_mib()
    started = time.perf_counter()
    codes, labels = synthetic_codes(point)
    codes_mib = codes.numel() * codes.element_size() / 2**20
    made = time.perf_counter()
    every = max(1, len(codes) // STATISTICS_PICTURES)
    statistics = latent_statistics(torch.zeros(point.dim), codes[::every].float())
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    known = time.perf_counter()
    source, target = _clouds(codes, labels)
    classifier = LatentClassifier([str(k) for k in range(ATTRIBUTES)], point.layers, point.dim, CLASSIFIER_WIDTHS)
    classifier.requires_grad_(False)
    options = point.options
    space = TransportSpace(mean, factors, components=options.components, whitening=options.whitening)
    per_epoch = min(len(source.weights), len(target.weights)) // min(point.batch, len(source.weights), len(target.weights))
    epochs = math.ceil(point.least_batches / per_epoch)
    timed = _Timed()
    fit_map(
        source,
        target,
        (_first(source, point.batch), _first(target, point.batch)),
        shift=label_effect(codes, labels, 0, "add") if point.label_start else torch.zeros(point.layers, point.dim),
        space=space,
        factors=factors,
        classifier=classifier,
        relevance=relevance(labels, 0, "add"),
        options=_stepping(options, epochs * per_epoch, point.batch),
        seed=point.seed,
        report=timed,
    )
    seconds = timed.seconds
    batch_sec = seconds / (epochs * per_epoch)
    gflop = gflop_per_batch(point, min(point.batch, len(source.weights), len(target.weights)))
    return {
        "codes": point.codes,
        "code_size": point.numbers,
        "layers": point.layers,
        "batch": point.batch,
        "batches_per_epoch": per_epoch,
        "epochs": epochs,
        "epoch_sec": seconds / epochs,
        "batch_sec": batch_sec,
        "epoch_cpu_sec": timed.cpu_seconds / epochs,
        "batch_cpu_sec": timed.cpu_seconds / (epochs * per_epoch),
        "prepare_sec": known - made,
        "peak_mib": peak_mib(),
        "base_mib": base_mib,
        "codes_mib": codes_mib,
        "gflop_per_batch": gflop,
        "gflop_per_sec": gflop / batch_sec,
        "synthesis_sec": made - started,
    }


def synthetic_codes(point: Point) -> tuple[Tensor, np.ndarray]:
    """Codes [n, L, D], float32 or float16, and labels bool [n, ATTRIBUTES], of which the first moves the codes.

    Half of the codes have it: then the two sides, and the epochs, are as long as they can be.
    """
    labels = numpy_generator(point.seed, 1).random((point.codes, ATTRIBUTES)) < 0.5
    labels[:, 0] = np.arange(point.codes) % 2 == 0
    dtype = torch.float16 if point.half else torch.float32
    codes = torch.empty(point.codes, point.layers, point.dim, dtype=dtype)
    deviations = torch.linspace(1, 0.1, point.dim)
    for start in range(0, point.codes, _BLOCK):
        block = codes[start : start + _BLOCK]
        noise = torch.randn(block.shape, generator=torch_generator(point.seed, 2, start))
        block.copy_(noise * deviations + 0.5 * torch.from_numpy(labels[start : start + _BLOCK, :1, None]))
    return codes, labels


def gflop_per_batch(point: Point, batch: int) -> float:
    """Billions of multiplications and additions of one step, counted from the sizes: what takes the most, forward and back.

    map         4 b N D (free) or 4 b N r (shared): forward, and the gradient of its matrix
    clouds      4 matrices of b^2 distances in c coordinates, 2 b^2 c each, and as much again twice for gradients of the
                moved side, in 3 of them
    Sinkhorn    4 softmins of 6 b^2 in each of the scales between the coarsest and the blur
    attributes  the classifier on b moved codes, forward and back to the codes, and on b unmoved ones
    """
    options = point.options
    own = point.dim if not options.map_components else options.map_components
    moving = 4 * batch * point.numbers * own
    coordinates = options.components or point.numbers
    projecting = 6 * batch * point.numbers * options.components
    distances = 8 * batch**2 * coordinates + 3 * 2 * batch**2 * coordinates
    scales = math.ceil(math.log(_COARSEST / options.blur) / -math.log(_SCALING)) + 2
    softmins = 4 * 6 * batch**2 * scales
    widths = (point.numbers, *CLASSIFIER_WIDTHS, ATTRIBUTES)
    network = sum(2 * a * b for a, b in pairwise(widths))
    answering = 3 * batch * network if options.preservation else 0
    keeping = softmins if options.preservation else 0
    return (moving + projecting + distances + softmins + answering + keeping) / 1e9


def peak_mib() -> float:
    """The most memory that this process has had resident so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: its maximum begins with what the process had before it became this program.
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if line is not None:
            return int(line.split()[1]) / 1024
    import resource  # not on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 if most < 1 << 34 else most / 2**20  # kilobytes, but bytes on macOS


class _Timed:
    """Seconds, and CPU seconds of this process, between the first and the last report of a training: its steps alone."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self.seconds = self.cpu_seconds = 0.0

    def __call__(self, step: int, loss: float) -> None:
        now = time.perf_counter(), time.process_time()
        self._first = self._first or now
        self.seconds, self.cpu_seconds = now[0] - self._first[0], now[1] - self._first[1]


def _stepping(options: LwOptions, steps: int, batch: int) -> LwOptions:
    """So many steps, with checks at the start and at the end alone, of which the first is not timed."""
    return LwOptions(**{**asdict(options), "steps": steps, "batch": batch, "check_steps": steps, "early_stopping": False})


def _clouds(codes: Tensor, labels: np.ndarray) -> tuple[Cloud, Cloud]:
    has = labels[:, 0]
    by = weight_attributes(labels, 0, "add", _WEIGHT_BY)
    weights = sample_weights(labels[~has][:, by], labels[has][:, by], "target-matched")
    side = torch.from_numpy(has)
    return Cloud(codes[~side], weights.source), Cloud(codes[side], weights.target)


def _first(cloud: Cloud, count: int) -> Cloud:
    weights = cloud.weights[:count]
    return Cloud(cloud.codes[:count], weights / weights.sum())


def printed_options(rank: int) -> LwOptions:
    """The paper's setting: a free matrix for every layer, whole codes compared, nothing added."""
    plain: Mapping[str, Any] = {"learning_rate": 1e-3, "components": 0, "map_components": 0, "rank": rank}
    return LwOptions(**plain, calm=0.0, input_noise=0.0, shift_rate=1.0, own_units=False)
