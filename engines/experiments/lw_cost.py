"""``benchmark lw``: what training a Latent Wasserstein map costs against the number of codes and their size.

Every point is measured in a process of its own. The paper's real size is 30,000 codes of 18 x 512.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.device import resolve_device
from engines.core.errors import OptionError
from engines.core.progress import Progress
from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.report import Provenance, ReportFolder
from engines.experiments.lw_point import Point, measured_apart, printed_options
from engines.training.lw_map import LwOptions
from engines.training.statistics import STATISTICS_PICTURES

__all__ = ["HELP", "add_arguments", "line_through", "run"]

HELP = "seconds per epoch and batch and peak memory of LW training, against number of codes and code size"

_SETTINGS = ("printed", "own")
_COUNTS = "1000,3000,10000,30000"
_SIZES = "12x128,18x512"
_GPU_TFLOPS = 10.0
"""What a mid-range GPU sustains in float32 matrix products: an assumption of the report, not a measurement."""
_HOST_BYTES_PER_SEC = 20e9
"""From host memory to the card, PCIe 4.0 x16: an assumption too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--counts", default=_COUNTS, metavar="N,…", help=f"numbers of codes (default {_COUNTS})")
    add("--sizes", default=_SIZES, metavar="LxD,…", help=f"style layers times numbers of each (default {_SIZES})")
    add("--batch", type=int, default=384, help="most samples of a side in a step (default 384)")
    setting = "which training: the paper's setting (default), or this project's"
    add("--setting", choices=_SETTINGS, default="printed", help=setting)
    add("--least-batches", type=int, default=6, metavar="N", help="batches to time at each point, in whole epochs (default 6)")
    add("--half", action="store_true", help="keep the codes in half precision")
    add("--threads", type=int, default=None, help="CPU threads (default: one a core)")
    add("--out", default=None, metavar="DIR", help="folder for table.csv, report.md and curves.png (default: no report)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns `points`, and for every code size the seconds a batch takes and how straight epochs are in batches."""
    points = _points(arguments)
    rows: list[dict[str, Any]] = []
    started = time.monotonic()
    for number, point in enumerate(points):
        name = f"Measuring {point.codes} codes of {point.layers} x {point.dim}"
        arguments.progress(Progress(name, number, len(points), time.monotonic() - started))
        rows.append(measured_apart(point))
    sizes = {f"{point.layers}x{point.dim}": point.numbers for point in points}
    lines = {name: line_through([row for row in rows if row["code_size"] == size]) for name, size in sizes.items()}
    result = {
        "points": rows,
        "sizes": lines,
        "peak_mib_most": max(row["peak_mib"] for row in rows),
        "batch": arguments.batch,
        "setting": arguments.setting,
        "threads": points[0].threads,
        "baseline": "none: seconds and memory of this machine",
    }
    return result if arguments.out is None else _report(arguments, rows, lines, result)


def line_through(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Least squares of an epoch's seconds over its batches, through 0: the seconds of a batch, and R^2; and of CPU seconds.

    ``batch_sec_range_ratio``: the slowest batch mean of the points, divided by the fastest; 1 is exactly linear.
    """
    batches = np.array([row["batches_per_epoch"] for row in rows], float)
    figures = {}
    for kind in ("", "cpu_"):
        seconds = np.array([row[f"epoch_{kind}sec"] for row in rows], float)
        slope = float(batches @ seconds / (batches @ batches))
        spread, rest = float(np.square(seconds - seconds.mean()).sum()), float(np.square(seconds - slope * batches).sum())
        means = [row[f"batch_{kind}sec"] for row in rows]
        figures |= {
            f"batch_{kind}sec": slope,
            f"linear_{kind}r2": 1 - rest / spread if spread > 0 else float("nan"),
            f"batch_{kind}sec_range_ratio": max(means) / min(means),
        }
    return figures


def _points(arguments: argparse.Namespace) -> list[Point]:
    if resolve_device(arguments.device).type != "cpu":
        raise OptionError(f"--device {arguments.device}: benchmarks measure the CPU; use cpu.")
    if arguments.batch < 2 or arguments.least_batches < 1:
        raise OptionError("--batch must be at least 2, --least-batches at least 1.")
    if arguments.threads is not None and arguments.threads < 1:
        raise OptionError(f"--threads {arguments.threads}: at least one is needed.")
    counts = [_whole(word, "--counts", arguments.counts, least=200) for word in arguments.counts.split(",")]
    sizes = []
    for word in arguments.sizes.split(","):
        layers, _, dim = word.partition("x")
        pair = tuple(_whole(part, "--sizes", arguments.sizes, least=1) for part in (layers, dim))
        sizes.append(pair)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = []
    for layers, dim in sizes:
        options = printed_options(rank=dim) if arguments.setting == "printed" else LwOptions(rank=min(dim, 12))
        for count in counts:
            found.append(
                Point(
                    codes=count,
                    layers=layers,
                    dim=dim,
                    batch=arguments.batch,
                    least_batches=arguments.least_batches,
                    half=arguments.half,
                    options=options,
                    label_start=arguments.setting == "own",
                    threads=arguments.threads or cores,
                    seed=arguments.seed,
                )
            )
    return found


def _whole(word: str, option: str, text: str, *, least: int) -> int:
    if not word.strip().isdigit() or int(word) < least:
        form = "12x128,18x512" if option == "--sizes" else "1000,30000"
        raise OptionError(f"{option} {text}: write whole numbers of at least {least} like {form}.")
    return int(word)


def _report(
    arguments: argparse.Namespace, rows: Sequence[dict[str, Any]], lines: dict[str, dict[str, float]], result: dict[str, Any]
) -> dict[str, Any]:
    options = {
        "counts": arguments.counts,
        "sizes": arguments.sizes,
        "batch": arguments.batch,
        "setting": arguments.setting,
        "least-batches": arguments.least_batches,
        "half": "" if arguments.half else None,
        "threads": arguments.threads,
    }
    # Synthetic codes: no pack has a part in the figures, whichever is named.
    provenance = Provenance.of("benchmark lw", options, seed=arguments.seed, pack=arguments.pack, weights="none")
    report = ReportFolder(Path(arguments.out), "What training a Latent Wasserstein map costs", provenance)
    report.table(rows)
    report.text(_EXPLANATION.format(threads=result["threads"], statistics=STATISTICS_PICTURES, batch=arguments.batch))
    report.heading("Epochs against batches")
    report.table([{"size": name, **line} for name, line in lines.items()])
    report.text(
        "Least squares through 0 over the points of a size; `batch_sec_range_ratio` is the slowest point's batch over the "
        "fastest one's, so 1 means that an epoch is exactly linear in the number of its batches. CPU seconds, of all threads "
        "together, do not count what other processes took meanwhile."
    )
    report.picture(
        "curves", draw_charts(_charts(rows), columns=3, panel_px=330), "One line a code size; both axes logarithmic."
    )
    report.heading("What a GPU would change")
    report.text(_reasoning(rows))
    return report.write(rows, result)


def _charts(rows: Sequence[dict[str, Any]]) -> list[Chart]:
    sizes = sorted({row["code_size"] for row in rows})
    charts = []
    for title, x, y, x_label, y_label in (
        ("time", "batches_per_epoch", "epoch_sec", "batches an epoch", "seconds an epoch"),
        ("time", "codes", "epoch_sec", "codes", "seconds an epoch"),
        ("memory", "codes", "peak_mib", "codes", "peak MiB"),
    ):
        own = [(size, [row for row in rows if row["code_size"] == size]) for size in sizes]
        lines = [Line(f"{size:,} numbers", [row[x] for row in part], [row[y] for row in part]) for size, part in own]
        charts.append(Chart(title, x_label, y_label, lines, "log"))
    return charts


def _reasoning(rows: Sequence[dict[str, Any]]) -> str:
    """What the counted work says of a GPU, for the largest point."""
    row = max(rows, key=lambda row: (row["code_size"], row["codes"]))
    gpu_ms = row["gflop_per_batch"] / _GPU_TFLOPS
    moved_mib = 2 * row["batch"] * row["code_size"] * 4 / 2**20
    codes_gib = row["codes"] * row["code_size"] * 4 / 2**30
    whole = row["codes"] // 2
    matrices_gib = 4 * whole**2 * 4 / 2**30
    here_ms = 1000 * row["batch_sec"]
    transfer_ms = 1000 * moved_mib * 2**20 / _HOST_BYTES_PER_SEC
    sentences = (
        f"A batch of {row['batch']} codes a side, {row['code_size']:,} numbers each, is {row['gflop_per_batch']:.1f} billion "
        f"operations; this machine did {row['gflop_per_sec']:.0f} billion a second.",
        f"A GPU that sustains {_GPU_TFLOPS:g} trillion a second in float32 (assumed, not measured) would need {gpu_ms:.1f} ms "
        f"for them, {here_ms / gpu_ms:.0f} times less than the {here_ms:.0f} ms here.",
        "The Sinkhorn loop, some hundred small kernels one after the other, adds a few milliseconds that no GPU takes away.",
        f"A batch is {moved_mib:.0f} MiB of codes, {transfer_ms:.1f} ms from the host at {_HOST_BYTES_PER_SEC / 1e9:g} GB/s; "
        f"all codes on the card are {codes_gib:.2f} GiB in float32, half of that in float16, and fit.",
        f"What a GPU allows beyond speed is the paper's own batch, min(n_s, n_t): of {row['codes']:,} codes, half of them "
        f"positive, four distance matrices of {whole:,} x {whole:,} numbers are {matrices_gib:.1f} GiB, and gradients keep "
        "several of them; GeomLoss' streaming backend (KeOps) never stores them, and needs a GPU to be quick.",
    )
    return " ".join(sentences)


_EXPLANATION = """
One map a row: synthetic codes, half of them with the attribute, so that an epoch is as long as it can be. `epoch_sec`,
`batch_sec`: seconds of all steps of an epoch and of one, on {threads} threads, without what comes before. `prepare_sec`:
statistics of the codes, of which at most {statistics:,} are looked at. `peak_mib`: the most memory resident in the point's own
process, `base_mib` of it before any codes; `codes_mib`: the codes, of which the two sides of the attribute are a copy. A step
compares at most {batch} codes of each side, so its time and memory depend on the size of a code alone: memory grows with the
codes that are kept, and with nothing else. `gflop_per_batch` is counted from the sizes, not measured.
"""
