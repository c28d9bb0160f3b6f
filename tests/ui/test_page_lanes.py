"""How many wishes are on their way to the server at once, and that their pictures come in order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ui.driver import attribute_id, settle, shown, surprise

pytestmark = pytest.mark.browser

WAY_MS = 500

# What the way to a server far away does to requests for pictures; counts those that are on it, and notes what is shown.
LONG_WAY = """([wayMs, tookMs]) => {
  const near = window.fetch;
  window.__most = window.__now = 0;
  window.fetch = async (...given) => {
    if (!String(given[1]?.body ?? "").includes('"paint"')) return near(...given);
    window.__most = Math.max(window.__most, ++window.__now);
    const answer = await near(...given);
    await new Promise((arrived) => setTimeout(arrived, wayMs));
    window.__now -= 1;
    const body = await answer.json();
    return new Response(JSON.stringify({ ...body, took_ms: tookMs ?? body.took_ms }), answer);
  };
  window.__shown = [];
  const image = document.querySelector('img[alt="Result"]');
  new MutationObserver(() => window.__shown.push(Object.values(JSON.parse(image.dataset.shown).alphas)[0] ?? 0))
    .observe(image, { attributes: true, attributeFilter: ["data-shown"] });
}"""
DRAG = """async (id) => {
  for (let step = 1; step <= 40; step += 1) {
    lwe.setEdits({ [id]: step / 40 });
    await new Promise((next) => setTimeout(next, 50));
  }
}"""


def dragged(page: Any, way_ms: int, took_ms: float | None) -> list[float]:
    """The strengths that were shown while the first slider went from 0 to 1."""
    surprise(page)
    settle(page)
    page.evaluate(LONG_WAY, [way_ms, took_ms])
    # The page learns how long the way is from the answers.
    for strength in (-1, 0):
        page.evaluate("([id, strength]) => lwe.setEdits({ [id]: strength })", [attribute_id(page), strength])
        settle(page)
    page.evaluate("() => { window.__most = 0; window.__shown.length = 0; }")
    page.evaluate(DRAG, attribute_id(page))
    settle(page)
    return page.evaluate("window.__shown")


def test_on_a_long_way_several_wishes_travel_at_once_and_pictures_never_go_back(page: Any):
    strengths = dragged(page, WAY_MS, None)
    assert page.evaluate("window.__most") in (2, 3)
    assert strengths == sorted(strengths)
    assert shown(page)["alphas"] == {attribute_id(page): 1.0}
    assert len(strengths) > 3


def test_a_server_that_is_busy_all_the_time_gets_one_wish_after_the_other(page: Any):
    strengths = dragged(page, 0, 1e6)
    assert page.evaluate("window.__most") == 1
    assert strengths == sorted(strengths)
    assert shown(page)["alphas"] == {attribute_id(page): 1.0}


def test_a_hand_that_comes_back_sees_what_it_saw_before(page: Any):
    dragged(page, WAY_MS, None)
    before = page.evaluate("document.querySelector('img[alt=\"Result\"]').src")
    page.evaluate("(id) => { lwe.setEdits({ [id]: 0.3 }); lwe.setEdits({ [id]: 0.7 }); }", attribute_id(page))
    page.wait_for_timeout(WAY_MS / 2)
    page.evaluate("(id) => lwe.setEdits({ [id]: 1 })", attribute_id(page))
    settle(page)
    assert shown(page)["alphas"] == {attribute_id(page): 1.0}
    assert page.evaluate("document.querySelector('img[alt=\"Result\"]').src") == before
