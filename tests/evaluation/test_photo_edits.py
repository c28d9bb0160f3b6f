"""``evaluate photos`` on the tiny pack: every photograph has its row, and the answers are those that the app gives."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engines import api
from engines.core.errors import OptionError
from engines.evaluation import photo_edits
from engines.evaluation.photos import installed_photos


def _run(out: Any, *words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    photo_edits.add_arguments(parser)
    arguments = parser.parse_args(["--method", "encoder", *words])
    common = {"pack": "tiny", "seed": 0, "device": "cpu", "out": out, "progress": lambda record: None}
    vars(arguments).update(common)
    return photo_edits.run(arguments)


def test_answers_are_those_of_the_app(tiny_pack, tmp_path):
    result = _run(tmp_path, "--edits", "Smiling=1,Male=-0.5")
    photos = {photo.name: photo for photo in installed_photos()}
    assert set(result) == set(photos)
    for name, figures in result.items():
        person = api.finish(api.invert(tiny_pack, photos[name].read(), method="encoder"))
        assert figures["mse"] == pytest.approx(person.mse, rel=1e-4)
        for line, alphas in zip(figures["edits"], ({"Smiling": 1.0}, {"Male": -0.5}), strict=True):
            frame = api.render(tiny_pack, person, alphas)
            assert line["after"] == pytest.approx(frame.attributes[line["attribute"]], abs=1e-3)
            assert line["before"] == pytest.approx(api.render(tiny_pack, person, {}).attributes[line["attribute"]], abs=1e-3)
    sheet = np.asarray(Image.open(tmp_path / "photos.png"))
    assert sheet.shape[0] >= len(photos) * 240
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert all(f"- {photo.shows}: {photo.licence}; {photo.source}\n" in report for photo in photos.values())


@pytest.mark.parametrize("edits", ["Smiling", "Smiling=much", "Smiling=nan", "Hat=1", ""])
def test_what_cannot_be_edited_is_named(tiny_pack, tmp_path, edits):
    with pytest.raises(OptionError, match="ATTRIBUTE=NUMBER"):
        _run(tmp_path, "--edits", edits)
