"""Measures the page as a user meets it, in a real browser: ``python -m editor_app.measure``. Prints one JSON object.

Needs Playwright (``requirements-test.txt``) and Chromium (``apt-get install chromium``, or its path in CHROMIUM).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from editor_app.examples import load_examples
from engines.api import machine, open_pack

__all__ = ["CHROMIUM_FLAGS", "REPOSITORY", "find_chromium", "free_port", "main", "start_app", "wait_until_healthy"]

REPOSITORY = Path(__file__).resolve().parents[1]
CHROMIUM_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHOTO_PX = 3464
"""Side of a square photo of 12 megapixels."""

_RECORDER = """() => {
  const image = document.querySelector('img[alt="Result"]');
  const slider = document.querySelector('input[type=range]');
  let pending = null;
  window.__times = [];
  window.__frames = 0;
  window.__told = () => {};
  // A promise, for Playwright's own waiting asks anew in every frame, which would keep the page drawing.
  window.__timed = (count) => new Promise((resolve) => {
    window.__told = () => { if (window.__times.length >= count) resolve(); };
    window.__told();
  });
  slider.addEventListener('input', (event) => { pending = event.timeStamp; }, true);
  new MutationObserver(() => {
    window.__frames += 1;
    const painted = JSON.stringify(JSON.parse(image.dataset.shown).alphas);
    if (pending === null || painted !== JSON.stringify(window.lwe.state.edits)) return;
    const began = pending;
    pending = null;
    // The first task after the next frame was drawn.
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => { window.__times.push(performance.now() - began); window.__told(); };
      channel.port2.postMessage(0);
    });
  }).observe(image, { attributes: true, attributeFilter: ['data-shown'] });
}"""
_SETTLED = """() => { const image = document.querySelector('img[alt="Result"]');
  return image.getAttribute('aria-busy') === 'false' && Boolean(image.dataset.shown); }"""


def find_chromium() -> str | None:
    """Path of the installed Chromium, or None."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_app(folder: Path, pack: str, port: int, **environment: str) -> subprocess.Popen:
    """Starts ``app.py`` with its files in `folder`; what it prints goes to ``folder/log.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {"LWE_DATA_DIR": str(folder / "data"), "GRADIO_TEMP_DIR": str(folder / "uploads")}
    with (folder / "log.txt").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), "--pack", pack],
            cwd=REPOSITORY,
            env={**os.environ, **own, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def wait_until_healthy(process: subprocess.Popen, url: str, log: Path, *, patience_sec: float = 120.0) -> None:
    """Returns once ``/healthz`` answers. Raises RuntimeError with the log if the app ends or says nothing."""
    deadline = time.monotonic() + patience_sec
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")


def main(argv: list[str] | None = None) -> int:
    options = _arguments(argv)
    chromium, examples = find_chromium(), load_examples()
    if chromium is None or not examples:
        missing = "no Chromium (apt-get install chromium, or CHROMIUM=its path)" if examples else "nothing in assets/examples"
        sys.stderr.write(f"error: {missing}\n")
        return 2
    from playwright.sync_api import sync_playwright

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        photo = _photo(examples[0].path, Path(folder))
        with _running_page(browser, Path(folder) / "app", options.pack, figures) as (page, process):
            _invert_many(page, photo, options.inversions)
            figures["resident_after_inversions_mb"] = _resident_mb(process.pid)
            page.evaluate(_RECORDER)
            _measure_edits(page, options, "photo", figures)
            if _tune(page):
                _measure_edits(page, options, "tuned", figures)
            _press(page, "Surprise me")
            _measure_edits(page, options, "crop", figures)
        browser.close()
    sys.stdout.write(json.dumps({**_source(options), **figures}) + "\n")
    return 0


def _source(options: argparse.Namespace) -> dict[str, Any]:
    """What the figures are of: `command`, `seed`, `pack`, `weights`, `processor`, `cores`."""
    given = " ".join(f"--{name} {value}" for name, value in vars(options).items())
    known = {"command": f"python -m editor_app.measure {given}", "seed": options.seed, "pack": options.pack}
    return {**known, "weights": open_pack(options.pack).weights_hash, **machine()}


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m editor_app.measure", description=__doc__.splitlines()[0])
    parser.add_argument("--pack", default="faces", help="id of the pack to edit with")
    parser.add_argument("--moves", type=int, default=200, help="slider moves that are timed: photo, tuned generator, crop")
    parser.add_argument("--seed", type=int, default=0, help="where the hand's moves start (default 0)")
    parser.add_argument("--inversions", type=int, default=10, help="inversions before memory is read")
    return parser.parse_args(argv)


@contextmanager
def _running_page(browser: Any, folder: Path, pack: str, figures: dict[str, Any]) -> Iterator[tuple[Any, subprocess.Popen]]:
    """The app and an open page. Notes the seconds until a picture can be uploaded, and those the app takes to end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    began_sec = time.monotonic()
    process = start_app(folder, pack, port)
    try:
        wait_until_healthy(process, url, folder / "log.txt")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_function("() => window.lwe?.state && document.querySelector('input[type=file]')")
        figures["usable_after_sec"] = round(time.monotonic() - began_sec, 2)
        yield page, process
    finally:
        began_sec = time.monotonic()
        process.terminate()
        process.wait(10)
        figures["ended_after_sec"] = round(time.monotonic() - began_sec, 2)


