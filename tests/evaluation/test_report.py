"""Reports name what made them, and a second run writes the same bytes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.core.rng import numpy_generator
from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.report import Provenance, ReportFolder, markdown_table, plain, split_differences

SOURCE = Provenance.of("evaluate edits", {"n": 3, "method": None, "alpha": 1.0}, seed=5, pack="tiny", weights="0123abcd")


def _write(folder: Path) -> None:
    report = ReportFolder(folder, "A title", SOURCE)
    report.table([{"x": 1.5, "y": float("nan")}])
    report.picture("noise", numpy_generator(1).integers(0, 256, (8, 8, 3)).astype(np.uint8), "Noise.")
    report.write([{"a": np.float32(0.1), "n": 3}, {"b": True}], {"A": {"add": {"rate": 1 / 3, "none": float("nan")}}})


def test_the_command_line_names_every_option_that_was_given():
    assert SOURCE.command == "python -m engines evaluate edits --pack tiny --n 3 --alpha 1.0 --seed 5"


def test_a_second_run_writes_the_same_bytes_wherever_it_writes(tmp_path: Path):
    _write(tmp_path / "one")
    _write(tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["noise.png", "report.md", "result.json", "table.csv"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_every_file_names_command_seed_pack_and_weights(tmp_path: Path):
    _write(tmp_path)
    for name in ("table.csv", "report.md", "result.json"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert SOURCE.command in text and "0123abcd" in text and "tiny" in text
    assert Image.open(tmp_path / "noise.png").text == {
        "command": SOURCE.command,
        "seed": "5",
        "pack": "tiny",
        "weights": "0123abcd",
    }


def test_a_sheet_of_many_pictures_is_a_jpeg_that_names_them_too(tmp_path: Path):
    y, x = np.mgrid[0:1500, 0:1400]
    sheet = np.stack([x % 256, y % 256, (x + y) // 12 % 256], axis=-1).astype(np.uint8)
    path = ReportFolder(tmp_path, "A title", SOURCE).picture("sheet", sheet, "A sheet.")
    assert path.name == "sheet.jpg"
    image = Image.open(path)
    assert json.loads(image.info["comment"])["command"] == SOURCE.command
    # Half of the pixels are beside no edge: there it shows what the sheet shows.
    assert np.median(np.abs(np.asarray(image).astype(int) - sheet)) <= 2


def test_table_columns_are_the_keys_and_missing_cells_are_empty(tmp_path: Path):
    _write(tmp_path)
    first, second = csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8"))
    assert (first["a"], first["n"], first["b"]) == ("0.1", "3", "")
    assert second["b"] == "True"


def test_json_is_strict_and_rounded(tmp_path: Path):
    _write(tmp_path)
    record = json.loads((tmp_path / "result.json").read_text(), parse_constant=pytest.fail)
    assert record["result"] == {"A": {"add": {"rate": 0.333333, "none": None}}}


def test_plain_unpacks_arrays_and_tuples():
    assert plain({"x": (np.int64(2), np.array([1.0, np.inf]), "text")}) == {"x": [2, [1.0, None], "text"]}


def test_markdown_shows_a_dash_for_what_is_missing():
    lines = markdown_table([{"x": 0.12345, "name": "a|b"}, {"x": (0.5, 1e-4)}]).splitlines()
    assert lines == ["| x | name |", "| --- | --- |", "| 0.123 | a\\|b |", "| 0.500 to 0.0001 | – |"]


def test_charts_are_the_same_pixels_each_time_and_show_their_lines():
    chart = Chart("title", "x", "y", [Line("one", [0, 1, 2], [0.0, float("nan"), 1.0])])
    empty = Chart("title", "x", "y", [Line("one", [0, 1, 2], [float("nan")] * 3)])
    drawn = draw_charts([chart, chart], columns=2)
    assert drawn.shape == (260, 520, 3) and drawn.dtype == np.uint8
    assert np.array_equal(drawn, draw_charts([chart, chart], columns=2))
    assert not np.array_equal(drawn, draw_charts([empty, empty], columns=2))


def test_the_command_line_of_a_report_has_flags_and_leaves_out_what_was_not_given():
    source = Provenance.of("train lw", {"aligned": True, "steps": None, "name": "Hat"}, seed=2, pack="tiny", weights="0")
    assert source.command == "python -m engines train lw --pack tiny --aligned --name Hat --seed 2"


def test_differences_stand_in_a_table_of_their_own():
    rows = [
        {
            "family": "LT",
            "rate": 0.5,
            "rate_interval": (0.4, 0.6),
            "rate_less_first": 0.0,
            "rate_less_first_interval": (0.0, 0.0),
        },
        {
            "family": "LW",
            "rate": 0.7,
            "rate_interval": (0.6, 0.8),
            "rate_less_first": 0.2,
            "rate_less_first_interval": (0.1, 0.3),
        },
    ]
    figures, differences = split_differences(rows)
    assert figures[1] == {"family": "LW", "rate": 0.7, "rate 95 %": (0.6, 0.8)}
    assert differences == [{"family": "LW", "rate_less_first": 0.2, "rate_less_first 95 %": (0.1, 0.3)}]
    assert split_differences(rows[:1]) == [figures[:1]], "the first one alone differs from nothing"


def test_a_band_is_drawn_around_its_line():
    """The same line with and without a shade: pixels differ, and a band of no width is hardly there."""
    x, y = [0.0, 1.0], [2.0, 6.0]

    def drawn(band):
        return draw_charts([Chart("t", "x", "y", [Line("a", x, y, band)], "plain")], columns=1).astype(int)

    plain_line, wide, none = drawn(None), drawn(([1.0, 5.0], [3.0, 7.0])), drawn((y, y))
    assert (wide != plain_line).any(axis=2).sum() > 1000
    assert (none != plain_line).any(axis=2).sum() < 300


@pytest.mark.parametrize(("names", "left"), [(("word", ""), True), (("", "word"), False)])
def test_words_stand_beside_their_points(names, left):
    """Two points far apart: what a word adds lies in the half of the picture that its point is in."""
    x, y = [0.0, 1.0], [2.0, 6.0]

    def drawn(words):
        return draw_charts([Chart("t", "x", "y", [Line("a", x, y, names=words)], "plain")], columns=1).astype(int)

    columns = np.flatnonzero((drawn(names) != drawn(("", ""))).any(axis=(0, 2)))
    assert len(columns) > 5
    assert ((columns < drawn(names).shape[1] / 2) == left).all()
