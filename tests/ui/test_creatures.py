"""The page with a class-conditional pack: the object is found, its class told, morphed, shifted and zoomed, and pasted back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from editor_app import texts
from editor_app.build import _default_method
from editor_app.editor import Editor
from editor_app.handlers.http import edit
from editor_app.handlers.jobs import run_job
from editor_app.handlers.live import download, live
from editor_app.measure import REPOSITORY, free_port, start_app, wait_until_healthy
from editor_app.panels.attributes import attributes_panel
from editor_app.panels.objects import objects_panel
from editor_app.panels.result import result_panel
from editor_app.panels.source import source_panel
from engines import api
from engines.core.paths import PACKS_VARIABLE
from engines.packs.load import Pack
from tests.tiny_pack import TINY_CLASSES
from tests.ui import pictures
from tests.ui.driver import PATIENCE_MS, choose_method, facts, open_picture, painted, press_invert, settle, shown
from tests.ui.driver import download as download_picture
from tests.ui.test_live import pixels_of


def _off_centre() -> np.ndarray:
    """uint8 [240, 240, 3]: a two-eyed disc in the upper left quarter of a plain picture."""
    image = Image.new("RGB", (240, 240), (206, 214, 222))
    draw = ImageDraw.Draw(image)
    draw.ellipse((24, 30, 124, 130), fill=(214, 120, 40))
    for x in (54, 84):
        draw.ellipse((x, 62, x + 12, 74), fill=(20, 20, 20))
    return np.asarray(image)


@pytest.fixture
def editor(class_pack: Pack, tmp_path: Path) -> Iterator[Editor]:
    made = Editor(api.pack_info(class_pack), upload_dir=str(tmp_path))
    yield made
    made.close()


@pytest.fixture
def upload(tmp_path: Path) -> str:
    path = tmp_path / "creature.png"
    path.write_bytes(pictures.png(_off_centre()))
    return str(path)


def _order(editor: Editor, revision: int, kind: str, **facts: Any) -> list[dict[str, Any]]:
    return list(run_job(editor, "tab", {"revision": revision, "kind": kind, "method": "encoder", **facts}))


# ---- handlers ---------------------------------------------------------------------------------------------------


def test_an_upload_tells_object_and_class_before_it_is_inverted(editor: Editor, upload: str, class_pack: Pack):
    messages = _order(editor, 1, "open", source=upload)
    told = next(message["picture"] for message in messages if "picture" in message)
    aligned = api.align(class_pack, api.read_image(upload), None)
    assert [240 * share for share in told["object"]] == pytest.approx(aligned.object_box, abs=0.05)
    classes = api.classes_of(class_pack, aligned)
    best = max(classes, key=classes.get)
    assert told["class"] == {"name": best.capitalize(), "probability": pytest.approx(classes[best], abs=1e-3)}
    assert messages[-1]["phase"] == "ready"


def test_a_projection_searches_transform_and_codes_and_shows_it(editor: Editor, upload: str):
    """In the words that the page's own options send; the last message has the result with a transform."""
    options = {"mask": "auto", "transform": "both", "steps": 12}
    messages = _order(editor, 1, "open", source=upload, method="basin-cma", options=options)
    assert messages[-1]["phase"] == "ready" and messages[-1]["result"]["blend"] == "poisson"
    assert any("preview" in message for message in messages)
    inversion = editor.sessions.find("tab").inversion
    assert inversion.transform is not None and inversion.mask is not None


