"""The cost of training: planted lines, sizes counted by hand, and the command on a few small codes."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.experiments import lw_cost
from engines.experiments.lw_cost import line_through
from engines.experiments.lw_point import Point, gflop_per_batch, measured, peak_mib, printed_options, synthetic_codes
from engines.training.lw_map import LwOptions
from tests.command_run import run_command

POINT = Point(
    codes=240,
    layers=2,
    dim=8,
    batch=30,
    least_batches=6,
    half=False,
    options=printed_options(4),
    label_start=False,
    threads=1,
    seed=3,
)


def _rows(seconds_per_batch: float, batches: list[int], noise: float = 0.0) -> list[dict[str, float]]:
    rows = []
    for number, count in enumerate(batches):
        own = seconds_per_batch * (1 + noise * (-1) ** number)
        cpu = {"epoch_cpu_sec": 2 * seconds_per_batch * count, "batch_cpu_sec": 2 * seconds_per_batch}
        rows.append({"batches_per_epoch": count, "epoch_sec": own * count, "batch_sec": own, **cpu})
    return rows


def test_epochs_on_a_line_are_exactly_linear():
    line = line_through(_rows(0.25, [1, 4, 13, 39]))
    assert line["batch_sec"] == pytest.approx(0.25)
    assert line["linear_r2"] == pytest.approx(1) and line["batch_sec_range_ratio"] == pytest.approx(1)


def test_epochs_off_the_line_are_seen():
    line = line_through(_rows(0.25, [1, 4, 13, 39], noise=0.2))
    assert line["batch_sec_range_ratio"] == pytest.approx(1.5)
    assert 0.5 < line["linear_r2"] < 1
    assert line["batch_cpu_sec"] == pytest.approx(0.5) and line["linear_cpu_r2"] == pytest.approx(1), "a busy machine"


def test_work_of_a_batch_by_hand():
    """Two layers of 8, 30 codes a side, a free map and whole codes: from the sizes alone."""
    widths = [16, 256, 64, 8]
    network = 2 * (16 * 256 + 256 * 64 + 64 * 8)
    assert widths[0] == POINT.numbers
    scales = 3 + 2  # from 4 to 0.5 by halves, and the ends
    by_hand = 4 * 30 * 16 * 8 + 8 * 30**2 * 16 + 6 * 30**2 * 16 + 2 * 24 * 30**2 * scales + 3 * 30 * network
    assert gflop_per_batch(POINT, 30) == pytest.approx(by_hand / 1e9)
    starred = replace(POINT, options=replace(POINT.options, preservation=0.0))
    assert gflop_per_batch(starred, 30) < gflop_per_batch(POINT, 30)
    assert gflop_per_batch(POINT, 60) > 2 * gflop_per_batch(POINT, 30), "distances grow with the square of a batch"


def test_synthetic_codes_differ_by_their_first_label_and_fill_what_they_should():
    codes, labels = synthetic_codes(replace(POINT, codes=4000, half=True))
    assert codes.dtype == torch.float16 and codes.shape == (4000, 2, 8)
    assert labels[:, 0].mean() == 0.5
    means = [codes[torch.from_numpy(labels[:, 0] == side)].float().mean((0, 1)).numpy() for side in (True, False)]
    np.testing.assert_allclose(means[0] - means[1], 0.5, atol=0.1)


@pytest.mark.parametrize(("half", "own"), [(False, False), (True, False), (True, True)])
def test_a_point_is_measured_in_whole_epochs(half, own):
    """120 codes a side in batches of 30 are 4 an epoch: two epochs for at least 6 batches."""
    torch_threads = torch.get_num_threads()
    point = replace(POINT, options=LwOptions(rank=4), label_start=True) if own else POINT
    row = measured(replace(point, half=half))
    torch.set_num_threads(torch_threads)
    assert (row["batches_per_epoch"], row["epochs"], row["code_size"]) == (4, 2, 16)
    assert row["epoch_sec"] == pytest.approx(4 * row["batch_sec"]) and row["batch_sec"] > 0
    assert row["epoch_cpu_sec"] == pytest.approx(4 * row["batch_cpu_sec"]) and row["batch_cpu_sec"] > 0
    assert row["codes_mib"] == pytest.approx(240 * 16 * (2 if half else 4) / 2**20)
    assert row["peak_mib"] >= row["base_mib"] > 0


def test_peak_memory_sees_what_was_there_for_a_moment():
    before = peak_mib()
    moment = np.ones(64 * 2**17)  # 64 MiB of float64
    assert moment.sum() > 0
    del moment
    assert peak_mib() >= before
    page = os.sysconf("SC_PAGE_SIZE")
    with open("/proc/self/statm", encoding="utf-8") as file:
        resident_mib = int(file.read().split()[1]) * page / 2**20
    assert peak_mib() >= resident_mib


def _run(*words: str, **given):
    return run_command(lw_cost, *words, **{"pack": "faces", **given})


def test_the_command_measures_apart_and_reports(tmp_path):
    words = ("--counts", "200,400", "--sizes", "2x8", "--batch", "50", "--least-batches", "2", "--threads", "1")
    result = _run(*words, out=tmp_path)
    assert [row["codes"] for row in result["points"]] == [200, 400]
    assert [row["batches_per_epoch"] for row in result["points"]] == [2, 4]
    assert set(result["sizes"]) == {"2x8"} and result["peak_mib_most"] > 50
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "table.csv", "curves.png", "result.json"}
    text = (tmp_path / "report.md").read_text()
    assert "billion operations" in text and "assumed, not measured" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--counts", "100"), "--counts 100: write whole numbers of at least 200"),
        (("--counts", "many"), "--counts many"),
        (("--sizes", "18"), "--sizes 18: write whole numbers of at least 1 like 12x128"),
        (("--batch", "1"), "--batch must be at least 2"),
        (("--threads", "0"), "--threads 0"),
    ],
)
def test_bad_options_are_named(tmp_path, words, message):
    with pytest.raises(OptionError, match=message):
        _run(*words, out=tmp_path)
    assert not list(tmp_path.iterdir())
