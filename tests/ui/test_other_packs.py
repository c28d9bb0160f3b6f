"""The page with a pack that is not about persons: nothing asks for a face, and nothing speaks of one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from editor_app.editor import Editor
from editor_app.handlers.http import edit
from editor_app.handlers.jobs import run_job
from editor_app.handlers.live import live
from editor_app.handlers.warm import warm
from editor_app.panels.attributes import attributes_panel
from engines import api
from engines.core.paths import PACKS_VARIABLE
from tests.ui import pictures


@pytest.fixture
def editor(tiny_packs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Editor]:
    """An editor of the tiny pack as it would be without identity network and alignment, as a pack of things."""
    packs = tmp_path / "packs"
    shutil.copytree(tiny_packs_dir, packs)
    path = packs / "tiny" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["components"]["identity"]
    manifest["alignment"] = {"kind": "none"}
    manifest["attributes"][0]["group"] = "digits"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    monkeypatch.setenv(PACKS_VARIABLE, str(packs))
    made = Editor(api.pack_info(api.open_pack("tiny")), upload_dir=str(tmp_path))
    yield made
    made.close()


def _order(editor: Editor, revision: int, kind: str, **facts: Any) -> list[dict[str, Any]]:
    return list(run_job(editor, "tab", {"revision": revision, "kind": kind, "method": "encoder", **facts}))


def test_a_picture_is_taken_whole_without_looking_for_faces(editor: Editor, tmp_path: Path):
    path = tmp_path / "ramp.png"
    path.write_bytes(pictures.png(pictures.without_face()))
    messages = _order(editor, 1, "open", source=str(path))
    assert messages[-1]["phase"] == "ready" and messages[-1]["picture"]["region"] == "whole"
    assert not any("face" in message.get("text", "") for message in messages)


def test_no_identity_is_told(editor: Editor, tmp_path: Path):
    inversion = _order(editor, 1, "surprise", seed=4)[-1]["result"]["inversion"]
    answer = live(editor, ["tab", {"inversion": inversion, "alphas": {"Male": 1.0}, "view": "crop"}])
    assert answer["identity"] is None and answer["attributes"]["Male"]
    path = tmp_path / "ramp.png"
    path.write_bytes(pictures.png(pictures.without_face()))
    *_, (_, facts) = edit(editor, str(path), "tiny", "encoder", {"Male": 1.0}, True, 0)
    assert facts["identity_similarity"] is None


def test_the_panel_shows_no_person_and_names_its_groups(editor: Editor, tiny_pack):
    html = attributes_panel(editor.info).html_template
    assert "Same person" not in html and "<h3>Number of digits</h3>" in html
    assert "Same person" in attributes_panel(api.pack_info(tiny_pack)).html_template


def test_the_editor_warms_up(editor: Editor):
    warm(editor)
