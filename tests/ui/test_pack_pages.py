"""A page for every pack: its own sliders and examples, one bar that leads from one to the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from editor_app.build import build
from editor_app.editor import Editor
from engines.api import list_packs
from engines.packs.registry import open_pack
from tests.ui import driver


def test_other_packs_get_pages_of_their_own(editor: Editor, class_pack: Any):
    from engines import api

    other = replace(editor, info=api.pack_info(class_pack))
    pages = {path: name for path, name, _ in build(editor, other).pages}
    assert pages[class_pack.id] == other.info.title
    assert other.sessions is editor.sessions and other.turns is editor.turns, "limits hold for all packs together"


@pytest.fixture
def others(app: Any) -> list[Any]:
    found = [info for info in list_packs() if info.id != app.pack]
    if app.pack == "tiny" or not found:
        pytest.skip("only one pack is installed")
    return found


@pytest.mark.browser
def test_every_pack_is_one_click_away(page: Any, others: list[Any]):
    faces = page.get_by_role("slider").count()
    for info in others:
        page.get_by_role("link", name=info.title, exact=True).click()
        page.wait_for_url(f"**/{info.id}*")
        page.get_by_role("slider", name=info.attributes[0].name, exact=True).wait_for()
        page.wait_for_function("() => window.lwe?.state && window.__gradio_session_hash__")
        assert page.get_by_role("slider").count() != faces
        driver.surprise(page)
        assert driver.shown(page)["pack"] == info.id
        before = driver.painted(page)
        slider = page.get_by_role("slider", name=info.attributes[0].name, exact=True)
        slider.press("Home")
        driver.settle(page)
        least = driver.painted(page)
        assert least.shape[0] == info.resolution
        # From the least to the most: a sample of four digits has no more to get, one of a single digit none to lose.
        slider.press("End")
        driver.settle(page)
        assert driver.shown(page)["alphas"] == {info.attributes[0].id: info.attributes[0].alpha_max}
        most = driver.painted(page)
        assert not np.array_equal(most, least)
        assert info.attributes[0].id in open_pack(info.id).manifest.ordered or not np.array_equal(most, before)
        _, saved = driver.download(page)
        assert np.array_equal(saved, driver.painted(page))


@pytest.mark.browser
def test_examples_of_other_packs_are_shown_and_open(page: Any, app: Any, others: list[Any]):
    digits = next((info for info in others if info.id == "multimnist"), None)
    if digits is None:
        pytest.skip("no pack of digits")
    page.goto(f"{app.url}/{digits.id}")
    page.wait_for_function("() => window.lwe?.state && window.__gradio_session_hash__")
    thumbnails = page.locator("img[src^='example/']")
    thumbnails.first.wait_for()
    page.wait_for_function("() => [...document.querySelectorAll(\"img[src^='example/']\")].every((i) => i.naturalWidth > 0)")
    driver.choose_method(page, "encoder")
    thumbnails.nth(2).click()
    page.wait_for_function("() => document.querySelector('.facts')?.textContent.includes('MSE')")
    driver.settle(page)
    assert "3" in page.locator(".attribute .now").first.inner_text(), "three digits are read as three"
