"""In a real browser, the things users do: wrong files, impatience, changes of mind, two at once."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.ui import pictures
from tests.ui.driver import (
    RESULT,
    attribute_id,
    choose_method,
    open_picture,
    painted,
    settle,
    shown,
    slider,
    slider_range,
    surprise,
)

pytestmark = pytest.mark.browser


def test_invert_without_a_picture_says_what_to_do(page: Any):
    page.get_by_role("button", name="Invert").click()
    page.get_by_role("alert").filter(has_text="Choose a picture first").wait_for()
    surprise(page)


def test_hostile_files_each_give_a_message_and_leave_the_page_working(page: Any):
    surprise(page)
    person = shown(page)
    for name, data in pictures.HOSTILE.items():
        open_picture(page, data, name)
        page.get_by_role("alert").first.wait_for()
        page.wait_for_function("() => window.lwe.state.phase === 'ready'")
        assert page.get_by_role("alert").count() == 1
        assert shown(page) == person
    slider(page).fill("-1")
    settle(page)
    assert shown(page)["alphas"] == {attribute_id(page): -1}


def test_an_empty_and_an_oversized_file_are_refused_at_once(page: Any, tmp_path: Path):
    open_picture(page, b"", "empty.png")
    page.get_by_role("alert").filter(has_text="empty").wait_for()
    large = tmp_path / "large.png"
    large.write_bytes(bytes(26 * 2**20))
    open_picture(page, large)
    page.get_by_role("alert").filter(has_text="larger than 25 MB").wait_for()


def hand_over(page: Any, event: str, data: bytes, name: str) -> None:
    """A drop on the page, or a paste, of one file."""
    page.evaluate(
        """([event, text, name]) => { const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], name, { type: 'image/png' }));
        document.body.dispatchEvent(event === 'drop'
          ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
          : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true })); }""",
        [event, base64.b64encode(data).decode(), name],
    )


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_may_be_dropped_or_pasted(page: Any, event: str):
    hand_over(page, event, pictures.png(pictures.face()), f"{event}.png")
    page.locator("figcaption").filter(has_text=f"{event}.png").wait_for()
    settle(page)
    assert painted(page).shape == (512, 512, 3)


def test_a_bad_file_leaves_the_edits_as_they_were(page: Any):
    surprise(page)
    slider(page).fill("0.6")
    settle(page)
    edited = shown(page)
    open_picture(page, b"no picture", "letter.png")
    page.get_by_role("alert").wait_for()
    settle(page)
    assert shown(page) == edited
    assert float(slider(page).input_value()) == 0.6


def test_dismissed_warnings_do_not_come_back_for_a_bad_file(page: Any):
    open_picture(page, pictures.png(pictures.without_face()))
    page.get_by_role("button", name="Use the whole picture").click()
    settle(page)
    # A colour ramp is nothing that the pack was trained on.
    warned = page.get_by_role("alert").filter(has_text="reconstruction is poor")
    warned.wait_for()
    while page.get_by_role("button", name="Dismiss").count():
        page.get_by_role("button", name="Dismiss").first.click()
    open_picture(page, b"no picture", "letter.png")
    page.get_by_role("alert").wait_for()
    page.wait_for_function("() => window.lwe.state.phase === 'ready'")
    assert warned.count() == 0
    assert page.get_by_role("alert").count() == 1


def test_a_poor_reconstruction_offers_another_method_by_a_button(page: Any):
    open_picture(page, pictures.png(pictures.without_face()))
    page.get_by_role("button", name="Use the whole picture").click()
    way_out = page.get_by_role("button", name="Use Encoder + refine")
    way_out.wait_for()
    with page.expect_request(lambda request: "/queue/join" in request.url) as waiting:
        way_out.click()
    order = waiting.value.post_data_json["event_data"]
    assert (order["kind"], order["method"]) == ("invert", "encoder-refine")
    assert page.get_by_label("Inversion method").input_value() == "encoder-refine"
    page.wait_for_function("() => window.lwe.state.phase === 'ready'")


@pytest.fixture
def queue_held(new_page: Callable[..., Any], photo: Path) -> Iterator[Callable[[], None]]:
    """Another user's long inversion, so that pictures opened now wait; to be called before the first of them."""
    other = new_page()

    def hold() -> None:
        choose_method(other, "adam", "300")
        open_picture(other, photo)
        other.wait_for_function("() => window.lwe.state.job?.preview")

    yield hold
    other.evaluate("window.lwe.cancel()")
    other.wait_for_function("() => window.lwe.state.phase !== 'working'")


