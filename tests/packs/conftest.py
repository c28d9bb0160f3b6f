from __future__ import annotations

from pathlib import Path

import pytest

from tests.packs.small_pack import write_small_pack


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder of a freshly written pack ``small``; its parent is a folder of packs."""
    folder = tmp_path / "packs" / "small"
    write_small_pack(folder)
    return folder
