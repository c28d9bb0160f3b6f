"""``evaluate editability`` from end to end on the tiny pack, and on tunings whose effect is planted."""

from __future__ import annotations

import argparse
import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.evaluation import editability
from engines.evaluation.judges import Judges, sample_codes, samples
from engines.evaluation.setting import Setting, Subjects
from engines.evaluation.ways import inverted
from tests.tiny_pack import TINY_ATTRIBUTES


@pytest.fixture
def run(tiny_pack, tmp_path, monkeypatch):
    """The command on two samples of the pack's own generator, the first with every attribute, the second without any."""
    pictures = samples(tiny_pack, 2, seed=5)
    labels = np.array([[True] * 4, [False] * 4])
    monkeypatch.setattr(Setting, "subjects", lambda self, split, n: Subjects(pictures, labels, [None, None], pictures, "faces"))

    def command(*words: str) -> dict:
        parser = argparse.ArgumentParser()
        editability.add_arguments(parser)
        arguments = parser.parse_args(["--n", "2", "--codes", "8", *words])
        vars(arguments).update(pack="tiny", seed=0, device="cpu", progress=lambda record: None, out=tmp_path)
        return editability.run(arguments)

    return command


def test_tuned_generators_are_compared_with_the_shared_one(run, tmp_path: Path, monkeypatch):
    # Poor codes are found soon, and leave something for the weights to do.
    monkeypatch.setattr("engines.tuning.run.PIVOT_STEPS", 1)
    result = run("--methods", "clone,clone:none", "--steps", "9")
    assert list(result) == ["clone", "clone:none"]
    for figures in result.values():
        assert (figures["n"], figures["edits"]) == (2, 2 * len(TINY_ATTRIBUTES))
        assert figures["mse_mean"] < figures["mse_untuned_mean"]
        assert figures["random_change"] > 0
        assert figures["random_change_squared"] > 0
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == list(result)
    assert {"target_change_ratio_low", "random_change_high"} <= set(rows[0])
    names = {path.name for path in tmp_path.iterdir()}
    assert {"edits-clone.png", "edits-clone-none.png", "random-codes.png", "report.md", "result.json"} <= names


def test_a_generator_that_was_not_changed_does_all_as_before(run, monkeypatch):
    monkeypatch.setattr(editability, "inverted", lambda pack, crop, way, **_: inverted(pack, crop, "encoder", seed=0))
    (figures,) = run("--methods", "clone").values()
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

    monkeypatch.setattr(editability, "inverted", forgetful)
    (figures,) = run("--methods", "clone").values()
    assert figures["target_change"] in (0, None)
    assert figures["attribute_preservation"] == 1
    judges = Judges(tiny_pack)
    shared = judges.pictures(sample_codes(tiny_pack, 8, seed=0)).astype(float)
    with torch.no_grad():
        still = judges.pictures(np.zeros((1, 8, 16), np.float32), editability.tuned(tiny_pack.generator, affine)).astype(float)
    moved = np.sqrt(np.square(shared - still).reshape(8, -1).mean(1)).mean()
    apart = np.sqrt(np.square(shared - np.roll(shared, 1, 0)).reshape(8, -1).mean(1)).mean()
    assert figures["random_change"] == pytest.approx(moved / apart, rel=1e-4)


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
