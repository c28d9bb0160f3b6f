"""The fast lane: what is painted is what was asked for, and only one's own."""

from __future__ import annotations

import base64
import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from editor_app import texts
from editor_app.editor import Editor
from editor_app.handlers.jobs import run_job
from editor_app.handlers.live import before, download, live
from editor_app.preview import LONGEST_PX, fit, make_preview
from engines import api
from tests.ui import pictures


def pixels_of(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def finish(editor: Editor, tab: str = "tab", **facts: Any) -> dict[str, Any]:
    revision = editor.sessions.open(tab).revision + 1
    return list(run_job(editor, tab, {"revision": revision, "method": "encoder", **facts}))[-1]["result"]


@pytest.fixture
def person(editor: Editor) -> dict[str, Any]:
    return finish(editor, kind="surprise", seed=4)


@pytest.fixture
def opened(editor: Editor, upload) -> dict[str, Any]:
    return finish(editor, kind="open", source=upload("me.png", pictures.png(pictures.face())), name="me.png")


def ask(result: dict[str, Any], view: str = "crop", **edits: float) -> dict[str, Any]:
    return {"inversion": result["inversion"], "alphas": edits, "view": view}


def test_an_edit_is_painted_bit_for_bit_with_its_state(editor: Editor, person: dict[str, Any]):
    answer = live(editor, ["tab", ask(person, Smiling=1.25, Male=0)])
    frame = api.render(editor.pack, editor.sessions.find("tab").inversion, {"Smiling": 1.25})
    assert np.array_equal(pixels_of(answer["src"]), frame.image)
    assert answer["shown"] == {**frame.state.canonical(), "view": "crop"}
    assert answer["shown"].items() >= {"pack": "tiny", "inversion": person["inversion"], "alphas": {"Smiling": 1.25}}.items()
    assert answer["identity"] == pytest.approx(frame.identity_similarity, abs=1e-4)
    assert answer["attributes"]["Smiling"][1] == pytest.approx(frame.attributes["Smiling"], abs=1e-4)


def test_no_edit_is_the_reconstruction_and_reads_the_same_before_and_now(editor: Editor, person: dict[str, Any]):
    answer = live(editor, ["tab", ask(person)])
    assert np.array_equal(pixels_of(answer["src"]), editor.sessions.find("tab").inversion.reconstruction)
    assert answer["identity"] == 1.0
    assert all(was == now and not changed for was, now, changed in answer["attributes"].values())


def test_the_unedited_photo_is_the_photo(editor: Editor, opened: dict[str, Any]):
    answer = live(editor, ["tab", ask(opened, "photo")])
    # 512 px fit the preview; what differs is the JPEG.
    assert np.abs(pixels_of(answer["src"]).astype(int) - pictures.face()).mean() < 2.5
    assert answer["src"] == before(editor, ["tab", ask(opened, "photo")])["src"]


def test_an_edited_photo_differs_only_near_the_face(editor: Editor, opened: dict[str, Any]):
    edited = pixels_of(live(editor, ["tab", ask(opened, "photo", Smiling=2.0)])["src"]).astype(int)
    plain = pixels_of(live(editor, ["tab", ask(opened, "photo")])["src"])
    difference = np.abs(edited - plain).max(axis=-1)
    assert difference.max() > 8
    assert difference[400:, :].max() == 0


@pytest.mark.parametrize("blend", api.BLENDS)
def test_the_blend_counts_in_the_photo_and_in_its_download(editor: Editor, opened: dict[str, Any], blend: str):
    session = editor.sessions.find("tab")
    wanted = {**ask(opened, "photo", Smiling=1.5), "blend": blend}
    answer = live(editor, ["tab", wanted])
    assert answer["shown"]["blend"] == blend
    frame = api.render(editor.pack, session.inversion, {"Smiling": 1.5})
    expected = api.export(editor.pack, session.inversion, frame, session.picture, blend=blend)
    assert np.abs(pixels_of(answer["src"]).astype(int) - expected).mean() < 2.5
    found = editor.downloads.find(download(editor, ["tab", wanted])["url"].removeprefix("download/"))
    assert np.array_equal(np.asarray(Image.open(found.path)), expected)


@pytest.mark.parametrize("blend", ["glue", 3, ["detail"], {}])
def test_another_blend_is_refused(editor: Editor, opened: dict[str, Any], blend: object):
    assert live(editor, ["tab", {**ask(opened, "photo"), "blend": blend}]) == {"error": texts.BAD_REQUEST}


def test_before_in_the_crop_view_is_the_aligned_photo(editor: Editor, opened: dict[str, Any]):
    answer = before(editor, ["tab", ask(opened)])
    assert np.array_equal(pixels_of(answer["src"]), editor.sessions.find("tab").inversion.crop)


def test_before_in_the_crop_view_stands_where_the_generator_paints_it(editor: Editor, upload):
    options = {"steps": 1, "transform": "spatial", "mask": [150, 20, 330, 250]}
    path = upload("me.png", pictures.png(pictures.face()))
    result = finish(editor, kind="open", source=path, method="adam", options=options)
    inversion = editor.sessions.find("tab").inversion
    moved = pixels_of(before(editor, ["tab", ask(result)])["src"]).astype(int)
    scale, shift = inversion.transform["scale"], inversion.transform["shift"]
    # Bilinear by hand, at points well inside the crop: p -> s p + t on [-1, 1]^2.
    y, x = np.mgrid[12:20, 12:20]
    at = [((2 * (p + 0.5) / 32 - 1) * s + t + 1) * 16 - 0.5 for p, s, t in ((x, scale[0], shift[0]), (y, scale[1], shift[1]))]
    by_hand = [map_coordinates(inversion.crop[..., c].astype(float), at[::-1], order=1, mode="mirror") for c in range(3)]
    assert np.abs(moved[12:20, 12:20] - np.stack(by_hand, -1)).mean() < 12
    assert np.abs(moved - inversion.crop).mean() > 1


def test_a_made_up_person_has_no_photo_to_show(editor: Editor, person: dict[str, Any]):
    assert live(editor, ["tab", ask(person, "photo")])["shown"]["view"] == "crop"


def test_an_unedited_download_is_the_photo_bit_for_bit(editor: Editor, opened: dict[str, Any]):
    answer = download(editor, ["tab", ask(opened, "photo")])
    found = editor.downloads.find(answer["url"].removeprefix("download/"))
    assert answer["name"] == found.name == "me-edited.png"
    assert np.array_equal(np.asarray(Image.open(found.path)), pictures.face())


def test_an_edited_download_is_the_export_of_the_state(editor: Editor, opened: dict[str, Any]):
    session = editor.sessions.find("tab")
    answer = download(editor, ["tab", ask(opened, "photo", Beard=1.5)])
    frame = api.render(editor.pack, session.inversion, {"Beard": 1.5})
    found = editor.downloads.find(answer["url"].removeprefix("download/"))
    expected = api.export(editor.pack, session.inversion, frame, session.picture)
    assert np.array_equal(np.asarray(Image.open(found.path)), expected)


def test_a_download_in_the_crop_view_is_the_edited_crop_as_painted(editor: Editor, opened: dict[str, Any]):
    wanted = ask(opened, "crop", Beard=1.5)
    answer = download(editor, ["tab", wanted])
    found = editor.downloads.find(answer["url"].removeprefix("download/"))
    assert answer["name"] == found.name == "me-face.png"
    assert np.array_equal(np.asarray(Image.open(found.path)), pixels_of(live(editor, ["tab", wanted])["src"]))
    assert opened["side"] == Image.open(found.path).width
    assert "face alone" in opened["saves"]["crop"]
    assert "whole photo" in opened["saves"]["photo"]


def test_a_made_up_person_downloads_as_the_crop(editor: Editor, person: dict[str, Any]):
    answer = download(editor, ["tab", ask(person, Male=-1.0)])
    painted = pixels_of(live(editor, ["tab", ask(person, Male=-1.0)])["src"])
    found = editor.downloads.find(answer["url"].removeprefix("download/"))
    assert answer["name"] == "person-4.png"
    assert np.array_equal(np.asarray(Image.open(found.path)), painted)


@pytest.mark.parametrize("call", [live, before, download])
def test_another_tab_gets_nothing(editor: Editor, person: dict[str, Any], call):
    finish(editor, tab="other", kind="surprise", seed=9)
    for tab in ("other", "nobody", None, 3):
        answer = call(editor, [tab, ask(person)])
        assert answer == {"error": texts.FORGOTTEN, "gone": True}


@pytest.mark.parametrize("call", [live, before, download])
@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"Nonsense": 1.0}, "Nonsense"),
        ({"Smiling": 99.0}, "Smiling"),
        ({"Smiling": "much"}, texts.BAD_REQUEST),
        ({"Smiling": True}, texts.BAD_REQUEST),
        ({"Smiling": float("nan")}, texts.BAD_REQUEST),
        ([1, 2], texts.BAD_REQUEST),
        (None, texts.BAD_REQUEST),
    ],
)
def test_edits_that_no_slider_makes_are_refused_with_a_sentence(editor: Editor, person: dict[str, Any], call, edits, said):
    answer = call(editor, ["tab", {"inversion": person["inversion"], "alphas": edits, "view": "crop"}])
    assert said in answer["error"]
    assert "src" not in answer


