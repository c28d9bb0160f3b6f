"""An editor without a server for the handlers, one running app for all browser and client tests, and one browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from editor_app.editor import Editor
from editor_app.measure import CHROMIUM_FLAGS, REPOSITORY, find_chromium, free_port, start_app, wait_until_healthy
from engines.api import Pack, pack_info
from tests.ui import pictures
from tests.ui.driver import PATIENCE_MS, choose_method


@pytest.fixture
def editor(tiny_pack: Pack, tmp_path: Path) -> Iterator[Editor]:
    """An editor of the tiny pack whose upload folder is `tmp_path`."""
    made = Editor(pack_info(tiny_pack), upload_dir=str(tmp_path))
    yield made
    made.close()


@pytest.fixture
def upload(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Puts a file where Gradio puts uploads and returns its path."""

    def put(name: str, data: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return put


@dataclass(frozen=True)
class App:
    """The running app."""

    url: str
    pack: str
    process: subprocess.Popen


def _faces_is_whole() -> bool:
    manifest = REPOSITORY / "assets" / "packs" / "faces" / "manifest.json"
    needed = {"generator", "encoder", "attribute_predictor", "identity", "edit_maps"}
    return manifest.is_file() and needed <= set(json.loads(manifest.read_text(encoding="utf-8"))["components"])


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory, tiny_packs_dir: Path) -> Iterator[App]:
    """One app for all tests: of the pack `faces` where it is whole, of the tiny pack otherwise."""
    pack, packs = ("faces", {}) if _faces_is_whole() else ("tiny", {"LWE_PACKS_DIR": str(tiny_packs_dir)})
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    process = start_app(folder, pack, port, GRADIO_IS_E2E_TEST="1", **packs)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(process, url, folder / "log.txt")
        yield App(url, pack, process)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium through Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut as a PNG file."""
    path = tmp_path_factory.mktemp("photos") / "astronaut.png"
    path.write_bytes(pictures.png(pictures.face()))
    return path


@pytest.fixture
def new_page(browser: Any, app: App) -> Iterator[Callable[..., Any]]:
    """Opens the page in a browser context of its own. At the end, no page may have failed or reached beyond this machine."""
    contexts, faults, strangers = [], [], []

    def note_request(request: Any) -> None:
        if not request.url.startswith((app.url, "data:", "blob:")):
            strangers.append(request.url)

    def open_page(**options: Any) -> Any:
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", note_request)
        page.goto(app.url)
        page.get_by_role("button", name="Surprise me").wait_for()
        page.wait_for_function("() => window.lwe?.state && window.__gradio_session_hash__")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
    assert strangers == []


@pytest.fixture
def page(new_page: Callable[..., Any]) -> Any:
    opened = new_page(viewport={"width": 1280, "height": 900})
    choose_method(opened, "encoder")
    return opened
