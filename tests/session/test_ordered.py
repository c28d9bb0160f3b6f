"""A slider that counts levels, on the tiny pack: its four answers taken as the levels of one attribute."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from engines import api
from engines.core.cache import BoundedCache
from engines.core.errors import OptionError
from engines.core.paths import PACKS_VARIABLE
from engines.packs.registry import open_pack
from engines.session import live
from tests.tiny_pack import TINY_ATTRIBUTES


@pytest.fixture
def levels_pack(tiny_pack, tmp_path, monkeypatch):
    folder = tmp_path / "packs" / tiny_pack.id
    shutil.copytree(tiny_pack.folder, folder)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    number = manifest["attributes"][0] | {"id": "Number", "name": "Number", "group": "digits", "levels": list(TINY_ATTRIBUTES)}
    manifest["attributes"] = [number | {"alpha_min": -3.0, "alpha_max": 3.0}]
    path.write_text(json.dumps(manifest))
    monkeypatch.setenv(PACKS_VARIABLE, str(folder.parent))
    return open_pack(tiny_pack.id)


def _at(monkeypatch, level: int) -> None:
    """Makes the predictor see this level, from 0, in every picture."""
    seen = {name: 0.9 if place == level else 0.1 for place, name in enumerate(TINY_ATTRIBUTES)}
    monkeypatch.setattr(live, "_judged", lambda pack, image, own: live.Seen(seen, None))
    # What other tests have left there was judged before.
    monkeypatch.setattr(live, "_unedited", BoundedCache(1 << 24))


def test_the_same_strength_takes_the_step_that_comes_next(levels_pack, tiny_pack, monkeypatch):
    """From the second level one more is the third level's map, one less is the second's way back."""
    _at(monkeypatch, 1)
    person = api.surprise(levels_pack, 3)
    maps, codes = levels_pack.edit_maps, person.w_plus
    for alpha, steps in ((1.0, [("Male", 1.0)]), (-1.0, [("Smiling", -1.0)]), (1.5, [("Male", 1.0), ("Beard", 0.5)])):
        wanted = torch.from_numpy(codes.copy())[None]
        for name, strength in steps:
            wanted = maps.edit(wanted, {name: strength})
        picture = levels_pack.generator.synthesis(wanted, noise_mode="const").detach().clamp(-1, 1)
        frame = api.render(levels_pack, person, {"Number": alpha})
        shown = frame.image.astype(np.float32) / 127.5 - 1
        assert np.abs(shown - picture[0].permute(1, 2, 0).numpy()).max() < 0.01


def test_a_second_step_goes_on_where_the_first_one_ended(levels_pack, monkeypatch):
    _at(monkeypatch, 0)
    person = api.surprise(levels_pack, 4)
    whole = api.render(levels_pack, person, {"Number": 2.0})
    parts = api.render(levels_pack, person, {}, steps=[api.EditStep("Number", 1.0), api.EditStep("Number", 1.0)])
    assert np.array_equal(whole.image, parts.image)


def test_beyond_the_last_level_there_is_nothing(levels_pack, monkeypatch):
    _at(monkeypatch, 3)
    person = api.surprise(levels_pack, 5)
    assert np.array_equal(api.render(levels_pack, person, {"Number": 3.0}).image, person.reconstruction)


def test_the_read_out_counts_levels(levels_pack):
    person = api.surprise(levels_pack, 6)
    frame = api.render(levels_pack, person, {"Number": 1.0})
    (row,) = api.report(levels_pack, person, frame)
    answers = [frame.attributes[name] for name in TINY_ATTRIBUTES]
    assert row.level_after == 1 + int(np.argmax(answers))
    assert row.after == pytest.approx(np.dot(answers, [0, 1, 2, 3]) / 3 / sum(answers))
    assert row.changed == (row.level_before != row.level_after)


def test_the_slider_is_the_only_attribute(levels_pack):
    info = api.pack_info(levels_pack)
    assert [a.id for a in info.attributes] == ["Number"] and info.families[0].attributes == ("Number",)
    with pytest.raises(OptionError, match="unknown attribute 'Smiling'"):
        api.check_edits(levels_pack, {"Smiling": 1.0})
