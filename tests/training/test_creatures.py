"""A class-conditional pack from end to end: every training and evaluation of ``creatures`` on a handful of pictures."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from engines import api
from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE
from engines.data.creatures import STYLES
from engines.evaluation import generator as evaluate_generator
from engines.evaluation import predictors as evaluate_predictors
from engines.packs.registry import open_pack
from engines.training import classifier, encoder, gan, lw, predictors
from engines.training.object_statistics import write_object_statistics
from tests.command_run import run_command

pytest.importorskip("dicebear", reason="pip install -r requirements-train.txt")

pytestmark = pytest.mark.train

_FEW_SAMPLES = 100


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("creatures")


@pytest.fixture(autouse=True)
def _places(home, monkeypatch):
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(home / "data"))
    monkeypatch.setenv(PACKS_VARIABLE, str(home / "packs"))


def _run(module: ModuleType, *words: str, **given: Any) -> dict[str, Any]:
    return run_command(module, *words, **{"pack": "creatures", "seed": 3, **given})


@pytest.fixture(scope="module")
def trained(home) -> dict[str, dict[str, Any]]:
    """What every training returned, a few steps each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_DIR_VARIABLE, str(home / "data"))
        patch.setenv(PACKS_VARIABLE, str(home / "packs"))
        # Every process that draws would check the drawings of all ten styles first.
        patch.setattr("engines.data.workers.default_processes", lambda: 1)
        patch.setitem(write_object_statistics.__kwdefaults__, "pictures", _FEW_SAMPLES)
        few = ("--pictures", "60")
        results = {"predictors": _run(predictors, *few, "--steps", "4"), "gan": _run(gan, *few, "--steps", "5")}
        results["encoder"] = _run(encoder, *few, "--steps", "2")
        _run(classifier, *few, "--steps", "3", "--hidden", "16")
        _run(lw, *few, "--steps", "2", "--batch", "16", "--attributes", "Large")
    return results


def test_every_training_writes_its_component(trained):
    pack = open_pack("creatures")
    assert pack.manifest.missing_kinds == () and not pack.has("identity")
    assert [row.id for row in pack.manifest.classes] == list(STYLES) == list(pack.class_predictor.classes)
    assert pack.generator.config.class_count == pack.discriminator.config.class_count == len(STYLES)
    assert pack.statistics["w_class_avg"].shape == (len(STYLES), 128)
    box = pack.box_detector(torch.zeros(1, 3, 64, 64))
    assert box.shape == (1, 4)
    assert "creatures-ood train, 60 renders" in pack.manifest.components["box_detector"].provenance.data
    figures = trained["predictors"]["metrics"]
    assert {"class_accuracy", "class_accuracy_creatures-ood", "box_iou", "box_iou_creatures-ood"} <= set(figures)


def test_every_training_leaves_sample_pictures(trained, home):
    runs = home / "data" / "runs" / "creatures"
    found = {
        what: {path.stem for path in (runs / what).glob("*.png")} for what in ("predictors", "encoder", "classifier", "lw")
    }
    assert found["predictors"] == {"attributes", "perceptual", "classes", "boxes"}
    assert found["encoder"] == {"reconstructions"} and found["classifier"] == {"attributes"} and found["lw"] == {"Large"}


def test_statistics_of_objects_are_measured_once_there_is_a_generator(trained):
    manifest = open_pack("creatures").manifest
    found = manifest.object_statistics
    assert found.pictures == _FEW_SAMPLES and 0 < found.size_mode[0] <= 1
    assert write_object_statistics.__kwdefaults__["pictures"] == 2000, "as many as that where no test asks for fewer"
    assert manifest.object_box == pytest.approx(found.box, abs=1e-4)


def test_the_networks_of_objects_are_refused_where_there_are_none():
    with pytest.raises(OptionError, match="--networks takes attributes, perceptual for this pack; got 'boxes'"):
        _run(predictors, "--networks", "boxes", pack="multimnist")


def test_evaluations_tell_the_classes_apart(trained, tmp_path):
    words = ("--n", "60", "--train-pictures", "60", "--path-samples", "60")
    result = _run(evaluate_generator, *words, out=tmp_path / "generator")
    assert set(result["by_class"]) == set(STYLES)
    assert all(row["n"] == 6 and row["fd_ratio"] > 0 for row in result["by_class"].values())
    assert 0 <= result["class_agreement"] <= 1 and "Class by class" in (tmp_path / "generator" / "report.md").read_text()
    with pytest.raises(OptionError, match="--n is too small: at least 4 pictures of every class"):
        _run(evaluate_generator, "--n", "30", *words[2:], out=tmp_path / "small")
    result = _run(evaluate_predictors, "--n", "20", out=tmp_path / "predictors")
    assert 0 <= result["class_accuracy"] <= 1 and 0 <= result["box_iou_mean"] <= 1


def test_a_class_is_asked_for_by_name(trained):
    pack = api.open_pack("creatures")
    planet = api.surprise(pack, 2, classes="planets")
    assert planet.settings["classes"] == {"planets": 1.0} and planet.reconstruction.shape == (64, 64, 3)
    assert [row.id for row in api.pack_info(pack).classes] == list(STYLES)


def test_networks_of_objects_go_on_from_the_packs_weights(trained, tmp_path):
    before = open_pack("creatures").class_predictor.output.weight.clone()
    words = ("--pictures", "60", "--steps", "2", "--networks", "classes", "--run", str(tmp_path / "run"))
    _run(predictors, *words, "--continue-weights")
    pack = open_pack("creatures")
    source = pack.manifest.components["class_predictor"].provenance
    assert source.initialised_from.startswith("the class predictor of the pack's weights")
    # Two small steps from there; fresh weights would lie as far away as the weights are large.
    assert 0 < float((pack.class_predictor.output.weight - before).norm()) < 0.5 * float(before.norm())


def test_edits_that_stay_keep_the_command_that_made_them(trained, tmp_path):
    first = open_pack("creatures").manifest.components["edit_maps"].provenance
    assert first.initialised_from == ""
    words = ("--pictures", "60", "--steps", "2", "--batch", "16", "--run", str(tmp_path / "run"))
    _run(lw, *words, "--attributes", "Dark_Color")
    source = open_pack("creatures").manifest.components["edit_maps"].provenance
    assert source.initialised_from == f"the other edits, by `{first.command}`"
