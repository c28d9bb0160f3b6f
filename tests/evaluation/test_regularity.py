"""``evaluate regularity`` from end to end on the tiny pack, against ``evaluate edits``, and its choice on planted figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE
from engines.core.rng import numpy_generator
from engines.data.sets import rendered_set
from engines.evaluation import edits, inversion, regularity
from engines.evaluation.judges import Judges, fitted
from engines.evaluation.regularity_report import Point, point_figures
from tests.command_run import run_command

WORDS = ("--n", "6", "--attributes", "Eyeglasses,Smiling", "--per-attribute", "3", "--processes", "1")
MEASURES = ("target_change", "attribute_preservation", "identity", "counterfactual_distance", "unedited_distance")


@pytest.fixture(scope="module")
def renders(tmp_path_factory) -> Path:
    """One data folder for all tests of this module: pictures are rendered once."""
    return tmp_path_factory.mktemp("renders")


@pytest.fixture(autouse=True)
def _shared_renders(renders, tiny_pack, monkeypatch):
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(renders))


@pytest.fixture
def layers_that_differ(monkeypatch):
    """The tiny pack's encoder gives one w for all layers, and pulling would change nothing: here layers get what differs."""
    original, apart = Judges.codes, numpy_generator(1).standard_normal((8, 16)).astype(np.float32)
    monkeypatch.setattr(Judges, "codes", lambda self, pictures: original(self, pictures) + apart)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.train
def test_the_code_as_it_comes_has_the_figures_of_evaluate_edits(tmp_path, layers_that_differ):
    edited = run_command(edits, *WORDS, "--sweep", "0", out=tmp_path / "edits")
    result = run_command(regularity, *WORDS, "--pull", "0,1", "--methods", "none", out=tmp_path)
    assert list(result["points"]) == ["t=0", "t=1"]
    both = edited["mean"]["both"]["LW"]
    assert result["points"]["t=0"]["unedited_distance"] != pytest.approx(both["unedited_distance"], rel=1e-2)
    for measure in MEASURES:
        assert result["points"]["t=1"][measure] == pytest.approx(both[measure], rel=1e-4), measure
    assert result["points"]["t=1"]["edited"] == both["n"]
    rows = [row for row in _rows(tmp_path / "edits.csv") if row["point"] == "t=1"]
    assert len(rows) == result["points"]["t=1"]["edits"]
    for row in rows:
        figures = edited[row["attribute"]][row["direction"]]["LW"]
        assert int(row["n"]) == figures["n"]
        for measure in MEASURES:
            expected = figures[measure]
            assert row[measure] == "" if expected is None else float(row[measure]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.train
def test_points_have_their_regularity_and_their_distortion(tmp_path, tiny_pack, layers_that_differ):
    words = ("--pull", "0,1,1.25", "--methods", "iterated-encoder,encoder-refine", "--steps", "3")
    result = run_command(regularity, *WORDS, *words, out=tmp_path)
    points = result["points"]
    assert list(points) == ["t=0", "t=1", "t=1.25", "iterated-encoder", "encoder-refine"]
    assert points["t=0"]["layer_spread"] == 0 and points["t=0"]["layer_spread_interval"] == [0, 0]
    assert points["t=1"]["layer_spread"] > 0.5
    assert points["t=1.25"]["layer_spread"] == pytest.approx(1.25 * points["t=1"]["layer_spread"], rel=1e-4)
    judges, shown = Judges(tiny_pack), fitted(rendered_set("faces", "test", 6).images, 32)
    middle = judges.codes(shown).mean(axis=1, keepdims=True).repeat(8, axis=1)
    difference = (judges.pictures(middle).astype(float) - shown) / 127.5
    assert points["t=0"]["mse"] == pytest.approx(np.square(difference).mean(), rel=1e-3)

    words = ("--n", "6", "--methods", "encoder-refine", "--steps", "3", "--twice", "0")
    judged = run_command(inversion, *words, out=tmp_path / "inversion")["encoder-refine"]
    assert points["encoder-refine"]["mse"] == pytest.approx(judged["mse_mean"], rel=1e-4)
    assert points["encoder-refine"]["perceptual"] == pytest.approx(judged["perceptual_mean"], rel=1e-4)

    assert json.loads((tmp_path / "result.json").read_text())["result"] == result
    assert [row["point"] for row in _rows(tmp_path / "table.csv")] == list(points)
    assert points[result["chosen"]]["distance_less_chosen"] == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"report.md", "curves.png", "person-1.png", "person-3.png"} <= names
    assert f"**`{result['chosen']}`**" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.train
def test_the_same_run_leaves_the_same_bytes(tmp_path):
    words = (*WORDS, "--pull", "0.5", "--methods", "encoder-refine", "--steps", "2")
    for name in ("one", "two"):
        run_command(regularity, *words, out=tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def _point(name: str, distance: np.ndarray, change: np.ndarray) -> Point:
    edits = {"counterfactual_distance": distance, "target_change": change}
    others = ("identity", "unedited_distance", "counterfactual_perceptual", "unedited_perceptual")
    edits |= {measure: np.where(np.isfinite(distance), 1.0, np.nan) for measure in others}
    edits["attribute_preservation"] = np.where(np.isfinite(distance), 0.5, np.nan)
    return Point(name, None, {"mse": np.array([1.0, 2.0, 3.0, 6.0])}, edits)


def test_figures_of_a_point_are_means_over_edits_of_means_over_people():
    """Two edits, of three people and of one; the second is no news where the reconstruction shows the answer already."""
    none = np.nan
    near = _point(
        "near", np.array([[0.1, 0.2, 0.3, none], [none, none, none, 0.4]]), np.array([[1, 0, none, none], [none] * 4])
    )
    far = _point("far", near.edits["counterfactual_distance"] + 0.5, near.edits["target_change"])
    figures = point_figures([far, near], seed=0)
    assert figures["near"]["mse"] == 3
    assert figures["near"]["counterfactual_distance"] == pytest.approx((0.2 + 0.4) / 2)
    assert figures["near"]["gain"] == pytest.approx(1 - 0.3)
    assert figures["near"]["target_change"] == 0.5, "the second edit has nobody who could change"
    assert figures["near"]["editability"] == 0.25
    assert figures["near"]["changeable"] == pytest.approx((2 / 3 + 0) / 2)
    assert (figures["near"]["n"], figures["near"]["edits"], figures["near"]["edited"]) == (4, 2, 4)
    assert figures["near"]["distance_less_chosen"] == 0
    assert figures["far"]["distance_less_chosen"] == pytest.approx(0.5)
    assert figures["far"]["distance_less_chosen_interval"] == pytest.approx((0.5, 0.5)), "paired: the same for everyone"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pull", "0,nan"), "--pull 0,nan: write growing numbers of at least 0 with commas, like 0,0.5,1"),
        (("--pull", ""), "--pull : write growing numbers"),
        (("--pull", "0,inf"), "--pull 0,inf"),
        (("--pull", "0.5,0.5"), "--pull 0.5,0.5"),
        (("--pull", "near"), "--pull near"),
        (("--methods", "best"), "--methods best: pack tiny offers encoder"),
        (("--methods", "clone"), "--methods clone: tunes the generator"),
        (("--steps", "0"), "--per-attribute and --steps must be at least 1"),
        (("--attributes", "Smile"), "--attributes Smile: pack tiny has edits for"),
        (("--n", "0"), "--n 0: at least one picture"),
    ],
)
def test_bad_options_are_named(tmp_path, words, message):
    with pytest.raises(OptionError, match=message):
        run_command(regularity, *words, out=tmp_path)
    assert not list(tmp_path.iterdir())
