"""In a real browser: the list of methods, what a method can be told, and the mask drawn over the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editor_app.methods import METHODS, offered
from engines.api import list_packs
from tests.ui.conftest import App
from tests.ui.driver import choose_method, open_picture, press_invert, settle

pytestmark = pytest.mark.browser

PLAIN, FULL = "encoder", "adam"
"""A method without options, and one that uses all of them."""


def open_options(page: Any) -> None:
    page.get_by_text("More options").click()
    page.get_by_label("Time limit").wait_for()


def choose_mask(page: Any, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).check(force=True)


def sides(page: Any) -> list[int]:
    return [int(page.get_by_label(name, exact=True).input_value()) for name in ("Left", "Top", "Right", "Bottom")]


@pytest.fixture
def masked(page: Any, photo: Path) -> Any:
    """The page with the astronaut open and a rectangle of one's own around her face."""
    open_picture(page, photo)
    settle(page)
    choose_method(page, FULL)
    open_options(page)
    choose_mask(page, "Rectangle")
    page.locator(".mask.editable").wait_for()
    return page


def test_every_method_of_the_pack_is_in_the_list_with_what_to_expect(app: App, page: Any):
    methods = offered(next(info for info in list_packs() if info.id == app.pack).methods)
    entries = page.get_by_label("Inversion method").locator("option")
    assert entries.all_inner_texts() == [method.name for method in methods.values()]
    for name, method in methods.items():
        choose_method(page, name)
        assert page.locator("#lwe-method-hint").inner_text() == method.hint


def test_a_first_time_user_sees_the_method_and_invert_alone(page: Any):
    for name in ("Time limit", "Latent space", "Transform", "Start from the encoder", "Weight outside"):
        assert page.get_by_label(name).count() == 1
        assert not page.get_by_label(name).is_visible()
    # The keyboard opens what the pointer opens.
    page.locator(".options summary").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Time limit").wait_for()


def test_options_that_the_method_has_no_use_for_are_off_and_not_sent(page: Any):
    open_options(page)
    choose_method(page, FULL)
    page.get_by_label("Latent space").select_option("w")
    page.get_by_label("Transform").select_option("both")
    page.get_by_label("Start from the encoder").uncheck()
    page.get_by_label("Time limit").fill("2.5")
    choose_mask(page, "Detected")
    page.get_by_label("Weight outside").fill("0.1")
    told = {"seconds": 2.5, "space": "w", "transform": "both", "encoder_start": False, "mask": "auto", "outside_weight": 0.1}
    assert press_invert(page) == {"method": FULL, "options": told}
    assert page.locator(".options .count").inner_text() == "6 set"
    choose_method(page, PLAIN)
    assert page.get_by_text("This method has no options.").is_visible()
    assert page.locator(".options :is(input, select):enabled").count() == 0
    assert press_invert(page) == {"method": PLAIN, "options": {}}
    # They are remembered for a method that has a use for them, until taken back.
    choose_method(page, FULL)
    assert press_invert(page) == {"method": FULL, "options": told}
    page.get_by_role("button", name="Back to defaults").click()
    assert press_invert(page) == {"method": FULL, "options": {}}


def test_numbers_stay_within_their_bounds(page: Any):
    open_options(page)
    choose_method(page, FULL)
    for typed, kept in (("99999", "300"), ("-4", "0.5"), ("", "")):
        page.get_by_label("Time limit").fill(typed)
        page.get_by_label("Time limit").blur()
        assert page.get_by_label("Time limit").input_value() == kept


