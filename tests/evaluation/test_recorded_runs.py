"""Single runs beside a report: what comes back, and what does not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engines.evaluation.recorded_runs import read_runs, write_runs
from engines.evaluation.report import Provenance

SOURCE = Provenance("python -m engines evaluate projection", 0, "tiny", "0" * 16)


@dataclass(frozen=True)
class _Figures:
    distance: float
    evaluations: int


@dataclass(frozen=True)
class _Others:
    distance: float
    seconds: float


def test_runs_come_back_to_six_digits(tmp_path):
    runs = {"b": _Figures(1.23456789, 3), "a": _Figures(-2e-9, 40)}
    write_runs(tmp_path, SOURCE, "these weights", runs)
    found = read_runs(tmp_path, "these weights", _Figures)
    assert list(found) == ["a", "b"] and found["b"].evaluations == 3 and isinstance(found["b"].evaluations, int)
    assert found["b"].distance == pytest.approx(1.23456789, rel=1e-5) and found["a"].distance == -2e-9
    write_runs(tmp_path, SOURCE, "these weights", found)
    assert read_runs(tmp_path, "these weights", _Figures) == found


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"made_with": "x", "columns": 3, "runs": []}', '{"made_with": "x", "columns": ["run"]}']
)
def test_what_is_no_record_holds_no_runs(tmp_path, text):
    (tmp_path / "runs.json").write_text(text)
    assert read_runs(tmp_path, "x", _Figures) == {}


def test_other_makings_figures_and_folders_hold_none(tmp_path):
    write_runs(tmp_path, SOURCE, "x", {"a": _Figures(1.0, 2)})
    assert read_runs(tmp_path, "y", _Figures) == {} and read_runs(tmp_path, "x", _Others) == {}
    assert read_runs(tmp_path / "elsewhere", "x", _Figures) == {}
    write_runs(tmp_path, SOURCE, "x", {})
    assert read_runs(tmp_path, "x", _Figures) == {}
