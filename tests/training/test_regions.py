"""``train regions`` on a set whose counterfactuals are planted."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE
from engines.data import changes, sets
from engines.data.registry import DATA_SETS
from engines.imaging.convert import to_tensor
from engines.packs.registry import open_pack
from engines.training import regions
from tests.command_run import run_command
from tests.tiny_pack import TINY_ATTRIBUTES


@dataclasses.dataclass(frozen=True)
class _Record:
    has: tuple[bool, ...]

    def to_json(self) -> str:
        return "".join(str(int(had)) for had in self.has)


def _render(record: _Record, side: int) -> np.ndarray:
    picture = np.full((side, side, 3), 100, np.uint8)
    for k, had in enumerate(record.has):
        picture[8 * k + 2 : 8 * k + 6, 4:28] += np.uint8(120 * had)
    return picture


@pytest.fixture
def packs(tiny_pack, tmp_path, monkeypatch) -> Path:
    """The tiny pack, and a set of its size in which attribute k is a bright bar in the k-th quarter of the picture."""
    planted = dataclasses.replace(
        DATA_SETS["faces"],
        size_px=32,
        attributes=TINY_ATTRIBUTES,
        factors=(),
        record=lambda split, index: _Record(tuple(bool((index + len(split)) >> k & 1) for k in range(4))),
        labels=lambda record: dict(zip(TINY_ATTRIBUTES, record.has, strict=True)),
        read=lambda line: _Record(tuple(digit == "1" for digit in line.strip())),
        counterfactual=lambda record, name, value: _Record(
            tuple(value if other == name else had for other, had in zip(TINY_ATTRIBUTES, record.has, strict=True))
        ),
        render=_render,
    )
    monkeypatch.setitem(DATA_SETS, "faces", planted)
    for module in (changes, sets):
        monkeypatch.setattr(module, "in_processes", lambda function, tasks, **others: map(function, tasks))
    shutil.copytree(tiny_pack.folder, tmp_path / "packs" / "tiny")
    monkeypatch.setenv(PACKS_VARIABLE, str(tmp_path / "packs"))
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    return tmp_path / "packs"


def test_the_network_learns_where_attributes_show_and_leaves_the_packs_weights_as_they_are(packs):
    before = open_pack("tiny").weights_hash
    result = run_command(regions, "--pictures", "64", "--steps", "120")
    pack = open_pack("tiny")
    assert pack.weights_hash == before, "no figure but those of pasting depends on it"
    assert pack.region_network.attributes == TINY_ATTRIBUTES
    assert result["metrics"]["region_iou"] > 0.6
    source = pack.manifest.components["region_network"].provenance
    assert "64 renders and 256 counterfactuals" in source.data and before in source.initialised_from
    assert source.images_seen == 120 * 48
    with torch.inference_mode():
        probabilities = pack.region_network.probabilities(to_tensor(_render(_Record((True, False, True, False)), 32)))[0]
    for k, rows in enumerate(probabilities):
        quarters = rows.unflatten(0, (4, 8))[:, 3:5, 8:24].mean((1, 2))
        assert quarters[k] > 0.5 and quarters[k] > 2 * torch.cat([quarters[:k], quarters[k + 1 :]]).max()
    sheet = np.asarray(Image.open(Path(result["run"]) / "regions.png"))
    assert sheet.shape[1] >= 4 * 32 and np.ptp(sheet) > 100