def _photo(example: Path, folder: Path) -> Path:
    """A bundled example at the size of a camera's picture."""
    path = folder / "photo.jpg"
    Image.open(example).convert("RGB").resize((PHOTO_PX, PHOTO_PX), Image.Resampling.BICUBIC).save(path, quality=85)
    return path


def _invert_many(page: Any, photo: Path, count: int) -> None:
    page.set_default_timeout(120_000)
    page.locator("input[type=file]").set_input_files(str(photo))
    page.wait_for_function("() => ['ready', 'choose'].includes(window.lwe.state.phase)")
    for _ in range(count - 1):
        _press(page, "Invert")


def _press(page: Any, button: str) -> None:
    """Presses a button that starts a job, and waits for its result: from the press on the page is at work, however shortly."""
    page.get_by_role("button", name=button).click()
    page.wait_for_function("() => window.lwe.state.phase === 'ready'")
    page.wait_for_function(_SETTLED)


def _tune(page: Any) -> bool:
    """Clones the open photo, not for long: how live edits are does not depend on how well it fits. False: the pack cannot."""
    methods = page.get_by_label("Inversion method")
    if methods.locator("option[value=clone]").count() == 0:
        return False
    methods.select_option("clone")
    page.get_by_text("More options").click()
    page.get_by_label("Time limit").fill("3")
    page.get_by_text("More options").click()
    page.get_by_role("button", name="Reset all").click()
    _press(page, "Invert")
    return True


def _measure_edits(page: Any, options: argparse.Namespace, view: str, figures: dict[str, Any]) -> None:
    """Drags the first slider with the mouse: each move waits for its picture; then one sweep as fast as a hand."""
    slider = page.get_by_role("slider").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    rng = random.Random(options.seed)
    page.evaluate("() => { window.__times = []; }")
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    left = True
    for move in range(options.moves):
        # From side to side: no move can leave the slider where it is, or at zero, where it catches.
        share = rng.uniform(0.05, 0.45) + (0.0 if left else 0.5)
        left = not left
        page.mouse.move(box["x"] + share * box["width"], middle)
        page.evaluate("(count) => window.__timed(count)", move + 1)
    page.wait_for_function(_SETTLED)
    times = page.evaluate("window.__times")
    page.evaluate("() => { window.__frames = 0; }")
    began_sec = time.monotonic()
    step = 0
    while time.monotonic() - began_sec < 3:
        step += 1
        swing = abs(step % 120 - 60) / 60
        page.mouse.move(box["x"] + (0.05 + 0.9 * swing) * box["width"], middle)
        page.wait_for_timeout(16)
    frames, seconds = page.evaluate("window.__frames"), time.monotonic() - began_sec
    page.mouse.up()
    page.wait_for_function(_SETTLED)
    figures[f"{view}_median_ms"] = round(statistics.median(times), 1)
    figures[f"{view}_p95_ms"] = round(statistics.quantiles(times, n=20)[-1], 1)
    figures[f"{view}_drag_frames_per_sec"] = round(frames / seconds, 1)


def _resident_mb(pid: int) -> float | None:
    """Resident memory of a process, None where the system has no /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    kilobytes = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return round(kilobytes / 1024, 1)


if __name__ == "__main__":
    sys.exit(main())
