"""In a real browser: names, keyboard, windows of any width, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ui.driver import RESULT, attribute_id, choose_method, open_picture, settle, shown, slider, slider_range, surprise

pytestmark = pytest.mark.browser


def test_everything_has_its_name(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    choose_method(page, "adam")
    page.get_by_text("More options").click()
    page.get_by_role("radio", name="Rectangle").check(force=True)
    for name in ("Invert", "Cancel", "Surprise me", "Reset all", "Download"):
        assert page.get_by_role("button", name=name, exact=True).count() == 1
    assert page.get_by_label("Inversion method", exact=True).count() == 1
    assert page.locator("input[type=file]").count() == 1
    names = page.locator("[data-attribute] label").all_inner_texts()
    for name in names:
        assert page.get_by_role("slider", name=name, exact=True).count() == 1
    assert page.get_by_role("slider").count() == len(names)
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, [tabindex="0"]')].filter((each) => each.checkVisibility()
        && !each.textContent.trim() && !each.ariaLabel && !each.labels?.length && !each.title).map((each) => each.outerHTML)"""
    )
    assert unnamed == []


def test_the_keyboard_alone_makes_edits_and_takes_them_back(page: Any):
    page.get_by_role("button", name="Surprise me").focus()
    page.keyboard.press("Enter")
    settle(page)
    slider(page).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    settle(page)
    strength = shown(page)["alphas"][attribute_id(page)]
    assert strength == pytest.approx(3 * float(slider(page).get_attribute("data-stride")), abs=0.001)
    page.keyboard.press("Home")
    settle(page)
    assert shown(page)["alphas"][attribute_id(page)] == slider_range(page)[0]
    page.get_by_role("button", name="Reset all").focus()
    page.keyboard.press("Space")
    settle(page)
    assert shown(page)["alphas"] == {}


@pytest.mark.parametrize("width", [360, 390, 768, 1024, 1440])
def test_nothing_sticks_out_at_any_width(new_page: Callable[..., Any], width: int):
    page = new_page(viewport={"width": width, "height": 844})
    surprise(page)
    page.get_by_text("More options").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("Invert", "Surprise me", "Download", "Reset all"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_on_a_phone_the_result_stays_in_sight_of_the_sliders(new_page: Callable[..., Any]):
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    surprise(page)
    page.get_by_role("slider").last.scroll_into_view_if_needed()
    box = page.locator(RESULT).bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] < 844


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(new_page: Callable[..., Any], scheme: str):
    """Contrast of body text, WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    page = new_page(color_scheme=scheme)
    surprise(page)
    choose_method(page, "adam")
    page.get_by_text("More options").click()
    page.get_by_label("Time limit").fill("5")
    selectors = [".lwe-panel h2", ".hint", ".attribute label", ".reading .now", ".facts", "button.primary", ".segments span"]
    selectors += [".options summary", ".options .count", ".options .row label", ".options .hint", ".options input[type=number]"]
    colours = page.evaluate(
        """(selectors) => selectors.map((selector) => { const element = document.querySelector(selector); let under = element;
          while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
          return [selector, getComputedStyle(element).color, getComputedStyle(under).backgroundColor]; })""",
        selectors,
    )
    for selector, text, ground in colours:
        assert contrast(text, ground) >= 4.5, (selector, text, ground)
    dark = page.evaluate("getComputedStyle(document.body).colorScheme")
    assert dark == scheme


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        levels = [float(level) / 255 for level in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        red, green, blue = (level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
