"""Where attributes show, measured on real portraits and on a set whose counterfactuals are planted."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE
from engines.data.registry import DATA_SETS
from engines.packs.manifest import read_manifest
from engines.training import regions
from tests.command_run import run_command
from tests.tiny_pack import TINY_ATTRIBUTES

SIDE = 32


@pytest.mark.train
def test_portraits_change_where_the_attribute_is():
    """The alignment puts eyes at 52 % and the mouth at 77 % of the height."""
    pytest.importorskip("embreex", reason="pip install -r requirements-train.txt")
    names = ("Eyeglasses", "Mouth_Open")
    glasses, mouth = np.mean([regions.changes_of(("faces", names, i, 64)) for i in range(2)], axis=0)
    for change, rows in ((glasses, (14, 19)), (mouth, (21, 28))):
        assert change.sum() > 0
        assert rows[0] <= np.average(np.arange(SIDE), weights=change.sum(1)) <= rows[1]
    assert glasses[24:].max() < 0.02 * glasses.max() and mouth[:14].max() < 0.02 * mouth.max()


def test_the_command_writes_what_counterfactuals_show(tiny_pack, tmp_path, monkeypatch):
    """Planted: turning attribute k over changes row 8 k of the picture, whichever way."""

    def render(record: tuple[bool, ...], side: int) -> np.ndarray:
        picture = np.full((side, side, 3), 100, np.uint8)
        picture[: 8 * len(record) : 8][np.array(record)] = 200
        return picture

    planted = dataclasses.replace(
        DATA_SETS["faces"],
        attributes=TINY_ATTRIBUTES,
        record=lambda split, index: tuple(bool(index >> k & 1) for k in range(4)),
        labels=lambda record: dict(zip(TINY_ATTRIBUTES, record, strict=True)),
        counterfactual=lambda record, name, value: tuple(
            value if other == name else had for other, had in zip(TINY_ATTRIBUTES, record, strict=True)
        ),
        render=render,
    )
    monkeypatch.setitem(DATA_SETS, "faces", planted)
    monkeypatch.setattr(regions, "in_processes", lambda function, tasks: map(function, tasks))
    shutil.copytree(tiny_pack.folder, tmp_path / "tiny")
    monkeypatch.setenv(PACKS_VARIABLE, str(tmp_path))
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    before = read_manifest(tmp_path / "tiny")
    result = run_command(regions, "--pictures", "3")
    manifest = read_manifest(tmp_path / "tiny")
    assert manifest.edit_regions.pictures == 3
    sheet = np.asarray(Image.open(Path(result["run"]) / "regions.png"))
    assert sheet.shape == (SIDE, len(TINY_ATTRIBUTES) * (SIDE + 2) - 2, 3)
    assert dataclasses.replace(manifest, edit_regions=None) == before
    for k, name in enumerate(TINY_ATTRIBUTES):
        rows = manifest.edit_regions.grids[name]
        assert [set(row) for row in rows] == [{"f"} if abs(i - 8 * k) <= 1 else {"0"} for i in range(SIDE)]
        assert result["metrics"]["share_of_frame"][name] == (2 if k == 0 else 3) / SIDE
