"""The list "Edit family": what the page sends, what is painted, and what a family that edits less leaves to the sliders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from editor_app import texts
from editor_app.editor import Editor
from editor_app.handlers.http import edit
from editor_app.handlers.jobs import run_job
from editor_app.handlers.live import download, live
from editor_app.measure import free_port, start_app, wait_until_healthy
from editor_app.panels.attributes import attributes_panel
from engines import api
from engines.core.paths import PACKS_VARIABLE
from tests.family_pack import FAMILY_ATTRIBUTES, pack_with_families
from tests.ui import pictures
from tests.ui.driver import PATIENCE_MS, painted, settle, shown
from tests.ui.test_live import pixels_of


@pytest.fixture(scope="module")
def packs(tiny_packs_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_with_families(tiny_packs_dir / "tiny", tmp_path_factory.mktemp("families") / "tiny").parent


@pytest.fixture
def editor(packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Editor]:
    monkeypatch.setenv(PACKS_VARIABLE, str(packs))
    made = Editor(api.pack_info(api.open_pack("tiny")), upload_dir=str(tmp_path))
    yield made
    made.close()


@pytest.fixture
def inversion(editor: Editor) -> api.Inversion:
    list(run_job(editor, "tab", {"revision": 1, "kind": "surprise", "method": "encoder", "seed": 4}))
    return editor.sessions.find("tab").inversion


@pytest.mark.parametrize("family", ["SeFa", "StyleSpace"])
def test_a_family_is_painted_and_downloaded(editor: Editor, inversion: api.Inversion, family: str):
    wanted = {"inversion": inversion.id, "alphas": {"Smiling": 1.0}, "view": "crop", "family": family}
    answer = live(editor, ["tab", wanted])
    frame = api.render(editor.pack, inversion, {"Smiling": 1.0}, family=family)
    assert np.array_equal(pixels_of(answer["src"]), frame.image)
    assert answer["shown"]["family"] == family
    assert not np.array_equal(frame.image, api.render(editor.pack, inversion, {"Smiling": 1.0}).image)
    assert "error" not in download(editor, ["tab", wanted])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"family": 3}, texts.BAD_REQUEST),
        ({"family": "LT"}, "no family LT"),
        ({"family": "SeFa", "alphas": {"Beard": 1.0}}, "Beard: the family SeFa"),
    ],
)
def test_what_the_page_would_never_send_is_refused(editor: Editor, inversion: api.Inversion, wanted: dict[str, Any], said: str):
    assert said in live(editor, ["tab", {"inversion": inversion.id, "alphas": {}, "view": "crop", **wanted}])["error"]


def test_the_list_is_there_where_there_is_a_choice(editor: Editor, tiny_pack: api.Pack):
    markup = attributes_panel(editor.info).html_template
    assert "Edit family" in markup and 'value="StyleSpace"' in markup and 'data-attributes="Smiling Male"' in markup
    plain = api.pack_info(tiny_pack)
    assert "Edit family" not in attributes_panel(plain).html_template


def test_the_endpoint_takes_a_family(editor: Editor, tmp_path: Path):
    path = tmp_path / "ramp.png"
    path.write_bytes(pictures.png(pictures.without_face()))
    words = (editor, str(path), "tiny", "encoder", {"Male": 1.0}, False, 0)
    *_, (sefa, facts) = edit(*words, {"family": "SeFa"})
    *_, (usual, _) = edit(*words)
    assert facts["family"] == "SeFa"
    assert not np.array_equal(sefa, usual)
    with pytest.raises(api.OptionError, match="family=3"):
        list(edit(*words, {"family": 3}))


@pytest.mark.browser
def test_the_sliders_edit_by_the_chosen_family(browser: Any, packs: Path, tmp_path: Path):
    port = free_port()
    process = start_app(tmp_path, "tiny", port, GRADIO_IS_E2E_TEST="1", **{PACKS_VARIABLE: str(packs)})
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(process, url, tmp_path / "log.txt")
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        page.wait_for_function("() => window.lwe?.state && window.__gradio_session_hash__")
        page.get_by_role("button", name="Surprise me").click()
        settle(page)
        for name in ("Smiling", "Beard"):
            page.get_by_role("slider", name=name).focus()
            for _ in range(5):
                page.keyboard.press("ArrowRight")
        settle(page)
        by_transport = painted(page)
        assert set(shown(page)["alphas"]) == {"Smiling", "Beard"} and "family" not in shown(page)

        choice = page.get_by_label("Edit family")
        choice.select_option("SeFa")
        settle(page)
        assert shown(page)["family"] == "SeFa"
        assert set(shown(page)["alphas"]) == {"Smiling"}, "the family has no Beard"
        assert not np.array_equal(painted(page), by_transport)
        enabled = {
            name for name in ("Eyeglasses", *FAMILY_ATTRIBUTES, "Beard") if page.get_by_role("slider", name=name).is_enabled()
        }
        assert enabled == set(FAMILY_ATTRIBUTES)

        choice.select_option("LW")
        settle(page)
        assert "family" not in shown(page)
        assert page.get_by_role("slider", name="Beard").is_enabled()
    finally:
        context.close()
        process.terminate()
        process.wait(10)
