"""What every test stands on: fixed seeds, no network, a data folder of its own, and a tiny complete pack."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE

if TYPE_CHECKING:
    from engines.packs.load import Pack

_LOOPBACK = ("127.0.0.1", "::1", "localhost")

# Tiny networks are faster on one thread; processes that tests start inherit the choice.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Seeds every generator, refuses connections that leave this machine, and keeps the user's data folder out of it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data-dir"))
    # What lies in the user's cache would decide which perceptual distance is used.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch-home"))
    # Few pictures are rendered sooner here, where meshes and drawings stay loaded, than processes start that load them again.
    monkeypatch.setattr("engines.data.workers.default_processes", lambda: 1)
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _local_only(getattr(socket.socket, name)))


@pytest.fixture(scope="session")
def tiny_packs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs that holds the pack ``tiny`` (see tests/tiny_pack.py); not to be written to."""
    # Imported here: tests of single parts start fast, and do not depend on all the others.
    from tests.tiny_pack import TINY_ID, build_tiny_pack

    folder = tmp_path_factory.mktemp("packs")
    build_tiny_pack(folder / TINY_ID)
    return folder


@pytest.fixture
def tiny_pack(tiny_packs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """The pack ``tiny``, open; its folder is where this test and the processes it starts look for packs."""
    from engines.packs.registry import open_pack
    from tests.tiny_pack import TINY_ID

    monkeypatch.setenv(PACKS_VARIABLE, str(tiny_packs_dir))
    return open_pack(TINY_ID)


@pytest.fixture(scope="session")
def class_packs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs that holds the pack ``tiny`` with classes; not to be written to."""
    from tests.tiny_pack import TINY_CLASSES, TINY_ID, build_tiny_pack

    folder = tmp_path_factory.mktemp("class-packs")
    build_tiny_pack(folder / TINY_ID, TINY_CLASSES)
    return folder


@pytest.fixture
def class_pack(class_packs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """The pack ``tiny`` with a class-conditional generator, open; this test and the processes it starts find it there."""
    from engines.packs.registry import open_pack
    from tests.tiny_pack import TINY_ID

    monkeypatch.setenv(PACKS_VARIABLE, str(class_packs_dir))
    return open_pack(TINY_ID)


def _local_only(method):
    def guarded(self: socket.socket, address):
        if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in _LOOPBACK:
            raise RuntimeError(f"tests may not open a connection to {address}")
        return method(self, address)

    return guarded
