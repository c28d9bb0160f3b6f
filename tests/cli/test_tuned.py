"""``invert --method clone``, ``edit`` on what it made, and ``tuned list|clear``."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.cli.main import main
from engines.core.paths import data_dir
from engines.tuning import run as course


@pytest.fixture
def picture(tmp_path) -> Path:
    ramp = np.linspace(0, 255, 48).astype(np.uint8)
    pixels = np.stack([np.broadcast_to(ramp, (48, 48)), np.broadcast_to(ramp[:, None], (48, 48)), np.full((48, 48), 90)], -1)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "ramp.png")
    return tmp_path / "ramp.png"


@pytest.fixture
def command(tiny_pack, capsys, monkeypatch):
    """command(*words): the exit status, the JSON on stdout (None where there is none) and stderr."""
    monkeypatch.setattr(course, "PIVOT_STEPS", 10)

    def run(*words: object) -> tuple[int, dict | None, str]:
        status = main([*map(str, words), "--json"])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return run


def _clone(command, picture, out, *words) -> dict:
    status, result, err = command(
        "invert", picture, "--pack", "tiny", "--method", "clone", "--face", "whole", "--steps", 5, "--out", out, *words
    )
    assert status == 0, err
    return result["results"][0]


def test_a_clone_is_kept_listed_found_again_and_cleared(command, picture, tmp_path):
    assert command("tuned", "list")[1] == {"entries": [], "bytes": 0}
    first = _clone(command, picture, tmp_path / "a")
    assert (first["method"], first["from_store"], first["steps"]) == ("clone", False, 5)
    second = _clone(command, picture, tmp_path / "b")
    assert second["from_store"]
    assert (tmp_path / "a/ramp/reconstruction.png").read_bytes() == (tmp_path / "b/ramp/reconstruction.png").read_bytes()
    status, listed, _ = command("tuned", "list")
    (entry,) = listed["entries"]
    assert status == 0
    assert (entry["pack"], entry["method"], entry["mse"]) == ("tiny", "clone", first["mse"])
    (file,) = (data_dir() / "tuned").iterdir()
    assert listed["bytes"] == entry["bytes"] == file.stat().st_size
    month_ago = time.time() - 30 * 86400
    os.utime(file, (month_ago, month_ago))
    assert [len(command("tuned", "list", "--older-than", days)[1]["entries"]) for days in (20, 40)] == [1, 0]
    assert command("tuned", "clear", "--older-than", 40)[1] == {"entries": [], "bytes": 0}
    assert [gone["age_days"] // 1 for gone in command("tuned", "clear", "--older-than", 20)[1]["entries"]] == [30]
    assert command("tuned", "list")[1] == {"entries": [], "bytes": 0}
    assert not _clone(command, picture, tmp_path / "c")["from_store"]


def test_a_saved_clone_is_edited_with_its_own_weights(command, picture, tmp_path):
    cloned = _clone(command, picture, tmp_path / "a", "--global-loss", "none")
    words = ("edit", cloned["inversion"], "--pack", "tiny", "--out", tmp_path / "same.png", "--set", "Male=0")
    status, result, err = command(*words)
    assert status == 0, err
    assert result["mse"] == cloned["mse"]
    same, reconstruction = (np.asarray(Image.open(path)) for path in (tmp_path / "same.png", cloned["reconstruction"]))
    assert np.array_equal(same, reconstruction)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("tuned",), "list|clear"),
        (("tuned", "show"), "show"),
        (("tuned", "list", "--older-than", "nan"), "out of range"),
        (("tuned", "clear", "--older-than", "-1"), "out of range"),
    ],
)
def test_bad_input_is_one_line(command, words, text):
    status, result, err = command(*words)
    assert (status, result) == (2, None)
    assert err.startswith("error: ") and text in err and err.count("\n") == 1
