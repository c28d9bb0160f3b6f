"""``evaluate editability`` from end to end on the tiny pack, and on tunings whose effect is planted."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE
from engines.evaluation import editability, editability_runs
from engines.evaluation.judges import Judges, sample_codes, samples
from engines.evaluation.setting import Setting, Subjects
from engines.evaluation.ways import inverted
from engines.evaluation.work_share import WorkShare
from tests.tiny_pack import TINY_ATTRIBUTES


@pytest.fixture
def run(tiny_pack, tmp_path, monkeypatch):
    """The command on two samples of the pack's own generator, the first with every attribute, the second without any."""
    pictures = samples(tiny_pack, 2, seed=5)
    labels = np.array([[True] * 4, [False] * 4])
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    # Poor codes are found soon, and leave something for the weights to do.
    monkeypatch.setattr("engines.tuning.run.PIVOT_STEPS", 1)
    monkeypatch.setattr(Setting, "subjects", lambda self, split, n: Subjects(pictures, labels, [None, None], pictures, "faces"))

    def command(*words: str) -> dict:
        parser = argparse.ArgumentParser()
        editability.add_arguments(parser)
        arguments = parser.parse_args(["--n", "2", "--codes", "8", *words])
        vars(arguments).update(pack="tiny", seed=0, device="cpu", progress=lambda record: None, out=tmp_path / "out")
        return editability.run(arguments)

    return command


def test_tuned_generators_are_compared_with_the_shared_one(run, tmp_path: Path):
    result = run("--methods", "clone,clone:none", "--steps", "9")
    assert list(result) == ["clone", "clone:none", "left"] and result.pop("left") == 0
    for figures in result.values():
        assert (figures["n"], figures["edits"]) == (2, 2 * len(TINY_ATTRIBUTES))
        assert figures["mse_mean"] < figures["mse_untuned_mean"]
        assert figures["random_change"] > 0
        assert figures["random_change_squared"] > 0
    with (tmp_path / "out" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == list(result)
    assert {"target_change_ratio_low", "random_change_high"} <= set(rows[0])
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"edits-clone.png", "edits-clone-none.png", "random-codes.png", "report.md", "result.json"} <= names


def test_a_generator_that_was_not_changed_does_all_as_before(run, monkeypatch):
    monkeypatch.setattr(editability_runs, "inverted", lambda pack, crop, way, **_: inverted(pack, crop, "encoder", seed=0))
    figures = run("--methods", "clone")["clone"]
    assert figures["attribute_preservation_ratio"] == 1
    assert figures["attribute_preservation"] == figures["attribute_preservation_shared"]
    assert figures["target_change"] == figures["target_change_shared"]
    assert figures["random_change"] == figures["random_change_squared"] == 0
    assert figures["mse_mean"] == pytest.approx(figures["mse_untuned_mean"], rel=1e-5)


def test_a_generator_that_forgot_everything_else_is_seen(run, tiny_pack, monkeypatch):
    """Planted: all styles are constant, so that every code has one picture. It changes nothing, and keeps all attributes."""
    affine = {
        name: -parameter.detach().numpy()
        for name, parameter in tiny_pack.generator.named_parameters()
        if name.endswith("affine.weight")
    }

    def forgetful(pack, crop, way, **_):
        return dataclasses.replace(inverted(pack, crop, "encoder", seed=0), weight_differences=affine)

    monkeypatch.setattr(editability_runs, "inverted", forgetful)
    figures = run("--methods", "clone")["clone"]
    assert figures["target_change"] in (0, None)
    assert figures["attribute_preservation"] == 1
    judges = Judges(tiny_pack)
    shared = judges.pictures(sample_codes(tiny_pack, 8, seed=0)).astype(float)
    with torch.no_grad():
        still = judges.pictures(np.zeros((1, 8, 16), np.float32), editability_runs.tuned(tiny_pack.generator, affine)).astype(
            float
        )
    moved = np.sqrt(np.square(shared - still).reshape(8, -1).mean(1)).mean()
    apart = np.sqrt(np.square(shared - np.roll(shared, 1, 0)).reshape(8, -1).mean(1)).mean()
    assert figures["random_change"] == pytest.approx(moved / apart, rel=1e-4)


def test_a_later_call_makes_only_what_is_missing(run, tmp_path, monkeypatch):
    tuned_for = []

    def counted(pack, crop, way, **options):
        tuned_for.append(way)
        return inverted(pack, crop, way, **options)

    monkeypatch.setattr(editability_runs, "inverted", counted)
    words = ("--methods", "fine-tune,clone:none", "--steps", "3")
    half = run(*words, "--part", "2/2")
    assert tuned_for == ["fine-tune", "clone:none"] and half["left"] == 2
    assert half["fine-tune"]["n"] == 1
    whole = run(*words)
    assert tuned_for == ["fine-tune", "clone:none"] * 2 and (whole["left"], whole["fine-tune"]["n"]) == (0, 2)
    assert run(*words) == whole and len(tuned_for) == 4
    sheets = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    shutil.rmtree(tmp_path / "data")
    again = run(*words)
    assert len(tuned_for) == 8, "the pictures on the sheets"
    assert again["clone:none"]["random_change"] == pytest.approx(whole["clone:none"]["random_change"], rel=1e-5)
    assert again["fine-tune"]["attribute_preservation"] == whole["fine-tune"]["attribute_preservation"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")} == sheets
    run(*words, "--alpha", "0.5")
    assert len(tuned_for) == 12, "edits of another strength are others"


def test_nothing_whole_is_said(run, monkeypatch):
    monkeypatch.setattr(WorkShare, "in_time", lambda self, work: work[:1])
    with pytest.raises(OptionError, match="No picture has been tuned for in all ways yet"):
        run("--methods", "fine-tune,clone:none", "--steps", "2", "--minutes", "1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--methods", "encoder"), "--methods encoder: name methods that tune the generator, fine-tune, clone"),
        (("--methods", "best"), "pack tiny offers"),
        (("--codes", "1"), "--codes must be at least 2"),
        (("--attributes", "Smile"), "--attributes Smile"),
    ],
)
def test_bad_options_are_named(run, words, message):
    with pytest.raises(OptionError, match=message):
        run(*words)
