"""In a real browser, from a photo to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ui import pictures
from tests.ui.driver import (
    RESULT,
    attribute_id,
    download,
    facts,
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


def test_a_moving_slider_has_only_itself_drawn_anew(page: Any):
    """What a page draws beside the slider takes the time of its pictures: other sliders stand still, and nothing glides."""
    surprise(page)
    settle(page)
    page.evaluate(
        """() => {
          window.__drawn = new Set();
          new MutationObserver((records) => records.forEach(({ target }) => {
            const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
            if (element.closest(".line, .track")) window.__drawn.add(element.closest("[data-attribute]").dataset.attribute);
          })).observe(document.querySelector(".lwe-attributes"),
                      { subtree: true, childList: true, characterData: true, attributes: true });
          window.__gliding = 0;
          lwe.on("painted", () => requestAnimationFrame(() => { window.__gliding += document.getAnimations().length; }));
        }"""
    )
    for strength in ("1", "0.4"):
        slider(page).fill(strength)
        settle(page)
    assert page.evaluate("[...window.__drawn]") == [attribute_id(page)]
    assert page.evaluate("() => new Promise((tell) => requestAnimationFrame(() => tell(window.__gliding)))") == 0


def test_edits_go_as_far_as_the_picture_calls_for_unless_the_user_wants_all(page: Any):
    """Something that the person surely has not is taken away, and something that it surely has is added."""
    surprise(page)
    settle(page)
    plain = painted(page)
    rows = page.locator(".attribute[data-attribute]")
    said = [float(text.removesuffix(" %")) for text in rows.locator(".was").all_inner_texts()]
    lacking, present = said.index(min(said)), said.index(max(said))
    assert said[lacking] < 20 and said[present] > 80

    rows.nth(lacking).get_by_role("slider").fill("-1")
    settle(page)
    assert shown(page)["as_needed"] is True
    as_needed = np.abs(painted(page).astype(int) - plain).mean()
    assert rows.nth(lacking).locator("em").inner_text() == "already" and rows.nth(lacking).locator("em").is_visible()
    page.get_by_label("Only as far as needed").uncheck()
    settle(page)
    assert "as_needed" not in shown(page)
    assert np.abs(painted(page).astype(int) - plain).mean() > 3 * as_needed
    assert not rows.nth(lacking).get_by_text("already").is_visible()

    page.get_by_label("Only as far as needed").check()
    rows.nth(lacking).get_by_role("slider").fill("0")
    rows.nth(present).get_by_role("slider").fill("1")
    settle(page)
    assert rows.nth(present).locator("em").inner_text() == "already"
    assert download(page)[1].tobytes() == painted(page).tobytes()


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
    choose_face(page, 2)
    assert shown(page)["inversion"] != first


def finish(page: Any, act: Callable[[], None]) -> None:
    """Does what orders a job, and waits for the job's end."""
    revision = page.evaluate("window.lwe.state.revision")
    act()
    page.wait_for_function(f"() => window.lwe.state.revision > {revision} && window.lwe.state.phase === 'ready'")
    settle(page)


def choose_face(page: Any, number: int) -> None:
    finish(page, page.get_by_text(f"Face {number}", exact=True).click)


def test_coming_back_to_a_face_finds_its_edits(page: Any):
    open_picture(page, pictures.png(pictures.several_faces()))
    settle(page)
    slider(page).fill("0.6")
    page.get_by_label("Blend").select_option("poisson")
    settle(page)
    first = shown(page)
    choose_face(page, 2)
    assert shown(page)["alphas"] == {}
    slider(page).fill("-0.4")
    settle(page)
    second = shown(page)
    choose_face(page, 1)
    assert shown(page) == first
    assert float(slider(page).input_value()) == 0.6
    choose_face(page, 2)
    assert shown(page) == second
    # The same picture opened again is another one.
    finish(page, lambda: open_picture(page, pictures.png(pictures.several_faces())))
    assert shown(page)["alphas"] == {}
    choose_face(page, 2)
    assert shown(page)["alphas"] == {}


def test_a_made_up_person_leaves_the_photos_edits_alone(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    slider(page).fill("0.6")
    settle(page)
    edited = shown(page)
    surprise(page)
    assert shown(page)["alphas"] == {}
    slider(page).fill("-0.4")
    settle(page)
    finish(page, page.get_by_role("button", name="Invert", exact=True).click)
    assert shown(page) == edited


def test_download_saves_what_is_shown_and_says_so(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    slider(page).fill("0.5")
    settle(page)
    button = page.get_by_role("button", name="Download")
    assert "whole photo" in button.get_attribute("title")
    assert "512 × 512 PNG" in facts(page)
    page.get_by_text("Face only").click()
    settle(page)
    assert "alone" in button.get_attribute("title")
    name, saved = download(page)
    assert name == "astronaut-face.png"
    assert np.array_equal(saved, painted(page))
    assert f"{saved.shape[1]} × {saved.shape[0]} PNG" in facts(page)


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
