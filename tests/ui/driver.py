"""Hands and eyes of the browser tests: do what a user does, see what a user sees."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = [
    "PATIENCE_MS",
    "RESULT",
    "attribute_id",
    "choose_method",
    "download",
    "facts",
    "open_picture",
    "painted",
    "press_invert",
    "readings",
    "settle",
    "shown",
    "slider",
    "slider_range",
    "surprise",
]

PATIENCE_MS = 60_000
RESULT = 'img[alt="Result"]'
SETTLED = f"""() => {{ const image = document.querySelector('{RESULT}');
  return image.getAttribute('aria-busy') === 'false' && Boolean(image.dataset.shown); }}"""


def choose_method(page: Any, method: str, seconds: str | None = None) -> None:
    """seconds: the run's time limit; far more than a test takes, where it has to meet the run at work."""
    page.get_by_label("Inversion method").select_option(method)
    if seconds is not None:
        page.get_by_text("More options").click()
        page.get_by_label("Time limit").fill(seconds)


def open_picture(page: Any, data: bytes | Path, name: str = "me.png") -> None:
    payload = data if isinstance(data, Path) else {"name": name, "mimeType": "image/png", "buffer": data}
    page.locator("input[type=file]").set_input_files(payload)


def settle(page: Any) -> None:
    """Waits until the painted picture is the wanted one."""
    page.wait_for_function(SETTLED)


def shown(page: Any) -> dict[str, Any]:
    return json.loads(page.locator(RESULT).get_attribute("data-shown"))


def painted(page: Any) -> np.ndarray:
    """The pixels of the result as the browser decoded them, uint8 [H, W, 3]."""
    uri = page.evaluate(
        f"""() => {{ const image = document.querySelector('{RESULT}'); const canvas = document.createElement('canvas');
        canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
        canvas.getContext('2d').drawImage(image, 0, 0); return canvas.toDataURL('image/png'); }}"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def readings(page: Any) -> list[str]:
    return page.locator(".attribute .now").all_inner_texts()


def slider(page: Any) -> Any:
    """The first attribute's slider."""
    return page.get_by_role("slider").first


def slider_range(page: Any) -> tuple[float, float]:
    return float(slider(page).get_attribute("min")), float(slider(page).get_attribute("max"))


def attribute_id(page: Any) -> str:
    return page.locator("[data-attribute]").first.get_attribute("data-attribute")


def download(page: Any) -> tuple[str, np.ndarray]:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    got = waiting.value
    return got.suggested_filename, np.asarray(Image.open(got.path()).convert("RGB"))


def facts(page: Any) -> str:
    """What the page says of the result."""
    return page.locator(".facts").inner_text()


def press_invert(page: Any) -> dict[str, Any]:
    """Presses Invert and returns what the page asks the server for: method and options."""
    with page.expect_request(lambda request: "/queue/join" in request.url) as waiting:
        page.get_by_role("button", name="Invert", exact=True).click()
    order = waiting.value.post_data_json["event_data"]
    assert order["kind"] == "invert"
    return {"method": order["method"], "options": order["options"]}


def surprise(page: Any) -> None:
    before = page.evaluate("window.lwe.state.revision")
    page.get_by_role("button", name="Surprise me").click()
    page.wait_for_function(f"() => window.lwe.state.revision > {before}")
    settle(page)