def test_an_edit_of_the_object_is_painted_told_and_downloaded(editor: Editor, class_pack: Pack):
    _order(editor, 1, "surprise", seed=4, **{"class": "box"})
    inversion = editor.sessions.find("tab").inversion
    assert dict(inversion.settings["classes"]) == {"box": 1.0}
    asked = {"class": "bell", "class_alpha": 0.5, "shift": [0.1, 0], "zoom": 1.2, "truncation": 0.7}
    wanted = {"inversion": inversion.id, "alphas": {"Male": 1.0}, "view": "crop", "object": asked}
    answer = live(editor, ["tab", wanted])
    frame = api.render(class_pack, inversion, {"Male": 1.0}, object_edit=api.ObjectEdit.from_json(asked))
    assert np.array_equal(pixels_of(answer["src"]), frame.image)
    assert answer["shown"]["object"] == {**asked, "shift": [0.1, 0.0]}
    rows = api.report_classes(class_pack, inversion, frame)
    assert answer["classes"] == {
        row.id: [pytest.approx(row.before, abs=1e-3), pytest.approx(row.after, abs=1e-3)] for row in rows
    }
    assert "error" not in download(editor, ["tab", wanted])
    still = live(editor, ["tab", {**wanted, "alphas": {}, "object": {"class": "bell", "class_alpha": 0}}])
    assert "object" not in still["shown"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"class": "cat"}, "no class 'cat'"),
        ({"zoom": "big"}, "zoom=big"),
        ("bell", "object=bell"),
        ({"shift": [9, 9]}, "shift=9,9"),
    ],
)
def test_what_the_page_would_never_send_is_refused(editor: Editor, asked: Any, said: str):
    _order(editor, 1, "surprise", seed=4)
    inversion = editor.sessions.find("tab").inversion
    assert said in live(editor, ["tab", {"inversion": inversion.id, "alphas": {}, "object": asked}])["error"]
    (_, failed) = _order(editor, 2, "surprise", seed=4, **{"class": "cat"})
    assert "no class 'cat'" in failed["notices"][0]["text"]


def test_the_endpoint_edits_the_object(editor: Editor, upload: str):
    words = (editor, upload, "tiny", "encoder", {"Male": 1.0}, True, 0)
    *_, (plain, _) = edit(*words)
    *_, (morphed, told) = edit(*words, {"object": {"class": "bell", "zoom": 1.1}})
    assert told["object"] == {"class": "bell", "class_alpha": 1.0, "zoom": 1.1}
    assert set(told["classes_after"]) == set(TINY_CLASSES) and not np.array_equal(plain, morphed)
    with pytest.raises(api.OptionError, match="zoom=7"):
        list(edit(*words, {"object": {"zoom": 7}}))


@pytest.mark.parametrize("method", ["fine-tune", "clone"])
def test_tuned_pictures_are_edited_as_well(editor: Editor, upload: str, method: str):
    options = {"mask": "auto", "steps": 40}
    (*_, last) = _order(editor, 1, "open", source=upload, method=method, options=options)
    assert last["phase"] == "ready", last
    inversion = editor.sessions.find("tab").inversion
    assert inversion.weight_differences
    wanted = {"inversion": inversion.id, "alphas": {}, "view": "photo", "object": {"class": "ball", "truncation": 0.5}}
    answer = live(editor, ["tab", wanted])
    assert answer["shown"]["tuned"] == inversion.id and "error" not in answer


# ---- markup -----------------------------------------------------------------------------------------------------


def test_a_pack_without_classes_looks_as_it_did(tiny_pack: Pack, editor: Editor):
    """Nothing of the object's panel, of classes or of other defaults is in its markup; in the other pack's it is."""
    plain, with_classes = api.pack_info(tiny_pack), editor.info
    for info, there in ((plain, False), (with_classes, True)):
        source = source_panel(info, (), "encoder").html_template
        assert ("lwe-surprise-class" in source) == there and ('data-transform="both"' in source) == there
        result = result_panel([], info).html_template
        assert (texts.OBJECT_START in result) == there and (texts.START in result) != there
        assert ("Face only" in result) != there
        assert "data-control" not in attributes_panel(info).html_template
    neither = result_panel([], dataclasses.replace(plain, identity=False)).html_template
    assert texts.PICTURE_CROP in neither and "Face only" not in neither and texts.PICTURE_START in neither
    assert _default_method(Editor(plain)) == "encoder-refine" and _default_method(editor) == "basin-cma"


def test_shift_and_zoom_are_there_where_the_pack_has_directions(editor: Editor):
    controls = re.findall(r'data-control="(\w+)"', objects_panel(editor.info).html_template)
    assert controls == ["class_alpha", "shift_x", "shift_y", "zoom", "truncation"]
    without = dataclasses.replace(editor.info, steering=None, class_readout=False)
    markup = objects_panel(without).html_template
    assert re.findall(r'data-control="(\w+)"', markup) == ["class_alpha", "truncation"] and "class-now" not in markup


# ---- browser ----------------------------------------------------------------------------------------------------


