"""The training commands from end to end on a handful of rendered pictures: a pack comes out that opens and works."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from engines.cli.main import main
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE, repository_dir

pytest.importorskip("embreex", reason="pip install -r requirements-train.txt")

pytestmark = pytest.mark.train

_COMMON = ("--pack", "faces", "--pictures", "32", "--json", "--seed", "3")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


def _train(home, *words: str) -> dict:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment |= {DATA_DIR_VARIABLE: str(home / "data"), PACKS_VARIABLE: str(home / "packs")}
    command = [sys.executable, "-m", "engines", "train", *words, *_COMMON]
    done = subprocess.run(command, cwd=repository_dir(), env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_stage_writes_its_components_and_the_pack_opens(home):
    networks = _train(home, "predictors", "--steps", "8")
    assert 0 <= networks["metrics"]["balanced_accuracy_mean"] <= 1
    gan = _train(home, "gan", "--steps", "10")
    assert gan["metrics"]["held_out_mse_median"] > 0
    _train(home, "encoder", "--steps", "2")

    from engines.packs.registry import open_pack

    pack = open_pack("faces", home / "packs")
    codes = pack.encoder(torch.zeros(1, 3, 128, 128))
    assert pack.generator.synthesis(codes).shape == (1, 3, 128, 128)
    for kind in ("generator", "discriminator", "statistics", "encoder", "attribute_predictor", "identity", "perceptual"):
        provenance = pack.manifest.components[kind].provenance
        assert provenance.command.startswith("python -m engines train") and provenance.seed == 3
    assert any(attribute.prevalence > 0 for attribute in pack.manifest.attributes)


def test_every_edit_family_is_trained_into_its_own_component(home, monkeypatch, capsys):
    """After the stages above: a classifier, then families of one attribute each by the shortest way; in this process."""
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(home / "data"))
    monkeypatch.setenv(PACKS_VARIABLE, str(home / "packs"))

    def train(*words: str) -> dict:
        assert main(["train", *words, *_COMMON]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    train("classifier", "--steps", "5")
    shortest = [("lw", "--star"), ("lw", "--affine"), ("lt",), ("lt", "--star")]
    for words in (*((*words, "--steps", "2") for words in shortest), ("stylespace",)):
        result = train(*words, "--attributes", "Smiling")
        assert 0 <= result["metrics"]["attribute_preservation_add_mean"] <= 1
    for words in (("interfacegan", "--condition", "0"), ("ganspace", "--codes", "1"), ("sefa", "--codes", "1")):
        smaller = () if words[0] == "interfacegan" else ("--components", "1")
        train(*words, *smaller, "--attributes", "Smiling")

    from engines.editing.families import FAMILIES
    from engines.packs.registry import open_pack

    pack = open_pack("faces", home / "packs")
    assert pack.families == tuple(name for name in FAMILIES if name != "LW")
    codes = pack.encoder(torch.zeros(1, 3, 128, 128))
    for name in pack.families:
        family = pack.family(name)
        assert torch.isfinite(family.edit(codes, {"Smiling": 1.0})).all() and family.scale.min() >= 0.25
        assert pack.manifest.components[FAMILIES[name].kind].provenance.seed == 3
