"""In a real browser, from a photo to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ui import pictures
from tests.ui.driver import (
    RESULT,
    attribute_id,
    download,
    open_picture,
    painted,
    readings,
    settle,
    shown,
    slider,
    slider_range,
    surprise,
)

pytestmark = pytest.mark.browser


def test_a_photo_is_found_inverted_edited_reset_and_downloaded(page: Any, photo: Path):
    open_picture(page, photo)
    page.locator(".face-box").wait_for()
    settle(page)
    plain, plain_readings = painted(page), readings(page)
    assert plain.shape == (512, 512, 3)
    assert shown(page)["alphas"] == {}

    # A drag with the mouse, to near the right end.
    box = slider(page).bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, middle, steps=12)
    page.mouse.up()
    settle(page)
    strength = shown(page)["alphas"][attribute_id(page)]
    assert strength == pytest.approx(float(slider(page).input_value()), abs=0.001)
    assert strength > 0.8 * slider_range(page)[1]
    edited = painted(page)
    difference = np.abs(edited.astype(int) - plain).max(axis=-1)
    assert difference.max() > 8
    assert readings(page) != plain_readings

    name, saved = download(page)
    assert name == "astronaut-edited.png"
    # What is painted is a JPEG of what is saved.
    assert np.abs(saved.astype(int) - edited).mean() < 2.5

    page.get_by_role("button", name="Reset all").click()
    settle(page)
    assert shown(page)["alphas"] == {}
    assert np.array_equal(painted(page), plain)
    assert readings(page) == plain_readings
    assert np.array_equal(download(page)[1], pictures.face())


def test_a_made_up_person_downloads_exactly_as_painted(page: Any):
    surprise(page)
    slider(page).fill("1")
    settle(page)
    name, saved = download(page)
    assert name.startswith("person-")
    assert np.array_equal(saved, painted(page))


def test_the_crop_and_the_whole_photo_are_two_views_of_one_edit(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    slider(page).fill("0.5")
    settle(page)
    page.get_by_text("Face only").click()
    settle(page)
    crop = shown(page)
    assert crop["view"] == "crop"
    assert crop["alphas"] == {attribute_id(page): 0.5}
    assert painted(page).shape[0] == painted(page).shape[1] < 512
    page.get_by_text("Whole photo").click()
    settle(page)
    assert shown(page) == {**crop, "view": "photo", "blend": "detail"}


def test_holding_compare_shows_the_photo_before(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    slider(page).fill("1")
    settle(page)
    page.wait_for_function("() => document.querySelector('[data-part=before]').src")
    before = page.get_by_alt_text("Before the edit")
    assert not before.is_visible()
    page.get_by_role("button", name="Hold to compare").hover()
    page.mouse.down()
    before.wait_for()
    page.mouse.up()
    before.wait_for(state="hidden")


def test_one_of_several_faces_is_chosen_by_its_number(page: Any):
    open_picture(page, pictures.png(pictures.several_faces()))
    settle(page)
    first = shown(page)["inversion"]
    assert page.locator(".face-box").count() == 2
    assert page.get_by_role("alert").filter(has_text="2 faces").count() == 1
    page.get_by_text("Face 2").click()
    page.wait_for_function(f"() => document.querySelector('{RESULT}').getAttribute('aria-busy') === 'true'")
    settle(page)
    assert shown(page)["inversion"] != first


def test_without_a_face_the_whole_picture_is_offered(page: Any):
    open_picture(page, pictures.png(pictures.without_face()))
    page.get_by_role("alert").filter(has_text="No face").wait_for()
    assert not page.locator(RESULT).is_visible()
    page.get_by_role("button", name="Use the whole picture").click()
    settle(page)
    assert shown(page)["alphas"] == {}


def test_seamless_blending_waits_until_the_slider_rests(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    assert page.get_by_label("Blend").input_value() == "detail"
    slider(page).fill("1")
    settle(page)
    detailed = painted(page)
    page.get_by_label("Blend").select_option("poisson")
    settle(page)
    assert shown(page)["blend"] == "poisson"
    assert page.get_by_text("Blended when the slider rests").is_visible()
    assert not np.array_equal(painted(page), detailed)
    # While a hand moves the slider, the quick blend follows it.
    seen = page.evaluate(
        f"""async () => {{ const image = document.querySelector('{RESULT}'); const seen = [];
        new MutationObserver(() => seen.push(JSON.parse(image.dataset.shown).blend))
          .observe(image, {{ attributes: true, attributeFilter: ['data-shown'] }});
        const slider = document.querySelector('input[type=range]');
        for (let step = 0; step < 60 && seen.length < 3; step += 1) {{
          slider.value = step % 2 ? 0.5 : 0.8; slider.dispatchEvent(new Event('input', {{ bubbles: true }}));
          await new Promise((done) => setTimeout(done, 50)); }}
        return seen; }}"""
    )
    assert set(seen) == {"detail"}
    settle(page)
    assert shown(page)["blend"] == "poisson"
    _, saved = download(page)
    assert np.abs(saved.astype(int) - painted(page)).mean() < 2.5