def _packs() -> list[Any]:
    """The tiny pack and, where it is installed, the real one."""
    manifest = REPOSITORY / "assets" / "packs" / "creatures" / "manifest.json"
    needed = {"generator", "encoder", "attribute_predictor", "class_predictor", "box_detector", "edit_maps"}
    whole = manifest.is_file() and needed <= set(json.loads(manifest.read_text(encoding="utf-8"))["components"])
    return ["tiny", *(["creatures"] if whole else [])]


@pytest.fixture(scope="module", params=_packs())
def site(
    request: pytest.FixtureRequest, class_packs_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """(address, pack id) of a running app."""
    folder, port = tmp_path_factory.mktemp("creatures"), free_port()
    packs = {PACKS_VARIABLE: str(class_packs_dir)} if request.param == "tiny" else {}
    process = start_app(folder, request.param, port, GRADIO_IS_E2E_TEST="1", **packs)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(process, url, folder / "log.txt")
        yield url, request.param
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def page(browser: Any, site: tuple[str, str]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    opened, faults = context.new_page(), []
    opened.set_default_timeout(PATIENCE_MS)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(site[0])
    opened.wait_for_function("() => window.lwe?.state && window.__gradio_session_hash__")
    opened.get_by_label("Target class").wait_for()
    yield opened
    context.close()
    assert faults == []


def _press(page: Any, slider: str, key: str, times: int) -> None:
    page.get_by_role("slider", name=slider, exact=True).focus()
    for _ in range(times):
        page.keyboard.press(key)
    settle(page)


def _own_classes(page: Any) -> list[str]:
    return (
        page.get_by_label("Target class").locator("option").evaluate_all("all => all.map(each => each.value).filter(Boolean)")
    )


@pytest.mark.browser
def test_a_made_up_object_is_morphed_shifted_and_reset(page: Any, site: tuple[str, str]):
    classes = _own_classes(page)
    page.get_by_label("Class", exact=True).select_option(classes[1])
    page.get_by_role("button", name="Surprise me").click()
    settle(page)
    unedited = painted(page)
    read_out = page.locator("[data-part=class-now]")
    assert re.fullmatch(r".+ \d+ %", read_out.inner_text()) and page.locator("[data-part=class-rows] li").count() == 3
    assert classes[1] in facts(page) or site[1] != "tiny"

    assert page.get_by_role("slider", name="Class morph").is_disabled()
    page.get_by_label("Target class").select_option(classes[0])
    settle(page)
    assert shown(page)["object"] == {"class": classes[0], "class_alpha": 1}
    whole = painted(page)
    assert not np.array_equal(whole, unedited)
    _press(page, "Class morph", "ArrowLeft", 10)
    half = shown(page)["object"]["class_alpha"]
    assert 0 < half < 1 and not np.array_equal(painted(page), whole)

    if page.get_by_role("slider", name="Zoom").count():
        _press(page, "Shift x", "ArrowRight", 3)
        _press(page, "Shift y", "ArrowLeft", 2)
        _press(page, "Zoom", "ArrowRight", 4)
        asked = shown(page)["object"]
        assert asked["shift"][0] > 0 > asked["shift"][1] and asked["zoom"] > 1
        assert page.get_by_role("slider", name="Zoom").get_attribute("aria-valuetext") == f"× {asked['zoom']:.2f}"
    _press(page, "Truncation", "ArrowLeft", 6)
    assert 0 < shown(page)["object"]["truncation"] < 1
    page.get_by_role("button", name="Reset Truncation").click()
    settle(page)
    assert "truncation" not in shown(page)["object"]

    # One of the attributes beside it: Reset all takes both back, to the very picture.
    page.locator("[data-attribute] input").first.focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert shown(page)["alphas"] and shown(page)["object"]
    page.get_by_role("button", name="Reset all").click()
    settle(page)
    assert "object" not in shown(page) and shown(page)["alphas"] == {}
    assert np.array_equal(painted(page), unedited)
    assert page.get_by_label("Target class").input_value() == ""
    assert page.get_by_role("button", name="Reset all").is_disabled()


@pytest.mark.browser
def test_an_off_centre_upload_is_found_searched_edited_and_pasted_back(page: Any, site: tuple[str, str], class_pack: Pack):
    assert page.get_by_label("Inversion method").input_value() == "basin-cma"
    choose_method(page, "encoder")  # quick: what is uploaded is inverted at once
    picture = _off_centre()
    open_picture(page, pictures.png(picture), "creature.png")
    settle(page)
    box = page.locator(".object-box")
    assert box.count() == 1
    name = box.inner_text()
    assert f"{name}, " in page.locator("[data-part=caption]").inner_text()

    # The detected box is the mask unless the user says otherwise, and the transform is searched.
    choose_method(page, "basin-cma")
    mask = page.get_by_role("group", name="Object mask, move it")
    mask.wait_for()
    if site[1] == "tiny":
        x0, _, x1, _ = api.align(class_pack, api.Picture(picture, "creature.png", ()), None).object_box
        left, width = (float(re.sub(r"%.*", "", mask.evaluate(f"box => box.style.{side}"))) for side in ("left", "width"))
        assert left == pytest.approx(100 * x0 / 240, abs=0.5) and width == pytest.approx(100 * (x1 - x0) / 240, abs=0.5)
    page.locator("[data-part=options] summary").click()
    assert page.get_by_label("Transform", exact=True).input_value() == "both"
    assert page.locator("[data-part=options-count]").inner_text() == ""

    # It can be changed like any mask.
    page.get_by_text("Rectangle", exact=True).click()
    mask.focus()
    before = [int(value) for value in page.locator("[data-side]").evaluate_all("all => all.map(each => each.value)")]
    page.keyboard.press("ArrowRight")
    after = [int(value) for value in page.locator("[data-side]").evaluate_all("all => all.map(each => each.value)")]
    assert after[0] > before[0] and after[1] == before[1]
    page.locator("[data-part=seconds]").fill("120")
    page.locator("[data-part=seconds]").press("Tab")

    order = press_invert(page)
    assert order == {"method": "basin-cma", "options": {"seconds": 120, "mask": after, "transform": "both"}}
    # The search is seen: what it does is said, and its picture changes while it goes on.
    page.wait_for_function("() => document.querySelector('[data-part=job-text]').textContent.includes('transform')")
    preview = page.locator("[data-part=preview]")
    page.wait_for_function("() => document.querySelector('[data-part=preview]').src.startsWith('data:image/png')")
    first = preview.get_attribute("src")
    page.wait_for_function("first => document.querySelector('[data-part=preview]').src !== first", arg=first)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("alert").filter(has_text=texts.STOPPED_EARLY).wait_for()
    settle(page)
    assert "BasinCMA" in facts(page), "the best until then is kept"

    page.get_by_label("Target class").select_option(_own_classes(page)[-1])
    settle(page)
    if page.get_by_role("slider", name="Shift x").count():
        _press(page, "Shift x", "ArrowRight", 3)
    state = shown(page)
    assert state["object"]["class"] == _own_classes(page)[-1] and state["blend"] == "poisson" and state["view"] == "photo"
    file, kept = download_picture(page)
    assert file == "creature-edited.png" and kept.shape == picture.shape
    # Where the object is, another one is seen; far from it the photo is as it was. The tiny pack's detector knows no objects:
    # what its transform takes for one may lie anywhere.
    there = np.s_[:, :] if site[1] == "tiny" else np.s_[30:130, 24:124]
    assert not np.array_equal(kept[there], picture[there])
    assert site[1] == "tiny" or np.array_equal(kept[-20:, -20:], picture[-20:, -20:])
    if site[1] != "tiny":
        _check_the_ground_is_told_to_stay(page)


def _check_the_ground_is_told_to_stay(page: Any) -> None:
    """A slider of the background does nothing to the ground of a photo: that is said where it is so, and nowhere else."""
    told = page.get_by_text(texts.GROUND_STAYS.format(crop=texts.OBJECT_CROP))
    _press(page, "Warm colour", "ArrowRight", 3)
    assert told.is_hidden()
    _press(page, "Dark background", "ArrowRight", 3)
    assert told.is_visible()
    page.get_by_text(texts.OBJECT_CROP, exact=True).click()
    assert told.is_hidden()
    page.get_by_text("Whole photo", exact=True).click()
    assert told.is_visible()
    page.get_by_label("Blend", exact=True).select_option("detail")
    assert told.is_hidden()
