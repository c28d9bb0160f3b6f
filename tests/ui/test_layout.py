"""What the page is made of, without a browser: names, ranges, text that no template may execute."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from editor_app import markup
from editor_app.build import build
from editor_app.editor import Editor
from editor_app.examples import EXAMPLES_DIR, examples_folder, load_examples
from editor_app.methods import GROUPS, METHODS
from editor_app.panels.attributes import attributes_panel, stride
from editor_app.panels.options import options_part
from editor_app.panels.source import source_panel
from engines.api import DEFAULT_METHOD, PackInfo
from tests.ui import pictures


def test_every_attribute_has_one_slider_of_its_name_and_range(editor: Editor):
    template = attributes_panel(editor.info).html_template
    for attribute in editor.info.attributes:
        (slider,) = re.findall(f'<input type="range"[^>]*aria-label="{attribute.name}"[^>]*>', template, re.S)
        assert f'min="{attribute.alpha_min}"' in slider
        assert f'max="{attribute.alpha_max}"' in slider


def test_a_new_group_of_attributes_is_shown_too(editor: Editor):
    first, *others = editor.info.attributes
    info = replace(editor.info, attributes=(replace(first, group="weather"), *others))
    assert "Weather" in attributes_panel(info).html_template


def test_text_from_a_manifest_is_only_text():
    """Gradio runs templates through Handlebars and evaluates them as JavaScript template strings."""
    escaped = markup.text('</script>${alert(1)}{{alert}}`\\"')
    assert not set(escaped) & set('<>${}`\\"')


def method_list(info: PackInfo, default: str = DEFAULT_METHOD) -> str:
    (found,) = re.findall('<select id="lwe-method".*?</select>', source_panel(info, (), default).html_template, re.S)
    return found


def test_all_methods_of_a_pack_stand_from_quick_to_slow_with_the_default_chosen(editor: Editor):
    info = replace(editor.info, methods=(*reversed(METHODS), "magic"))
    assert re.findall(r'<option value="([a-z-]+)"', method_list(info)) == [*METHODS, "magic"]
    assert re.findall(r'<option value="([a-z-]+)"[^>]*selected', method_list(info)) == [DEFAULT_METHOD]


def test_a_method_that_the_pack_lacks_is_not_offered(editor: Editor):
    info = replace(editor.info, methods=("clone", "encoder"))
    assert re.findall(r'<option value="([a-z-]+)"', method_list(info, "encoder")) == ["encoder", "clone"]
    assert re.findall(r'<optgroup label="([^"]+)"', method_list(info, "encoder")) == [GROUPS["quick"], GROUPS["tune"]]


def test_only_the_latent_spaces_of_the_pack_are_offered():
    assert re.findall(r'<option value="(z|w|w\+)"', options_part(("w", "w+"))) == ["w", "w+"]


@pytest.mark.parametrize(("span", "expected"), [(4.0, 0.1), (2.0, 0.05), (40.0, 1.0), (0.2, 0.01)])
def test_an_arrow_key_moves_about_a_fortieth(span: float, expected: float):
    assert stride(-span / 2, span / 2) == expected


def test_examples_take_captions_and_credits_from_their_file(tmp_path: Path):
    for name in ("b-face.png", "a.jpg"):
        Image.fromarray(pictures.without_face()).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "CREDITS.md").write_text(
        "# Credits\n\n| File | Shows | Source | Rights |\n|---|---|---|---|\n"
        "| `a.jpg` (2 x 2, sha256 `00ff`) | Someone | Taken by Ann (<https://a.example>), 2020 | CC0. |\n"
    )
    first, second = load_examples(tmp_path)
    assert (first.id, first.caption, first.credit) == ("a.jpg", "Someone", "Someone. Taken by Ann, 2020. CC0.")
    assert (second.id, second.caption, second.credit) == ("b-face.png", "B face", "")


@pytest.mark.parametrize("pack_id", ["faces", "multimnist", "creatures"])
def test_every_bundled_pack_has_pictures_of_its_kind_with_credits(pack_id: str):
    found = load_examples(examples_folder(pack_id))
    assert len(found) >= 4 and all(example.credit for example in found)
    written = (found[0].path.parent / "CREDITS.md").read_text(encoding="utf-8")
    hashes = [hashlib.sha256(example.path.read_bytes()).hexdigest() for example in found]
    assert all(digest in written for digest in hashes)


def test_a_pack_without_pictures_of_its_own_gets_the_faces():
    assert examples_folder("tiny") == EXAMPLES_DIR


def test_no_examples_is_no_error(tmp_path: Path):
    assert load_examples(tmp_path / "missing") == ()


def test_building_reads_no_weights(editor: Editor, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr("editor_app.editor.open_pack", refuse)
    build(editor)


def test_only_the_three_endpoints_are_public(editor: Editor):
    endpoints = build(editor).get_api_info()["named_endpoints"]
    assert set(endpoints) == {"/packs", "/invert", "/edit"}
    names = [parameter["parameter_name"] for parameter in endpoints["/edit"]["parameters"]]
    assert names == ["image", "pack", "method", "edits", "paste_back", "seed", "options"]
    assert [parameter["parameter_name"] for parameter in endpoints["/invert"]["parameters"]][-1] == "options"
    assert all(parameter["parameter_has_default"] for parameter in endpoints["/edit"]["parameters"][1:])


def test_the_page_names_no_other_host():
    everything = markup.style() + markup.script()
    assert set(re.findall(r"https?://[\w.]+", everything)) <= {"http://www.w3.org"}
