"""Options that cannot be used are refused before any work: one line that names the option, and nothing is written."""

from __future__ import annotations

import argparse
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from engines.cli import train
from engines.core.device import resolve_device
from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE
from tests.cli.running import ROOT, command, only_error


@pytest.fixture(autouse=True)
def _here(tiny_pack, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "option", "text"),
    [
        (("data", "faces", "--n", "1"), "--out", "taken is a file; name a folder to write to"),
        (("sample",), "--out", "taken is a file; name a folder to write to"),
        (("sample",), "--data-dir", "taken is a file; name a folder to write to"),
        (("invert", "a.png"), "--out", "taken is a file; name a folder to write to"),
        (("evaluate", "edits"), "--out", "taken is a file; name a folder to write to"),
        (("train", "encoder"), "--run", "taken is a file; name a folder to write to"),
        (("codes", "--images", "in"), "--out", "taken: name a file that ends in .safetensors"),
    ],
)
def test_a_file_is_no_folder_to_write_to(tmp_path, words, option, text):
    (tmp_path / "taken").write_text("mine")
    line = only_error(command(*words, option, "taken"))
    assert option in line and text in line
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("edit", "a.png", "--set", "Male=1", "--out", "folder.png"), "--out: folder.png is a folder; name a file in it"),
        (("edit", "a.png", "--set", "Male=1", "--out", "taken/x.png"), "--out: taken/x.png cannot be written: taken is a file"),
        (("edit", "a.png", "--set", "Male=1", "--out", ""), "--out: . is a folder"),
        (("codes", "--images", "in", "--out", "folder.png"), "--out: folder.png is a folder"),
        (("sample", "--out", "taken/below"), "--out: taken is a file"),
        (("sample", "--out", ""), "--out: name a folder"),
        (("invert", "in/taken.png", "--pack", "tiny", "--out", "."), "--out .: taken is a file."),
    ],
)
def test_where_nothing_can_be_written_is_told_first(tmp_path, words, text):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "taken").write_text("")
    assert text in only_error(command(*words))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder.png", "taken"]


def test_the_data_folder_of_the_environment_is_a_folder(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "taken"))
    assert "taken is a file; name a folder with --data-dir or LWE_DATA_DIR" in only_error(command("packs"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("invert", "a.png", "--seconds", "0", "--out", "x"), "0 is out of range, use more than 0"),
        (("edit", "a.png", "--zoom", "0", "--out", "x.png"), "0 is out of range, use more than 0"),
        (("sample", "--seed", "-1", "--out", "x"), "-1 is out of range, use 0 to 9223372036854775807"),
        (("benchmark", "render", "--n", "0"), "0 is out of range, use 1 to 100000"),
        (
            ("evaluate", "inversion", "--pack", "tiny", "--sets", "photos", "--n-of", "photos=3"),
            "no rendered sets among photos",
        ),
    ],
)
def test_errors_name_what_can_be_used(words, text):
    assert text in only_error(command(*words))


# ---- WHAT -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("evaluate", "--out", "inversion", "edits"), "WHAT edits: name it before all options"),
        (("train", "--run", "lw", "classifier"), "WHAT classifier: name it before all options"),
        (("train", "--run", "lw", "clasifier"), "did you mean classifier"),
        (("train", "--run", "lw"), "WHAT"),
    ],
)
def test_the_value_of_an_option_is_not_taken_for_what_to_do(words, text):
    assert text in only_error(command(*words))


def test_what_may_stand_behind_options():
    assert "--steps" in only_error(command("train", "--pack", "tiny", "steering", "--steps", "0"))


# ---- trainings ------------------------------------------------------------------------------------------------------


