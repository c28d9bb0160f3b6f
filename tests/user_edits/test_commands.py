"""``train lw --labels``, ``--codes``, ``codes`` and ``edits``, run as people run them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.cli.main import main
from engines.core.paths import data_dir, repository_dir
from engines.packs.user_edits import LEAST
from tests.user_edits.planted import planted_codes, planted_pictures, write_folder

QUICK = ("--pack", "tiny", "--steps", "10", "--batch", "64", "--rank", "4", "--components", "8", "--classifier-steps", "60")


def command(*words: object) -> tuple[int, dict | None, str]:
    """The exit status, the object on stdout (None where there is none) and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*map(str, words), "--json"])
    return status, json.loads(out.getvalue()) if out.getvalue() else None, err.getvalue()


def refused(*words: object) -> str:
    """The one line of a refusal."""
    status, result, err = command(*words)
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (status, result, len(lines)) == (2, None, 1), err
    assert "Traceback" not in err
    return lines[0]


@pytest.fixture
def mine(tiny_pack, tmp_path) -> Path:
    """A folder of labelled pictures."""
    pictures, has = planted_pictures(tiny_pack, 40)
    return write_folder(tmp_path / "mine", pictures, has).parent


def test_pictures_become_a_slider_of_edit_and_packs(mine, tmp_path):
    status, result, err = command("train", "lw", *QUICK, "--labels", mine / "labels.csv", "--images", mine, "--aligned")
    assert status == 0, err
    assert result["id"] == "Hat" and Path(result["best"]) == data_dir() / "edits" / "tiny" / "Hat"
    assert 0 <= result["metrics"]["latent_change_add"] <= 1 and "config.json" in os.listdir(result["run"])
    (pack,) = command("packs")[1]["packs"]
    assert pack["attributes"][-1] | {"id": "Hat", "own": True} == pack["attributes"][-1]
    words = ("edit", mine / "images" / "000000.png", "--pack", "tiny", "--method", "encoder", "--face", "whole")
    status, edited, err = command(*words, "--set", "Hat=1", "--set", "Smiling=0.5", "--out", tmp_path / "a.png")
    assert status == 0, err
    assert 0 <= edited["before"]["Hat"] <= 1 and edited["alphas"] == {"Hat": 1.0, "Smiling": 0.5}
    assert "Hat=5" in refused(*words, "--set", "Hat=5", "--out", tmp_path / "a.png")

    listed = command("edits", "list")[1]["edits"]
    assert [(edit["id"], edit["user"], edit["usable"]) for edit in listed] == [("Hat", None, True)]
    assert Path(listed[0]["report"]).is_file() and str(tmp_path) not in Path(listed[0]["report"]).read_text()
    assert "no edit 'hat'" in refused("edits", "remove", "hat", "--pack", "tiny")
    assert command("edits", "remove", "Hat", "--pack", "tiny")[0] == 0
    assert command("edits", "list", "--pack", "tiny")[1] == {"edits": []}
    # The run's folder is free again.
    assert command("train", "lw", *QUICK, "--labels", mine / "labels.csv", "--images", mine / "images", "--aligned")[0] == 0


def test_codes_are_written_once_and_trained_from(mine, tmp_path):
    out = tmp_path / "codes.safetensors"
    words = ("--images", mine, "--pack", "tiny", "--aligned", "--out", out)
    status, result, err = command("codes", *words, "--labels", mine / "labels.csv")
    assert status == 0, err
    assert (result["n"], result["attributes"], result["skipped"]) == (40, ["Hat"], [])
    tensors = load_file(out)
    assert tuple(tensors["codes"].shape) == (40, 8, 16) and tensors["labels"].sum() == 20
    status, result, err = command("train", "lw", *QUICK, "--codes", out, "--name", "Top hat", "--seed", 4)
    assert status == 0, err
    assert (result["id"], result["name"]) == ("Top_hat", "Top hat")
    record = json.loads((Path(result["best"]) / "edit.json").read_text())
    assert "--codes codes.safetensors" in record["provenance"]["command"] and record["provenance"]["seed"] == 4
    # Without a table: all pictures of the folder, no labels.
    assert command("codes", "--images", mine / "images", "--pack", "tiny", "--aligned", "--out", out)[1]["n"] == 40
    assert "has no labels" in refused("train", "lw", *QUICK, "--codes", out, "--name", "Other")