def wait_in_queue(page: Any, faces: int) -> None:
    page.wait_for_function(
        f"() => window.lwe.state.picture?.faces.length === {faces} && /Waiting/.test(window.lwe.state.job?.text)"
    )


def cancel(page: Any) -> None:
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_function("() => window.lwe.state.phase !== 'working'")
    settle(page)


def test_cancelling_another_picture_gives_back_the_picture_its_edits_and_its_blend(
    page: Any, photo: Path, queue_held: Callable[[], None]
):
    open_picture(page, photo)
    settle(page)
    slider(page).fill("0.6")
    page.get_by_label("Blend").select_option("mixed")
    settle(page)
    edited, pixels = shown(page), painted(page)
    queue_held()
    for moved in (False, True):
        open_picture(page, pictures.png(pictures.several_faces()), "us.png")
        wait_in_queue(page, 2)
        assert float(slider(page).input_value()) == 0
        if moved:
            # Of the other picture, the other face, and with a slider that is for it.
            page.get_by_text("Face 2").click()
            wait_in_queue(page, 2)
            slider(page).fill("-0.5")
        cancel(page)
        assert page.evaluate("window.lwe.state.phase") == "ready"
        assert shown(page) == edited
        assert float(slider(page).input_value()) == 0.6
        assert page.get_by_label("Blend").input_value() == "mixed"
        assert "astronaut.png" in page.locator("figcaption").inner_text()
        assert page.locator(".face-box").count() == 1
        assert np.array_equal(painted(page), pixels)


def test_cancelling_a_picture_beside_someone_made_up_gives_back_the_person(
    page: Any, photo: Path, queue_held: Callable[[], None]
):
    surprise(page)
    slider(page).fill("0.6")
    settle(page)
    edited = shown(page)
    queue_held()
    open_picture(page, photo)
    wait_in_queue(page, 1)
    cancel(page)
    assert shown(page) == edited
    assert not page.locator("figcaption").is_visible()
    assert not page.get_by_text("Whole picture", exact=True).is_visible()


def test_an_example_is_opened_by_one_press(page: Any):
    examples = page.get_by_role("button", name="Example:")
    if examples.count() == 0:
        pytest.skip("no bundled examples")
    examples.first.click()
    settle(page)


def test_cancel_ends_an_inversion_and_the_page_goes_on(page: Any, photo: Path):
    choose_method(page, "encoder-refine", "60")
    open_picture(page, photo)
    page.wait_for_function("() => window.lwe.state.phase === 'working' && window.lwe.state.picture")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_function("() => window.lwe.state.phase !== 'working'")
    choose_method(page, "encoder")
    page.get_by_role("button", name="Invert").click()
    settle(page)
    assert shown(page)["alphas"] == {}


def test_a_second_upload_during_an_inversion_wins(page: Any, photo: Path):
    choose_method(page, "encoder-refine", "60")
    open_picture(page, photo)
    page.wait_for_function("() => window.lwe.state.phase === 'working'")
    choose_method(page, "encoder")
    open_picture(page, pictures.png(pictures.several_faces()), "us.png")
    page.locator("figcaption").filter(has_text="us.png").wait_for()
    settle(page)
    assert painted(page).shape == (360, 720, 3)


@pytest.fixture
def stalled(page: Any) -> list[Any]:
    """The first upload, once it has begun: it goes no further until it is let go."""
    held: list[Any] = []
    page.route(re.compile(r"/gradio_api/upload(\?|$)"), lambda route: route.continue_() if held else held.append(route))
    return held


def wait_for_upload(page: Any, stalled: list[Any]) -> None:
    page.wait_for_function("() => window.lwe.state.sending")
    page.wait_for_timeout(500)
    assert stalled
    assert page.locator('[data-part="status"]').inner_text() == "Working"
    assert page.locator('[data-part="job-text"]').inner_text() == "Sending the picture"


