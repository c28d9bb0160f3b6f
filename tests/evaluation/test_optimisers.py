"""The comparison of optimisers: curves as step functions, figures against sums by hand, and the command on planted pictures."""

from __future__ import annotations

import argparse
import shutil

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE
from engines.core.progress import Progress
from engines.evaluation import optimisers
from engines.evaluation.curves import Chart, Line, draw_charts
from engines.evaluation.judges import samples
from engines.evaluation.optimisers import Comparison, Outcome, loss_at
from engines.evaluation.setting import Setting, Subjects
from engines.evaluation.ways import inverted


def test_the_loss_is_that_of_the_last_improvement_within_the_evaluations():
    losses = ((1, 9.0), (4, 5.0), (9, 2.0))
    found = loss_at(losses, np.array([0, 1, 3, 4, 8, 9, 100]))
    assert np.isnan(found[0])
    assert found[1:].tolist() == [9, 9, 5, 5, 2, 2]


def run(loss: float, *, mse: float = 0.0, seconds: float = 1.0) -> Outcome:
    """A run that finds twice its final loss at once, and that loss after 50 of 100 evaluations."""
    return Outcome([2 * loss, 2 * loss, loss, loss], mse, seconds)


@pytest.fixture
def comparison() -> Comparison:
    runs = {"one": [[run(1), run(3)], [run(2), run(2)]], "two": [[run(2), run(2)], [run(4), run(4, mse=0.4, seconds=5)]]}
    return Comparison(np.array([1, 10, 50, 100]), runs)


def test_figures_are_means_over_pictures_and_seeds(comparison):
    figures = comparison.figures(seed=0)
    assert [row["loss_mean"] for row in figures.values()] == [2, 3]
    assert [row["loss_median"] for row in figures.values()] == [2, 3]
    # In four runs of each, the first was better in three and the second in one.
    assert [row["best_share"] for row in figures.values()] == [0.75, 0.25]
    assert figures["one"]["loss_over_seeds"] == pytest.approx(np.mean([np.std([1, 3]), 0]))
    assert (figures["two"]["mse_mean"], figures["two"]["seconds_mean"]) == (pytest.approx(0.1), 2)
    assert all((row["n"], row["seeds"], row["evaluations"]) == (2, 2, 100) for row in figures.values())
    # Means of the pictures are 2 and 2, and 2 and 4: over them goes the bootstrap.
    assert figures["one"]["loss_mean_interval"] == (2, 2)
    assert figures["two"]["loss_mean_interval"] == (2, 4)


def test_curves_end_at_the_final_loss_and_never_rise(comparison):
    curves = comparison.curves()
    assert curves["evaluations"][0] == 1 and curves["evaluations"][-1] == 100
    for name, mean in (("one", 2), ("two", 3)):
        assert curves[name][0] == 2 * mean and curves[name][-1] == mean
        assert (np.diff(curves[name]) <= 0).all()


def test_a_method_has_no_curve_before_its_first_candidate():
    late = Comparison(np.array([1, 18]), {"late": [[Outcome([None, 3.0], 0.0, 1.0)]]})
    assert np.isnan(late.curves()["late"][0]) and late.figures(seed=0)["late"]["loss_mean"] == 3


def test_logarithmic_charts_show_their_lines():
    lines = [Line("a", [1, 10, 1000], [5.0, 0.5, 0.002])]
    drawn = draw_charts([Chart("t", "x", "y", lines, scale="log")], columns=1)
    other = draw_charts([Chart("t", "x", "y", lines)], columns=1)
    assert drawn.shape == other.shape and not np.array_equal(drawn, other)


def _run(pack, tmp_path, monkeypatch, *words: str) -> dict:
    """The command on two samples of the pack's own generator, which it can find again."""
    pictures = samples(pack, 2, seed=5)
    subjects = Subjects(pictures, np.zeros((2, 4), bool), [None, None], pictures, "faces")
    monkeypatch.setattr(Setting, "subjects", lambda self, split, n: subjects)
    parser = argparse.ArgumentParser()
    optimisers.add_arguments(parser)
    arguments = parser.parse_args(["--n", "2", *words])
    records: list[Progress] = []
    vars(arguments).update(pack="tiny", seed=0, device="cpu", progress=records.append, out=tmp_path / "report")
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    return optimisers.run(arguments)


def test_the_command_compares_methods_on_the_same_pictures(tiny_pack, tmp_path, monkeypatch):
    result = _run(tiny_pack, tmp_path, monkeypatch, "--seeds", "1", "--evaluations", "25", "--methods", "adam,cma,basin-cma")
    curves = result.pop("curves")
    assert list(result) == ["adam", "cma", "basin-cma"]
    for method, figures in result.items():
        assert (figures["n"], figures["seeds"], figures["evaluations"]) == (2, 1, 25)
        assert figures["loss_mean"] == pytest.approx(curves[method][-1], rel=1e-4)
        assert figures["loss_mean"] <= curves[method][0]
    assert sum(figures["best_share"] for figures in result.values()) >= 1
    assert {"curves.png", "examples.png", "report.md", "table.csv", "result.json"} <= {
        path.name for path in (tmp_path / "report").iterdir()
    }


def test_runs_are_made_once_shared_by_parts_and_known_from_the_report(tiny_pack, tmp_path, monkeypatch):
    words = ("--seeds", "2", "--evaluations", "12", "--methods", "adam")
    made = []
    monkeypatch.setattr(optimisers, "inverted", lambda *a, **k: made.append(k["seed"]) or inverted(*a, **k))
    with pytest.raises(OptionError, match="fewer methods"):
        _run(tiny_pack, tmp_path, monkeypatch, *words, "--minutes", "1e-9")
    part = _run(tiny_pack, tmp_path, monkeypatch, *words, "--part", "2/2")
    assert (part["adam"]["n"], part["adam"]["seeds"], made) == (1, 2, [0, 1])
    made.clear()
    whole = _run(tiny_pack, tmp_path, monkeypatch, *words)
    assert (whole["adam"]["n"], made) == (2, [0, 1])
    made.clear()
    assert _run(tiny_pack, tmp_path, monkeypatch, *words) == whole and made == []
    shutil.rmtree(tmp_path / "data")
    again = _run(tiny_pack, tmp_path, monkeypatch, *words)
    assert made == [0, 0], "what the sheet shows"
    assert again["adam"]["loss_mean"] == pytest.approx(whole["adam"]["loss_mean"], rel=1e-4)
    made.clear()
    _run(tiny_pack, tmp_path, monkeypatch, *words, "--fresh")
    assert made == [0, 0, 1, 1]


def test_all_that_search_are_compared_unless_told_otherwise():
    parser = argparse.ArgumentParser()
    optimisers.add_arguments(parser)
    assert parser.parse_args([]).methods == "adam,lbfgs,cma,cma-adam,basin-cma"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--methods", "encoder"), "--methods encoder: name some of adam"),
        (("--seeds", "0"), "--seeds 0"),
        (("--evaluations", "0"), "--evaluations 0"),
    ],
)
def test_bad_options_are_named(tiny_pack, tmp_path, monkeypatch, words, message):
    with pytest.raises(OptionError, match=message):
        _run(tiny_pack, tmp_path, monkeypatch, *words)