def test_one_w_a_picture_with_a_table_of_labels(tiny_pack, tmp_path):
    codes, has = planted_codes(tiny_pack, 60)
    save_file({"w": codes.mean(1).contiguous()}, tmp_path / "w.safetensors")
    lines = [f"{index},{int(label)}" for index, label in enumerate(has)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,Hat", *lines]))
    words = ("train", "lw", *QUICK, "--codes", tmp_path / "w.safetensors", "--labels", tmp_path / "labels.csv")
    status, result, err = command(*words)
    assert status == 0 and result["id"] == "Hat", err
    (tmp_path / "labels.csv").write_text("\n".join(["file,Hat", *lines[:-1]]))
    assert "59 lines for 60 codes" in refused(*words, "--name", "Other")


@pytest.mark.parametrize(
    ("tensors", "metadata", "said"),
    [
        ({"x": torch.zeros(3)}, {}, "expected a tensor codes of shape [N, 8, 16] or w of shape [N, 16], found none"),
        ({"codes": torch.zeros(30, 8, 17)}, {}, "found [30, 8, 17]"),
        ({"codes": torch.zeros(0, 8, 16)}, {}, "found [0, 8, 16]"),
        ({"w": torch.full((30, 16), torch.nan)}, {}, "finite"),
        ({"codes": torch.zeros(30, 8, 16, dtype=torch.int64)}, {}, "floating-point"),
        ({"w": torch.zeros(30, 16), "labels": torch.zeros(29)}, {}, "labels of shape [29, 1] do not fit 30 codes"),
        ({"w": torch.zeros(30, 16), "labels": torch.full((30,), 2)}, {}, "0 or 1"),
        ({"w": torch.zeros(30, 16), "labels": torch.zeros(30, 2)}, {"attributes": "Hat"}, "2 columns, but 1 different names"),
        ({"w": torch.zeros(30, 16)}, {"encoder": "0" * 64}, "another encoder"),
        ({"w": torch.zeros(30, 16), "labels": torch.zeros(30)}, {}, "no picture with the attribute"),
    ],
)
def test_files_of_codes_that_cannot_be(tiny_pack, tmp_path, tensors, metadata, said):
    save_file(tensors, tmp_path / "codes.safetensors", metadata)
    assert said in refused("train", "lw", *QUICK, "--codes", tmp_path / "codes.safetensors", "--name", "Hat")
    (tmp_path / "codes.safetensors").write_bytes(b"no file of codes")
    assert "no safetensors file" in refused("train", "lw", *QUICK, "--codes", tmp_path / "codes.safetensors")


def test_labels_and_pictures_that_do_not_fit(mine):
    table = mine / "labels.csv"
    words = ("train", "lw", *QUICK, "--aligned", "--labels", table)
    plain = table.read_text()
    assert "add --images DIR" in refused(*words)
    assert "no such folder" in refused(*words, "--images", mine / "nowhere")
    table.write_text(plain + "gone.png,1\nlost.png,0\n")
    assert "2 of 42 labelled pictures are not in" in refused(*words, "--images", mine)
    ones = [line for line in plain.splitlines() if not line.endswith(",0")]
    table.write_text("\n".join(ones))
    assert f"no picture without the attribute; at least {LEAST} with it" in refused(*words, "--images", mine)
    zeros = [line for line in plain.splitlines() if not line.endswith(",1")]
    table.write_text("\n".join([*zeros, *ones[1:4]]))
    assert f"3 pictures with the attribute and 20 without; at least {LEAST} of each" in refused(*words, "--images", mine)
    table.write_text(plain.replace("file,Hat", "file,Smiling"))
    assert "the pack tiny has an attribute of this name already" in refused(*words, "--images", mine, "--attribute", "Smiling")
    table.write_text(plain.replace("file,Hat", "file,Hat,Cap").replace(",1\n", ",1,1\n").replace(",0\n", ",0,1\n"))
    assert "several new attributes (Hat, Cap): say which" in refused(*words, "--images", mine)
    assert "the labels have Hat, Cap" in refused(*words, "--images", mine, "--attribute", "Scarf")
    table.write_text("not, a\ntable")
    assert "the first line has to be file,ATTRIBUTE" in refused(*words, "--images", mine)
    assert "--star is for the pack's own" in refused(*words, "--images", mine, "--star")
    assert "--attribute is for an attribute of your own" in refused("train", "lw", *QUICK, "--attribute", "Hat")
    assert not (data_dir() / "edits").exists()


def test_an_interrupt_leaves_a_run_that_is_gone_on_with(mine):
    """130, no edit, and --resume goes on; starting anew without it is refused."""
    words = ["train", "lw", *QUICK, "--aligned", "--labels", str(mine / "labels.csv"), "--images", str(mine)]
    words[words.index("--classifier-steps") + 1] = "20000"
    # Under a shell that started the tests in the background, SIGINT would be ignored.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(
        [sys.executable, "-m", "engines", *words],
        cwd=repository_dir(),
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        **heard,
    )
    for line in process.stderr:
        if line.startswith("Training the latent classifier"):
            break
    checkpoint = data_dir() / "runs" / "tiny" / "edit-Hat" / "classifier" / "checkpoint.pt"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait(60) == 130 and checkpoint.exists()
    assert not (data_dir() / "edits" / "tiny" / "Hat").exists()
    assert "--resume" in refused(*words)
    changed = [*words, "--resume", "--seed", "5"]
    assert "another seed" in refused(*changed)
    shorter = [word if word != "20000" else "60" for word in words]
    assert "another training" in refused(*shorter, "--resume")


def test_labels_of_known_attributes_are_used(tiny_pack, mine, tmp_path):
    """A column that the pack knows is taken from the user: Smiling that goes with Hat is tied to it, and the report says so."""
    has = np.loadtxt(mine / "labels.csv", delimiter=",", skiprows=1, usecols=1, dtype=int)
    lines = [f"{index:06d}.png,{label},{label}" for index, label in enumerate(has)]
    (mine / "labels.csv").write_text("\n".join(["file,Smiling,Hat", *lines]))
    status, result, err = command("train", "lw", *QUICK, "--labels", mine / "labels.csv", "--images", mine, "--aligned")
    assert status == 0 and result["id"] == "Hat", err
    assert "may change along: Smiling" in (Path(result["best"]) / "report.md").read_text()