_BAD_OF_ALL = {
    "--steps": ("0", "-1", "nan"),
    "--minutes": ("0", "nan", "inf", "1e9"),
    "--threads": ("-1", "0", "1000000"),
}
_BAD_OF_FAMILIES = {"--change": ("0", "2", "nan"), "--certainty": ("5", "nan", "-1"), "--pictures": ("0", "-3")}
_BAD_OF_ONE = {
    "gan": {f"--{stage}-share": ("-1", "nan", "2") for stage in ("autoencoding", "mapping", "adversarial")},
    "encoder": {"--offset-penalty": ("nan", "-1")},
    "predictors": {"--reconstructions": ("-1", "nan")},
    "classifier": {"--hidden": ("x", ",", "", "0", "-3,4", "64,")},
    "steering": {"--shift-most": ("0", "1", "nan"), "--zoom-most": ("1", "4", "inf")},
    "lt": {"--rate": ("0", "nan"), "--code-weight": ("nan", "-1"), "--attribute-weight": ("nan",), "--rank": ("-1",)},
    "interfacegan": {"--cost": ("0", "nan"), "--codes": ("1",), "--condition": ("-1", ",", "nan", "0.5")},
    "ganspace": {"--samples": ("0",), "--components": ("0",), "--codes": ("0",)},
    "sefa": {"--components": ("0",), "--codes": ("0",)},
    "stylespace": {"--channels": ("0",)},
    "lw": {
        "--weight-by": ("-1", "nan", ","),
        "--rank": ("-1", "x"),
        "--batch": ("-1",),
        "--rate": ("0", "-1", "nan"),
        "--decay": ("0", "2", "nan"),
        "--patience": ("0",),
        "--shift-rate": ("nan", "-1"),
        "--components": ("-1",),
        "--map-components": ("-1",),
        "--hidden": ("-1",),
        "--whitening": ("7", "-1", "nan"),
        "--blur": ("0", "nan"),
        "--input-noise": ("nan", "-1"),
        "--cells": ("0",),
        "--calm": ("nan", "-1"),
        "--stay": ("nan", "inf"),
        "--preservation": ("nan", "-1"),
    },
}
_BAD = [
    (what, option, value)
    for what, options in {
        **_BAD_OF_ONE,
        "encoder": _BAD_OF_ONE["encoder"] | _BAD_OF_ALL,
        "lw": _BAD_OF_ONE["lw"] | _BAD_OF_ALL | _BAD_OF_FAMILIES,
    }.items()
    for option, values in options.items()
    for value in values
]


@pytest.mark.parametrize(("what", "option", "value"), _BAD)
def test_trainings_refuse_what_they_cannot_use(tmp_path, what, option, value):
    assert option in only_error(command("train", what, option, value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("lw", "--pack", "../../x"), "There is no pack '../../x'"),
        (("classifier", "--pack", "../../x"), "There is no pack '../../x'"),
        (("encoder", "--pack", "nosuch"), "There is no pack 'nosuch'"),
        (("lw", "--pack", "tiny", "--preservation-of", "nosuch=nan"), "--preservation-of"),
        (("gan", "--pack", "creatures", "--autoencoding-share", "0", "--adversarial-share", "0"), "random weights"),
        (("gan", "--pack", "creatures"), "Train the perceptual network first"),
        (("lw", "--labels", "nosuch.csv", "--images", ".", "--minutes", "nan"), "--minutes"),
    ],
)
def test_a_training_finds_out_before_it_makes_its_folder(tmp_path, words, text):
    assert text in only_error(command("train", *words))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["regions", "sample", "ganspace", "sefa", "stylespace", "steering", "lw"])
def test_every_training_takes_minutes_and_resume(what):
    """As far as the pack: it is not there."""
    assert "nosuch" in only_error(command("train", what, "--pack", "nosuch", "--minutes", "1", "--resume"))


# ---- devices --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["foo", "cudax", "cuda:x", "-1"])
@pytest.mark.parametrize(
    "words", [("packs",), ("tuned", "list"), ("edits", "list"), ("data", "faces", "--n", "1", "--out", "x"), ("train", "lw")]
)
def test_no_command_takes_a_device_that_is_none(words, name):
    assert "--device" in only_error(command(*words, "--device", name))


@pytest.mark.skipif(torch.cuda.is_available(), reason="it is there")
def test_a_device_that_is_not_here_is_refused_by_commands_that_compute_nothing():
    assert "--device cuda is not available here" in only_error(command("tuned", "list", "--device", "cuda"))


def test_devices_are_counted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    for name in ("cuda:2", "cuda:", "cudax"):
        with pytest.raises(OptionError, match=f"--device {name} is not available"):
            resolve_device(name)


def test_a_training_on_another_device_is_refused_and_not_done_on_the_cpu():
    asked = SimpleNamespace(device="cuda", run_what=lambda arguments: pytest.fail("trained"))
    with pytest.raises(OptionError, match="--device cuda: trainings run on the CPU"):
        train.run(argparse.Namespace(**vars(asked)))


# ---- interrupts -----------------------------------------------------------------------------------------------------


_INTERRUPTED = """
import runpy, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "engines.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
runpy.run_module("engines", run_name="__main__")
"""


def test_an_interrupt_while_modules_are_imported_is_no_fault():
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")
