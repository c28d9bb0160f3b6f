"""In a real browser: a generator tuned for one picture, from the first step to the second visit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ui import pictures
from tests.ui.driver import choose_method, facts, open_picture, painted, press_invert, settle, shown, slider

pytestmark = pytest.mark.browser


def clone(page: Any, photo: Path | bytes, seconds: str = "1") -> None:
    choose_method(page, "clone", seconds)
    open_picture(page, photo)
    settle(page)


def mse(page: Any) -> float:
    return float(re.search(r"MSE ([\d.e-]+)", facts(page))[1])


def test_a_clone_shows_its_progress_and_keeps_the_best_when_cancelled(page: Any, photo: Path):
    open_picture(page, photo)
    settle(page)
    by_encoder, plain = mse(page), painted(page)
    choose_method(page, "clone", "60")
    press_invert(page)
    bar, preview = page.get_by_role("progressbar"), page.get_by_alt_text("Preview while the inversion runs")
    page.get_by_text(re.compile(r"Clon\w+.*, step \d+.* · \d+\.\d s · loss \d")).wait_for()
    first, used = preview.get_attribute("src"), float(bar.get_attribute("aria-valuenow"))
    assert preview.is_visible()
    page.wait_for_function("(first) => document.querySelector('[data-part=preview]').src !== first", arg=first)
    page.wait_for_function("(used) => document.querySelector('[data-part=bar]').ariaValueNow > used", arg=used)
    page.get_by_role("button", name="Cancel").click()
    settle(page)
    page.get_by_role("alert").filter(has_text="best that was found").wait_for()
    assert facts(page).startswith("Clone · ")
    assert re.search(r"[\d,]+ evaluations", facts(page))
    assert mse(page) < by_encoder
    slider(page).fill("1")
    settle(page)
    assert not np.array_equal(painted(page), plain)


def test_the_second_visit_is_instant_until_the_picture_is_forgotten(page: Any, photo: Path):
    clone(page, photo)
    assert "earlier visit" not in facts(page)
    slider(page).fill("-1")
    settle(page)
    edited, inversion, error = painted(page), shown(page)["inversion"], mse(page)
    page.reload()
    page.get_by_role("button", name="Surprise me").wait_for()
    clone(page, photo)
    assert facts(page).startswith("Clone, kept from an earlier visit")
    assert shown(page)["inversion"] == inversion
    assert mse(page) == error
    slider(page).fill("-1")
    settle(page)
    assert np.array_equal(painted(page), edited)
    page.get_by_role("button", name="Forget this picture").click()
    page.get_by_role("alert").filter(has_text="forgotten").wait_for()
    assert page.get_by_role("button", name="Forget this picture").is_hidden()
    # What is on the screen stays until the user goes on; the next time it is computed anew.
    assert shown(page)["inversion"] == inversion
    press_invert(page)
    settle(page)
    assert "earlier visit" not in facts(page)


def test_two_users_have_a_generator_each(new_page: Callable[..., Any], photo: Path):
    other_photo = pictures.png(pictures.face()[:, ::-1])
    users = new_page(), new_page()
    for user, picture in zip(users, (photo, other_photo), strict=True):
        choose_method(user, "clone", "1.5")
        open_picture(user, picture)
    for user in users:
        settle(user)
        slider(user).fill("1")
    for user in users:
        settle(user)
    first, second = users
    assert shown(first)["inversion"] != shown(second)["inversion"]
    pasted = [painted(user).astype(int) for user in users]
    originals = pictures.face().astype(int), pictures.face()[:, ::-1].astype(int)
    for edited, original in zip(pasted, originals, strict=True):
        assert np.abs(edited - original).mean() < 4
    # One goes on editing; the other's generator has nothing to do with it.
    slider(second).fill("0.3")
    settle(second)
    slider(first).fill("0")
    settle(first)
    assert not np.array_equal(painted(first), pasted[0])
    slider(first).fill("1")
    settle(first)
    assert np.array_equal(painted(first), pasted[0])
    # Away and back before the first answer is in: what was left behind is not painted.
    slider(first).fill("0")
    slider(first).fill("1")
    settle(first)
    assert np.array_equal(painted(first), pasted[0])
