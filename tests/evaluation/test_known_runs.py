"""Single runs: what comes back from the data folder and from a report, and what does not."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engines.evaluation.kept import Kept
from engines.evaluation.known_runs import KnownRuns
from engines.evaluation.report import Provenance

SOURCE = Provenance("python -m engines evaluate projection", 0, "tiny", "0" * 16)
PICTURE = np.full((4, 4, 3), 7, np.uint8)


@dataclass(frozen=True)
class _Figures:
    distance: float
    evaluations: int
    curve: list[float]


@dataclass(frozen=True)
class _Others:
    distance: float
    seconds: float


def _known(folder: Path, made_with: str = "these-weights", kind: type = _Figures, **options) -> KnownRuns:
    return KnownRuns(Kept(folder / "data" / made_with, kind), folder / "report", kind, **options)


def test_a_later_call_has_the_figures_to_six_digits_and_the_pictures_while_the_data_folder_lasts(tmp_path):
    first = _known(tmp_path)
    assert first.figures("a") is None and first.picture("a") is None
    first.keep("b", _Figures(1.23456789, 3, [0.1, 2.0]), PICTURE)
    first.keep("a", _Figures(-2e-9, 40, []), PICTURE)
    first.write(SOURCE)
    shutil.rmtree(tmp_path / "data" / "these-weights")
    later = _known(tmp_path)
    found = later.figures("b")
    assert found.distance == pytest.approx(1.23456789, rel=1e-5) and (found.evaluations, found.curve) == (3, [0.1, 2.0])
    assert later.figures("a") == _Figures(-2e-9, 40, []) and later.picture("a") is None
    before = (tmp_path / "report" / "runs.json").read_text()
    later.write(SOURCE)
    assert (tmp_path / "report" / "runs.json").read_text() == before, "nothing is lost that was not asked for"


def test_what_another_process_kept_is_seen_and_written(tmp_path):
    one, other = _known(tmp_path), _known(tmp_path)
    other.keep("a", _Figures(1.0, 2, []), PICTURE)
    assert one.figures("a") == _Figures(1.0, 2, []) and np.array_equal(one.picture("a"), PICTURE)
    one.write(SOURCE)
    shutil.rmtree(tmp_path / "data")
    assert _known(tmp_path).figures("a") == _Figures(1.0, 2, [])


def test_fresh_runs_are_known_no_more(tmp_path):
    first = _known(tmp_path)
    for name in "ab":
        first.keep(name, _Figures(1.0, 2, []), PICTURE)
    first.write(SOURCE)
    fresh = _known(tmp_path, fresh=["a"])
    assert fresh.figures("a") is None and fresh.figures("b") is not None, "of b the data folder still knows"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"made_with": "x", "columns": 3, "runs": []}', '{"made_with": "x", "columns": ["run"]}']
)
def test_what_is_no_record_holds_no_runs(tmp_path, text):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "runs.json").write_text(text)
    assert _known(tmp_path, "x").figures("a") is None


def test_other_makings_and_other_figures_are_not_taken_up(tmp_path):
    known = _known(tmp_path)
    known.keep("a", _Figures(1.0, 2, []), PICTURE)
    known.write(SOURCE)
    shutil.rmtree(tmp_path / "data")
    assert _known(tmp_path, "other-weights").figures("a") is None
    assert _known(tmp_path, kind=_Others).figures("a") is None


def test_what_is_still_to_be_made(tmp_path):
    known, runs = _known(tmp_path), [SimpleNamespace(name=name) for name in "abc"]
    known.keep("a", _Figures(1.0, 2, []), PICTURE)
    known.keep("b", _Figures(1.0, 2, []), PICTURE)
    known.write(SOURCE)
    (tmp_path / "data" / "these-weights" / "b.png").unlink()
    later = _known(tmp_path)
    assert later.without_figures(runs) == runs[2:] and later.without_picture(runs) == runs[1:]