@pytest.mark.parametrize("call", [live, before, download])
@pytest.mark.parametrize("arguments", [None, [], ["tab"], ["tab", 3], "tab", {"a": 1}])
def test_arguments_of_another_shape_are_refused(editor: Editor, call, arguments: object):
    assert call(editor, arguments) == {"error": texts.BAD_REQUEST}


@pytest.mark.parametrize("call", [live, before, download])
@pytest.mark.parametrize("changed", [{"zoom": 10**400}, {"shift": [10**400, 0]}, {"truncation": float("nan")}])
def test_numbers_that_no_float_holds_are_refused_with_a_sentence(editor: Editor, person: dict[str, Any], call, changed):
    assert "ordinary size" in call(editor, ["tab", {**ask(person), "object": changed}])["error"]


def test_a_fault_of_the_program_is_a_sentence_too(editor: Editor, person: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    for name in ("framed_crop", "render"):
        monkeypatch.setattr(api, name, broken)
    for call in (live, before, download):
        assert call(editor, ["tab", ask(person)]) == {"error": texts.FAULT}


def test_a_tab_that_made_room_for_others_is_told_so(editor: Editor, person: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(editor.sessions, "_max_sessions", 1)
    finish(editor, tab="other", kind="surprise", seed=9)
    assert live(editor, ["tab", ask(person)]) == {"error": texts.CROWDED_OUT, "gone": True}


def test_pictures_are_exported_one_at_a_time_and_too_many_are_turned_away(
    editor: Editor, opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    at_once, most = [], []

    def export(*_: object, **__: object) -> np.ndarray:
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.02)
        at_once.pop()
        return pictures.face()

    monkeypatch.setattr(api, "export", export)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: download(editor, ["tab", ask(opened, "photo")]), range(20)))
    assert set(most) == {1}
    assert {answer.get("error") for answer in answers} == {None, texts.BUSY}


def test_a_preview_places_the_crop_where_the_photo_has_it(editor: Editor):
    """Corners of the crop, carried from picture to preview by the plain factor, are those of the preview's alignment."""
    large = np.asarray(Image.fromarray(pictures.face()).resize((2048, 1536)))
    picture = api.Picture(large, "large")
    aligned = api.align(editor.pack, picture, api.find_faces(picture)[0])
    inversion = api.finish(api.invert(editor.pack, aligned, method="encoder"))
    preview = make_preview(picture, inversion)
    factor = LONGEST_PX / 2048
    matrix, small = (np.array(each.alignment["matrix"]) for each in (inversion, preview.inversion))
    for corner in ([0, 0], [2048, 0], [2048, 1536], [700, 400]):
        there = matrix @ [*corner, 1]
        assert small @ [corner[0] * factor, corner[1] * factor, 1] == pytest.approx(there)
    assert preview.picture.pixels.shape == (LONGEST_PX * 3 // 4, LONGEST_PX, 3)


def test_a_picture_that_fits_is_not_touched():
    pixels = pictures.without_face()
    assert fit(pixels, 320) is pixels
    assert fit(pixels, 160).shape == (120, 160, 3)
