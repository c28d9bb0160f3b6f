"""Edits that are not called for, on the smallest pack: figures against what is made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engines import api
from engines.cli.main import main
from engines.core.paths import DATA_DIR_VARIABLE
from engines.data.sets import rendered_set

pytestmark = pytest.mark.train


def test_the_report_is_of_pictures_that_are_so_already(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    words = ["evaluate", "needless", "--pack", "creatures", "--n", "8", "--per-attribute", "2", "--attributes", "Dark_Color"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| Dark_Color | remove |" in text and (tmp_path / "needless.png").is_file()

    pack, found = api.open_pack("creatures"), rendered_set("creatures", "test", 8)
    has = np.asarray(found.labels[:8], bool)[:, list(found.attributes).index("Dark_Color")]
    changes = []
    for picture in found.images[:8][~has][:2]:
        whole = api.align(pack, api.Picture(np.array(picture), "render"), None)
        person = api.finish(api.invert(pack, whole, method="encoder"))
        frame = api.render(pack, person, {"Dark_Color": -1.0})
        changes.append(np.abs(frame.image.astype(int) - person.reconstruction).mean())
    row = next(line for line in text.splitlines() if line.startswith("| Dark_Color | remove |"))
    assert float(row.split("|")[3]) == pytest.approx(np.mean(changes), rel=0.02)