def test_a_slow_upload_that_ends_late_gives_way_to_the_newer_choice(page: Any, photo: Path, stalled: list[Any]):
    open_picture(page, photo)
    wait_for_upload(page, stalled)
    open_picture(page, pictures.png(pictures.several_faces()), "us.png")
    page.locator("figcaption").filter(has_text="us.png").wait_for()
    settle(page)
    stalled[0].continue_()
    page.wait_for_timeout(1500)
    settle(page)
    assert "us.png" in page.locator("figcaption").inner_text()
    assert painted(page).shape == (360, 720, 3)


def test_cancel_gives_up_an_upload(page: Any, photo: Path, stalled: list[Any]):
    surprise(page)
    person = shown(page)
    open_picture(page, photo)
    wait_for_upload(page, stalled)
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_function("() => !window.lwe.state.sending")
    assert page.get_by_role("button", name="Cancel").is_disabled()
    stalled[0].continue_()
    page.wait_for_timeout(1500)
    assert page.evaluate("window.lwe.state.phase") == "ready"
    assert shown(page) == person
    assert not page.locator("figcaption").is_visible()


def test_a_slider_moved_during_an_inversion_counts_when_it_ends(page: Any, photo: Path):
    open_picture(page, photo)
    page.wait_for_function("() => window.lwe.state.phase === 'working'")
    slider(page).fill("0.7")
    settle(page)
    assert shown(page)["alphas"] == {attribute_id(page): 0.7}


def test_pressing_surprise_me_many_times_shows_the_last(page: Any):
    for _ in range(6):
        page.get_by_role("button", name="Surprise me").click()
    settle(page)
    page.wait_for_timeout(300)
    settle(page)
    seed = page.evaluate("window.lwe.state.result.seed")
    assert f"person {seed}" in page.locator(".facts").inner_text()
    assert shown(page)["inversion"] == page.evaluate("window.lwe.state.result.inversion")


def test_after_a_burst_the_last_value_is_painted(page: Any):
    surprise(page)
    low, high = slider_range(page)
    values = [round(low + (high - low) * step / 40, 2) for step in (*range(41), 7)]
    page.evaluate(
        """(values) => { const slider = document.querySelector('input[type=range]');
        for (const value of values) { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); } }""",
        values,
    )
    assert page.locator(RESULT).get_attribute("aria-busy") == "true"
    settle(page)
    assert shown(page)["alphas"] == {attribute_id(page): values[-1]}
    burst = painted(page)
    page.get_by_role("button", name="Reset all").click()
    settle(page)
    slider(page).fill(str(values[-1]))
    settle(page)
    assert np.array_equal(painted(page), burst)


def test_an_impatient_hand_gets_one_download(page: Any):
    surprise(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or "") if "component_server" in request.url else None)
    with page.expect_download():
        page.evaluate(
            "() => { for (let press = 0; press < 5; press += 1) document.querySelector('[data-part=download]').click(); }"
        )
    assert len([body for body in asked if '"download"' in body]) == 1
    with page.expect_download():
        page.get_by_role("button", name="Download").click()


def test_a_reload_starts_afresh(page: Any):
    surprise(page)
    page.reload()
    page.get_by_role("button", name="Surprise me").wait_for()
    assert not page.locator(RESULT).is_visible()
    surprise(page)


def test_two_users_never_see_each_others_pictures(new_page: Callable[..., Any], photo: Path):
    first, second = new_page(), new_page()
    for each in (first, second):
        choose_method(each, "encoder")
    open_picture(first, photo)
    surprise(second)
    settle(first)
    assert shown(first)["inversion"] != shown(second)["inversion"]
    # Even one who knows the other's picture by name does not get it.
    theirs = first.evaluate("({ inversion: window.lwe.state.result.inversion, alphas: {}, view: 'photo' })")
    answer = second.evaluate("(wanted) => window.lwe.call('paint', wanted)", theirs)
    assert answer["gone"]
    assert "src" not in answer
    assert second.locator("figcaption").inner_text() == ""