def test_the_detected_mask_is_the_face_and_is_shown_on_the_picture(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    choose_method(page, FULL)
    open_options(page)
    face = page.locator(".face-box").bounding_box()
    choose_mask(page, "Detected")
    mask = page.locator(".mask").bounding_box()
    assert all(mask[side] == pytest.approx(face[side], abs=2) for side in face)
    assert page.locator(".mask button").first.is_hidden()
    choose_mask(page, "None")
    assert page.locator(".mask").is_hidden()
    # Where no face is edited nothing is detected, and the page says so.
    page.get_by_text("Whole picture", exact=True).click()
    page.wait_for_function("() => window.lwe.state.picture.region === 'whole'")
    choose_mask(page, "Detected")
    assert page.get_by_text("Nothing was found in the picture").is_visible()


def test_the_mask_is_moved_and_resized_by_the_pointer(masked: Any):
    before = sides(masked)
    masked.locator(".mask").scroll_into_view_if_needed()
    frame, mask = masked.locator("[data-part=frame]").bounding_box(), masked.locator(".mask").bounding_box()
    scale = 512 / frame["width"]
    middle = mask["x"] + mask["width"] / 2, mask["y"] + mask["height"] / 2
    masked.mouse.move(*middle)
    masked.mouse.down()
    masked.mouse.move(middle[0] + 40, middle[1] + 30, steps=5)
    masked.mouse.up()
    moved = sides(masked)
    by = 40 * scale, 30 * scale
    assert moved == pytest.approx([before[0] + by[0], before[1] + by[1], before[2] + by[0], before[3] + by[1]], abs=2)
    corner = masked.get_by_role("button", name="Bottom right corner of the mask").bounding_box()
    masked.mouse.move(corner["x"] + corner["width"] / 2, corner["y"] + corner["height"] / 2)
    masked.mouse.down()
    masked.mouse.move(frame["x"] + 2000, frame["y"] + 2000, steps=5)
    masked.mouse.up()
    # However far the hand goes, the mask ends with the picture.
    assert sides(masked) == [*moved[:2], 512, 512]
    assert press_invert(masked)["options"] == {"mask": [*moved[:2], 512, 512]}


def test_the_mask_is_moved_and_resized_by_the_keyboard(masked: Any):
    before = sides(masked)
    masked.locator(".mask").focus()
    masked.keyboard.press("ArrowRight")
    masked.keyboard.press("Shift+ArrowDown")
    step = sides(masked)[0] - before[0]
    assert step > 0
    assert sides(masked) == [before[0] + step, before[1] + 10 * step, before[2] + step, before[3] + 10 * step]
    masked.get_by_role("button", name="Top left corner of the mask").focus()
    masked.keyboard.press("ArrowLeft")
    assert sides(masked) == [before[0], before[1] + 10 * step, before[2] + step, before[3] + 10 * step]
    for _ in range(60):
        masked.keyboard.press("Shift+ArrowRight")
    left, _, right, _ = sides(masked)
    assert 0 < right - left < 20, "a mask cannot be pushed to nothing"


def test_the_sides_of_the_mask_are_typed_and_follow_the_face(masked: Any):
    before = sides(masked)
    masked.get_by_label("Left", exact=True).fill("20")
    masked.get_by_label("Bottom", exact=True).fill("9000")
    masked.get_by_label("Bottom", exact=True).blur()
    assert sides(masked) == [20, before[1], before[2], 512]
    frame, mask = masked.locator("[data-part=frame]").bounding_box(), masked.locator(".mask").bounding_box()
    assert (mask["x"] - frame["x"]) / frame["width"] == pytest.approx(20 / 512, abs=0.01)
    assert mask["y"] + mask["height"] == pytest.approx(frame["y"] + frame["height"], abs=1)
    # Another region is another object: the rectangle starts around it.
    masked.get_by_text("Whole picture", exact=True).click()
    masked.wait_for_function("() => window.lwe.state.picture.region === 'whole'")
    assert sides(masked) == [0, 0, 512, 512]


def test_a_mask_that_misses_the_face_is_refused_with_a_sentence(masked: Any):
    for name, value in (("Right", "512"), ("Left", "490"), ("Bottom", "512"), ("Top", "490")):
        masked.get_by_label(name, exact=True).fill(value)
        masked.get_by_label(name, exact=True).blur()
    press_invert(masked)
    masked.get_by_role("alert").filter(has_text="outside the part of the picture that is edited").wait_for()
    settle(masked)


def test_methods_name_only_options_that_there_are():
    known = {"seconds", "space", "transform", "encoder_start", "mask", "outside_weight"}
    assert METHODS[FULL].uses == known
    assert all(method.uses <= known for method in METHODS.values())
    assert not METHODS[PLAIN].uses
