"""In a real browser, in windows too narrow for three columns: the picture and the slider in hand are in sight together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engines.api import list_packs
from tests.ui.driver import choose_method, settle, surprise

pytestmark = pytest.mark.browser

NARROW = [(390, 844), (1024, 768), (844, 390)]
LEAST_PX = 120
"""So much of the picture's height is seen; the shortest of the windows has 390 pixels."""

_FOCUSED = """() => {
  const slider = document.activeElement;
  const { left, right, top, bottom } = slider.getBoundingClientRect();
  const stage = document.querySelector('.stage').getBoundingClientRect();
  const label = document.querySelector(`label[for="${slider.id}"]`);
  const name = label?.getBoundingClientRect();
  const hit = (x, y, wanted) => wanted.contains(document.elementFromPoint(x, y));
  return { slider: slider.type === 'range', id: slider.id,
    reached: slider.type === 'range' && hit((left + right) / 2, (top + bottom) / 2, slider),
    named: Boolean(name) && hit(name.left + 2, (name.top + name.bottom) / 2, label),
    seen: Math.min(innerHeight, stage.bottom) - Math.max(0, stage.top) };
}"""
_SHOWN = """() => { const stage = document.querySelector('.stage').getBoundingClientRect();
  return { top: stage.top, bottom: stage.bottom, height: stage.height }; }"""


def walk(page: Any, key: str, first: Any) -> list[dict[str, Any]]:
    """Every slider that the key leads to from `first` on, as the page stands once it has the focus."""
    sliders = page.locator("input[type=range]:enabled").count()
    first.focus()
    found = [page.evaluate(_FOCUSED)]
    for _ in range(6 * sliders):
        page.keyboard.press(key)
        page.wait_for_timeout(20)
        found.append(page.evaluate(_FOCUSED))
        if len({each["id"] for each in found if each["slider"]}) == sliders:
            break
    met = [each for each in found if each["slider"]]
    assert len({each["id"] for each in met}) == sliders
    return met


def check_walks(page: Any) -> None:
    surprise(page)
    sliders = page.locator("input[type=range]:enabled")
    for key, first in (("Tab", sliders.first), ("Shift+Tab", sliders.last)):
        for each in walk(page, key, first):
            assert each["reached"], (key, each)
            assert each["named"], (key, each)
            assert each["seen"] >= LEAST_PX, (key, each)


@pytest.mark.parametrize(("width", "height"), NARROW)
def test_the_keyboard_finds_every_slider_beside_the_picture(new_page: Callable[..., Any], width: int, height: int):
    check_walks(new_page(viewport={"width": width, "height": height}, reduced_motion="reduce"))


@pytest.mark.parametrize(("width", "height"), NARROW)
def test_the_page_with_the_most_controls_does_too(new_page: Callable[..., Any], app: Any, width: int, height: int):
    others = [info for info in list_packs() if info.classes]
    if app.pack == "tiny" or not others:
        pytest.skip("no pack with classes is installed")
    most = max(others, key=lambda info: len(info.attributes))
    page = new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page.get_by_role("link", name=most.title, exact=True).click()
    page.wait_for_url(f"**/{most.id}*")
    page.get_by_role("slider", name=most.attributes[0].name, exact=True).wait_for()
    page.wait_for_function("() => window.lwe?.state && window.__gradio_session_hash__")
    check_walks(page)


@pytest.mark.parametrize(("width", "height"), [(320, 640), (600, 900), (819, 1100), (820, 1180), (1179, 700), (1000, 480)])
def test_the_last_slider_never_leaves_the_picture(new_page: Callable[..., Any], width: int, height: int):
    page = new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    surprise(page)
    page.get_by_role("slider").last.focus()
    found = page.evaluate(_FOCUSED)
    assert found["reached"] and found["seen"] >= LEAST_PX
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_pinned_picture_leaves_most_of_the_window(new_page: Callable[..., Any]):
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, reduced_motion="reduce")
    surprise(page)
    page.get_by_role("slider").last.focus()
    shown = page.evaluate(_SHOWN)
    assert 0 <= shown["top"] <= 12
    assert shown["bottom"] <= 0.42 * 844
    # Below it nothing else is pinned.
    pinned = "(y) => Boolean(document.elementFromPoint(195, y)?.closest('#lwe-result'))"
    assert not any(page.evaluate(pinned, y) for y in range(370, 840, 20))


@pytest.mark.parametrize(("width", "height"), NARROW)
def test_what_a_frame_tells_moves_neither_picture_nor_slider(new_page: Callable[..., Any], width: int, height: int):
    # Without animation: where a smooth scroll is still under way, places differ by what is left of it.
    page = new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    surprise(page)
    slider = page.locator("input[type=range]:enabled").nth(4)
    slider.focus()
    places = "() => [document.activeElement, document.querySelector('.stage')].map((each) => each.getBoundingClientRect().top)"
    before = [*page.evaluate(places), page.evaluate(_SHOWN)["height"]]
    told = page.locator("[data-part=changes]").inner_text()
    slider.press("End")
    settle(page)
    page.evaluate("() => { document.querySelector('[data-part=changes]').textContent = 'an attribute, '.repeat(9); }")
    assert told != page.locator("[data-part=changes]").inner_text()
    after = [*page.evaluate(places), page.evaluate(_SHOWN)["height"]]
    assert after == pytest.approx(before, abs=2)


@pytest.mark.parametrize(("width", "height"), NARROW)
def test_a_job_brings_the_picture_into_sight(new_page: Callable[..., Any], width: int, height: int):
    """From the top of the page, where in small windows the picture is not to be seen yet."""
    page = new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    choose_method(page, "encoder")
    page.evaluate("scrollTo(0, 0)")
    page.evaluate("document.querySelector('[data-part=surprise]').click()")
    page.wait_for_function("() => window.lwe.state.phase === 'ready'")
    settle(page)
    shown = page.evaluate(_SHOWN)
    assert shown["top"] >= 0
    assert shown["bottom"] <= height


def test_the_facts_stay_inside_their_card_and_window(new_page: Callable[..., Any]):
    page = new_page(viewport={"width": 844, "height": 390})
    surprise(page)
    facts = page.locator(".facts")
    facts.scroll_into_view_if_needed()
    box = facts.bounding_box()
    covered = """(facts) => { const { left, right, top, bottom } = facts.getBoundingClientRect();
      return !facts.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2)); }"""
    assert not facts.evaluate(covered)
    foot = page.locator(".foot").bounding_box()
    assert box["y"] + box["height"] <= foot["y"] + foot["height"] + 1
    card = page.locator(".stage").bounding_box()
    assert box["y"] + box["height"] <= card["y"]
