"""The functions behind /packs, /invert and /edit: results of the engines, and errors that name the value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from editor_app import texts
from editor_app.editor import Editor
from editor_app.handlers import http
from engines import api
from tests.ui import pictures


@pytest.fixture
def picture_path(upload) -> str:
    return upload("me.png", pictures.png(pictures.face()))


def finished(endpoint: Callable[..., Iterator[http.Answer]], *arguments: object) -> tuple[np.ndarray, dict[str, Any]]:
    *before, last = endpoint(*arguments)
    assert all(picture is None and list(facts) == ["progress"] for picture, facts in before)
    return last


def test_packs_lists_attributes_and_methods(editor: Editor):
    (pack,) = http.packs()["packs"]
    assert pack["id"] == "tiny"
    assert [attribute["id"] for attribute in pack["attributes"]] == ["Eyeglasses", "Smiling", "Male", "Beard"]
    assert {"title", "resolution", "latent_shape", "methods", "bytes"} <= set(pack)
    json.dumps(pack)


def test_invert_gives_the_reconstruction_of_the_engine(editor: Editor, picture_path: str):
    pixels, facts = finished(http.invert, editor, picture_path, "tiny", "encoder", 0)
    expected = api.finish(api.invert(editor.pack, api.read_image(picture_path), method="encoder"))
    assert np.array_equal(pixels, expected.reconstruction)
    assert facts["mse"] == pytest.approx(expected.mse)
    assert facts["method"] == "encoder"
    json.dumps(facts)


@pytest.mark.parametrize("edits", [{"Smiling": 1.0}, '{"Smiling": 1}'])
def test_edit_takes_an_object_or_its_text(editor: Editor, picture_path: str, edits: object):
    pixels, facts = finished(http.edit, editor, picture_path, "tiny", "encoder", edits, True, 0)
    assert pixels.shape == (512, 512, 3)
    assert facts["edits"] == {"Smiling": 1.0}
    assert facts["after"] != facts["before"]
    assert 0 < facts["identity_similarity"] <= 1.0001
    json.dumps(facts)


def test_edit_without_paste_back_gives_the_crop_and_without_edits_the_photo(editor: Editor, picture_path: str):
    crop, _ = finished(http.edit, editor, picture_path, "tiny", "encoder", {"Male": -1}, False, 0)
    photo, facts = finished(http.edit, editor, picture_path, "tiny", "encoder", {}, True, 0)
    assert crop.shape == (32, 32, 3)
    assert np.array_equal(photo, pictures.face())
    assert facts["before"] == facts["after"]


@pytest.mark.parametrize("options", [{"steps": 3, "mask": "auto"}, '{"steps": 3, "mask": "auto"}'])
def test_options_reach_the_engine(editor: Editor, picture_path: str, options: object):
    pixels, facts = finished(http.invert, editor, picture_path, "tiny", "adam", 0, options)
    picture = api.read_image(picture_path)
    expected = api.finish(api.invert(editor.pack, picture, method="adam", steps=3, mask="auto"))
    assert np.array_equal(pixels, expected.reconstruction)
    assert facts["steps"] == 3
    assert facts["evaluations"] == expected.evaluations
    assert facts["mask"] == list(expected.mask)
    assert facts["settings"]["steps"] == 3
    json.dumps(facts)


def test_the_blend_of_an_edit_can_be_chosen(editor: Editor, picture_path: str):
    values = (editor, picture_path, "tiny", "encoder", {"Smiling": 1.0}, True, 0)
    detail, _ = finished(http.edit, *values)
    seamless, facts = finished(http.edit, *values, {"blend": "poisson"})
    assert facts["blend"] == "poisson"
    assert seamless.shape == detail.shape
    assert not np.array_equal(seamless, detail)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": None}, "image"),
        ({"image": "/no/such/file.png"}, "file.png"),
        ({"pack": "cats"}, "cats"),
        ({"pack": "x" * 300}, "installed: tiny"),
        ({"pack": None}, "installed: tiny"),
        ({"pack": ["tiny"]}, "installed: tiny"),
        ({"method": "magic"}, "magic"),
        ({"method": None}, "method"),
        ({"method": "x" * 300}, "method"),
        ({"seed": 1.5}, "1.5"),
        ({"seed": -1}, "-1"),
        ({"edits": {"Nose": 1}}, "Nose"),
        ({"edits": {"Smiling": 99}}, "99"),
        ({"edits": {"Smiling": "much"}}, "much"),
        ({"edits": [1]}, "[1]"),
        ({"edits": "{broken"}, "{broken"),
        ({"edits": {"Smiling": float("nan")}}, "Smiling"),
        ({"edits": {"Smiling": 10**400}}, "Smiling"),
        ({"seed": float("nan")}, "nan"),
        ({"options": {"seconds": 0}}, "seconds=0"),
        ({"options": {"colour": 1}}, "colour"),
        ({"options": {"space": "v"}}, "v"),
        ({"options": {"mask": [0, 0, 0, 9]}}, "mask"),
        ({"options": {"outside_weight": 7}}, "7"),
        ({"options": {"blend": "glue"}}, "glue"),
        ({"options": "{broken"}, "{broken"),
    ],
)
def test_a_bad_value_is_named(editor: Editor, picture_path: str, change: dict, said: str):
    values = {"image": picture_path, "pack": "tiny", "method": "encoder", "edits": {}, "paste_back": True, "seed": 0}
    values |= {"options": None} | change
    with pytest.raises(api.LweError) as caught:
        finished(http.edit, editor, *values.values())
    assert said in str(caught.value)
    assert str(editor.pack.folder.parent) not in str(caught.value)


def test_a_client_that_has_gone_leaves_the_queue(editor: Editor, picture_path: str):
    with editor.turns.join():
        waiting = http.invert(editor, picture_path, "tiny", "encoder", 0)
        assert next(waiting) == (None, {"progress": texts.waiting_text(1)})
        waiting.close()
    working = http.invert(editor, picture_path, "tiny", "adam", 0, {"seconds": 30})
    assert "step" in next(working)[1]["progress"]
    working.close()
    with editor.turns.join() as turn:
        assert turn.ahead == 0


def test_a_program_waits_for_its_turn_to_export(editor: Editor, picture_path: str):
    with editor.exports.join():
        waiting = http.edit(editor, picture_path, "tiny", "encoder", {}, True, 0)
        assert next(waiting) == (None, {"progress": texts.waiting_text(1)})
        waiting.close()
