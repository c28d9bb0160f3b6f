"""A server's temporary files lie together, and go with it, or when the next one starts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from editor_app import temporary
from editor_app.temporary import own_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(temporary, "_STARTING_SEC", -1.0)
    return tmp_path


def test_what_is_made_meanwhile_lies_inside_and_goes(home: Path):
    with own_folder() as folder:
        assert Path(tempfile.mkdtemp()).parent == folder
    assert list(home.iterdir()) == []
    assert tempfile.gettempdir() == str(home)


def test_what_a_killed_server_left_is_removed_and_what_a_living_one_needs_is_not(home: Path):
    program = (
        "import os, sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from editor_app.temporary import own_folder\n"
        "with own_folder() as folder:\n"
        " (folder / 'photo.png').touch(); print(folder, flush=True); sys.stdin.readline(); os._exit(9)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        theirs = Path(other.stdout.readline().strip())
        (home / "lwe-server-strange").mkdir()
        with own_folder():
            assert (theirs / "photo.png").exists()
        other.communicate("die\n")
    assert (theirs / "photo.png").exists()
    with own_folder() as folder:
        assert sorted(os.listdir(home)) == sorted([folder.name, "lwe-server-strange"])
