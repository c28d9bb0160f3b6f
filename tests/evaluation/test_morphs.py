"""Morphs into every class on a few creatures: figures against those counted by hand through the facade."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engines import api
from engines.cli.main import main
from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE
from engines.data.sets import rendered_set
from engines.imaging.convert import to_tensor
from tests.command_run import run_command

pytestmark = pytest.mark.train


def test_figures_are_those_of_the_page_and_repeat(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    words = ["evaluate", "morphs", "--pack", "creatures", "--n", "2", "--truncations", "1"]
    for name in ("first", "again"):
        assert main([*words, "--out", str(tmp_path / name)]) == 0
    for file in ("table.csv", "morphs.png"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()

    pack, found = api.open_pack("creatures"), rendered_set("creatures", "test", 2)
    classes = [row.id for row in pack.manifest.classes]
    reached: dict[str, list[float]] = {name: [] for name in classes}
    for picture in found.images[:2]:
        whole = api.align(pack, api.Picture(np.array(picture), "render"), None)
        creature = api.finish(api.invert(pack, whole, method="encoder"))
        for target in set(classes) - {classes[_seen(pack, creature.reconstruction)]}:
            frame = api.render(pack, creature, {}, object_edit=api.ObjectEdit(target))
            reached[target].append(float(classes[_seen(pack, frame.image)] == target))
    result = json.loads((tmp_path / "first" / "result.json").read_text(encoding="utf-8"))["result"]
    assert set(result) == {"1", "0.7"}
    for name, seen in reached.items():
        assert result["0.7"][name]["class_reached"] == pytest.approx(np.mean(seen))
        assert result["0.7"][name]["n"] == len(seen)


def _seen(pack, picture: np.ndarray) -> int:
    with torch.inference_mode():
        return int(pack.class_predictor(to_tensor(picture.copy())).argmax())


def test_what_means_nothing_is_refused(tmp_path):
    from engines.evaluation import morphs

    with pytest.raises(OptionError, match="from 0 to 1"):
        run_command(morphs, "--truncations", "1,two", pack="creatures", out=tmp_path)
    with pytest.raises(OptionError, match="no classes"):
        run_command(morphs, "--n", "2", pack="faces", out=tmp_path)
