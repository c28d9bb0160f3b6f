"""The training commands from end to end on a handful of rendered pictures: a pack comes out that opens and works."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engines.cli.main import main
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE, repository_dir
from engines.data.sets import rendered_set
from tests.rendered_once import render_once

pytest.importorskip("embreex", reason="pip install -r requirements-train.txt")

pytestmark = pytest.mark.train

_COMMON = ("--pack", "faces", "--pictures", "32", "--json", "--seed", "3")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The places of data and packs, with the pictures that the commands ask for: drawn here, tests share what drawing loads."""
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as patch:
        render_once(patch)
        for split, count in (("train", 32), ("reshoots", 32), ("validation", 32)):
            rendered_set("faces", split, count, folder=folder / "data" / "datasets" / "faces" / split, processes=1)
    return folder


@pytest.fixture(autouse=True)
def _places(home, monkeypatch) -> None:
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(home / "data"))
    monkeypatch.setenv(PACKS_VARIABLE, str(home / "packs"))


@pytest.fixture
def train(monkeypatch, capsys) -> Callable[..., dict[str, Any]]:
    """A training command in this process: each process of its own would first load all that it needs, for some seconds."""

    def command(*words: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["engines", "train", *words, *_COMMON])
        assert main() == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return command


def _typed(*words: str) -> dict[str, Any]:
    """The same in a process of its own, as a user types it."""
    command = [sys.executable, "-m", "engines", "train", *words, *_COMMON]
    done = subprocess.run(command, cwd=repository_dir(), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_stage_writes_its_components_and_the_pack_opens(home, train, monkeypatch):
    networks = train("predictors", "--steps", "3")
    assert 0 <= networks["metrics"]["balanced_accuracy_mean"] <= 1
    # Their steps do not follow --steps.
    monkeypatch.setattr("engines.training.gate_fit._STEPS", 100)
    # Four steps of autoencoding: one at 32 px, one at 64, two at 128.
    gan = train("gan", "--steps", "7")
    assert gan["metrics"]["held_out_mse_median"] > 0
    train("encoder", "--steps", "2")

    from engines.packs.registry import open_pack

    pack = open_pack("faces", home / "packs")
    codes = pack.encoder(torch.zeros(1, 3, 128, 128))
    assert pack.generator.synthesis(codes).shape == (1, 3, 128, 128)
    for kind in ("generator", "discriminator", "statistics", "encoder", "attribute_predictor", "identity", "perceptual"):
        provenance = pack.manifest.components[kind].provenance
        assert provenance.command.startswith("python -m engines train") and provenance.seed == 3
    assert any(attribute.prevalence > 0 for attribute in pack.manifest.attributes)


def test_every_edit_family_is_trained_into_its_own_component(home, train):
    """After the stages above: a classifier, then families of one attribute each by the shortest way."""
    train("classifier", "--steps", "5")
    shortest = [("lw", "--star"), ("lw", "--affine"), ("lt",), ("lt", "--star")]
    for words in (*((*words, "--steps", "2") for words in shortest), ("stylespace",)):
        result = train(*words, "--attributes", "Smiling")
        assert 0 <= result["metrics"]["attribute_preservation_add_mean"] <= 1
    train("interfacegan", "--condition", "0", "--attributes", "Smiling")
    train("ganspace", "--codes", "1", "--components", "1", "--attributes", "Smiling")
    last = ("sefa", "--codes", "1", "--components", "1", "--attributes", "Smiling")
    assert 0 <= _typed(*last)["metrics"]["attribute_preservation_add_mean"] <= 1

    from engines.editing.families import FAMILIES
    from engines.packs.registry import open_pack

    pack = open_pack("faces", home / "packs")
    assert pack.families == tuple(name for name in FAMILIES if name != "LW")
    codes = pack.encoder(torch.zeros(1, 3, 128, 128))
    for name in pack.families:
        family = pack.family(name)
        assert torch.isfinite(family.edit(codes, {"Smiling": 1.0})).all() and family.scale.min() >= 0.25
        assert pack.manifest.components[FAMILIES[name].kind].provenance.seed == 3
    typed = " ".join(word for word in (*last, *_COMMON) if word != "--json")
    assert pack.manifest.components[FAMILIES["SeFa"].kind].provenance.command == f"python -m engines train {typed}"
