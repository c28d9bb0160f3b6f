"""Tuned generators on disk, as the page sees them: found again, told, and forgotten for one picture alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from editor_app import texts
from editor_app.editor import Editor
from editor_app.handlers.jobs import run_job
from editor_app.handlers.kept import forget, stored
from engines import api
from tests.ui import pictures


@pytest.fixture
def clone(editor: Editor, upload):
    """Tunes the generator to a picture in a tab; returns what the page is told of the result."""

    def run(pixels: np.ndarray, tab: str = "tab", **facts: Any) -> dict[str, Any]:
        revision = editor.sessions.open(tab).revision + 1
        order = {"revision": revision, "kind": "open", "method": "clone", "options": {"evaluations": 12}, **facts}
        order["source"] = upload(f"{tab}-{revision}.png", pictures.png(pixels))
        return list(run_job(editor, tab, order))[-1]["result"]

    return run


def test_the_second_visit_finds_the_same_generator(editor: Editor, clone):
    first = clone(pictures.face())
    second = clone(pictures.face(), tab="another")
    assert (first["from_store"], second["from_store"]) == (False, True)
    assert first["kept"]
    assert second["kept"]
    assert first["inversion"] == second["inversion"]
    assert editor.sessions.find("another").inversion.weight_differences


def test_a_method_without_tuning_keeps_nothing(clone):
    result = clone(pictures.face(), method="encoder", options={})
    assert not result["kept"]
    assert api.tuned_entries() == []


def test_a_cancelled_tuning_is_not_kept(editor: Editor, upload):
    order = {"revision": 1, "kind": "open", "method": "clone", "source": upload("me.png", pictures.png(pictures.face()))}
    for message in run_job(editor, "tab", order):
        if message.get("share"):
            editor.sessions.find("tab").cancel.cancel()
    assert {"kind": "warning", "text": texts.STOPPED_EARLY} in message["notices"]
    assert not message["result"]["kept"]


def test_how_much_is_kept_is_told(clone):
    assert stored() == {"text": texts.stored_text(0, 0)}
    clone(pictures.face())
    (entry,) = api.tuned_entries()
    assert stored()["text"] == texts.stored_text(1, entry.bytes)


def test_forgetting_removes_all_of_this_picture_and_nothing_else(editor: Editor, clone):
    clone(pictures.face())
    clone(pictures.face(), options={"evaluations": 14})
    clone(pictures.face(), method="fine-tune")
    clone(pictures.face()[:, ::-1], tab="another")
    assert len(api.tuned_entries()) == 4
    assert forget(editor, "tab") == {"text": texts.FORGOT}
    assert len(api.tuned_entries()) == 1
    assert clone(pictures.face()[:, ::-1], tab="another")["from_store"]
    assert not clone(pictures.face())["from_store"]


def test_forgetting_covers_every_face_of_the_picture(editor: Editor, clone):
    clone(pictures.several_faces())
    other = {"revision": 9, "kind": "invert", "region": 1, "method": "clone", "options": {"evaluations": 12}}
    assert list(run_job(editor, "tab", other))[-1]["result"]["kept"]
    assert len(api.tuned_entries()) == 2
    forget(editor, "tab")
    assert api.tuned_entries() == []


@pytest.mark.parametrize("tab", ["nobody", None, 3, ["tab"]])
def test_a_stranger_forgets_nothing(editor: Editor, clone, tab: object):
    clone(pictures.face())
    assert forget(editor, tab) == {"error": texts.FORGOTTEN}
    assert len(api.tuned_entries()) == 1


def test_a_made_up_person_has_nothing_to_forget(editor: Editor):
    list(run_job(editor, "tab", {"revision": 1, "kind": "surprise", "seed": 1}))
    assert forget(editor, "tab") == {"error": texts.NO_PICTURE}


def test_a_store_that_cannot_be_looked_at_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LWE_TUNED_BYTES", "500MB")
    assert "LWE_TUNED_BYTES=500MB" in stored()["error"]
