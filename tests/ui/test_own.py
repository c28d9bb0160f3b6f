"""Users' own attributes: handlers, the queue of trainings, and the panel "New attribute" in a browser with a real pack."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from editor_app import texts, trainings
from editor_app.editor import Editor
from editor_app.handlers import http, own
from editor_app.handlers.jobs import run_job
from editor_app.handlers.live import live
from editor_app.panels.attributes import attributes_panel
from editor_app.panels.new_attribute import new_attribute_panel
from editor_app.trainings import Trainings
from engines import api
from engines.core.progress import Progress
from tests.ui import pictures
from tests.ui.driver import settle, shown, surprise
from tests.user_edits.planted import planted_pictures

MINE, THEIRS = "a" * 32, "b" * 32


@pytest.fixture
def sent(tiny_pack: api.Pack, upload) -> dict[str, list[dict[str, str]]]:
    """Uploaded pictures in two groups, as the page names them."""
    found, has = planted_pictures(tiny_pack, 24)
    sides: dict[str, list[dict[str, str]]] = {"having": [], "lacking": []}
    for index, (picture, label) in enumerate(zip(found, has, strict=True)):
        name = f"{index:03d}.png"
        sides["having" if label else "lacking"].append({"path": upload(name, pictures.png(picture)), "name": name})
    return sides


def _ended(editor: Editor, user: str = MINE) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while (told := own.look(editor, ["tab", None, user])).get("phase") == "working":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return told


def _train(editor: Editor, order: dict[str, Any], user: str = MINE) -> dict[str, Any]:
    assert own.start(editor, ["tab", {"name": "Party hat", "aligned": True, **order}, user]) == {"started": True}
    return _ended(editor, user)


def _own(editor: Editor, user: str = MINE) -> list[str]:
    return [edit["id"] for edit in own.own_edits(editor, ["tab", None, user])["edits"]]


def test_two_groups_become_a_slider_of_this_user_alone(editor: Editor, sent):
    done = _train(editor, sent)
    assert done["phase"] == "done", done["text"]
    assert done["grid"].startswith("data:image/jpeg") and "12 pictures with it and 12 without" in done["text"]
    (edit,) = own.own_edits(editor, ["tab", None, MINE])["edits"]
    assert edit == edit | {"id": "Party_hat", "name": "Party hat", "low": -2.0, "high": 2.0, "mine": True}
    assert _own(editor, THEIRS) == []

    list(run_job(editor, "tab", {"revision": 1, "kind": "surprise", "method": "encoder", "seed": 4}))
    inversion = editor.sessions.find("tab").inversion
    wanted = {"inversion": inversion.id, "alphas": {"Party_hat": 1.5, "Smiling": 1.0}, "view": "crop"}
    answer = live(editor, ["tab", wanted, MINE])
    assert answer["shown"]["alphas"] == {"Party_hat": 1.5, "Smiling": 1.0} and len(answer["attributes"]["Party_hat"]) == 3
    for strangers in (["tab", wanted], ["tab", wanted, THEIRS]):
        assert "unknown attribute 'Party_hat'" in live(editor, strangers)["error"]
    assert texts.BAD_REQUEST in own.own_edits(editor, ["tab", None, 5])["error"]
    assert "secret" in live(editor, ["tab", wanted, "../../.."])["error"]
    # Programs without a browser see the owner's edits only.
    assert "Party_hat" not in json.dumps(http.packs())

    assert "no edit" in own.remove(editor, ["tab", {"id": "Party_hat"}, THEIRS])["error"]
    assert own.remove(editor, ["tab", {"id": "Party_hat"}, MINE]) == {"text": "Party hat is removed."}
    assert _own(editor) == []


def test_a_table_labels_pictures_by_their_names(editor: Editor, sent, upload):
    lines = [f"{each['name']},{int(side == 'having')},1" for side, files in sent.items() for each in files]
    table = {"path": upload("labels.csv", "\n".join(["file,Hat,Scarf", *lines]).encode()), "name": "labels.csv"}
    order = {"pictures": [*sent["having"], *sent["lacking"]], "table": table}
    assert "several new attributes (Hat, Scarf)" in own.start(editor, ["tab", {"name": "Hat", **order}, MINE])["error"]
    assert _train(editor, {"name": "Hat", "column": "Hat", **order})["phase"] == "done"
    absent = {**order, "pictures": order["pictures"][:-1]}
    answer = own.start(editor, ["tab", {"name": "Cap", "column": "Hat", **absent}, MINE])
    assert "1 of 24 labelled pictures were not sent" in answer["error"]


def test_an_edit_of_the_owner_is_everybodys_at_once(editor: Editor, sent):
    groups = [[(Path(each["path"]), each["name"]) for each in sent[side]] for side in ("having", "lacking")]
    api.train_edit(editor.pack, api.labelled_groups(*groups), "Hat", aligned=True, steps=10)
    for user in (MINE, THEIRS):
        (edit,) = own.own_edits(editor, ["tab", None, user])["edits"]
        assert (edit["id"], edit["mine"]) == ("Hat", False)
    assert "no edit" in own.remove(editor, ["tab", {"id": "Hat"}, MINE])["error"]
    assert http.packs()["packs"][0]["attributes"][-1]["id"] == "Hat"
    assert 'data-attribute="Hat"' not in attributes_panel(api.pack_info(editor.pack)).html_template, "the script lays it out"
    assert "already" in own.start(editor, ["tab", {"name": "Hat", **sent}, MINE])["error"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "name of 1 to 40"),
        ({"name": "x" * 41}, "name of 1 to 40"),
        ({"name": None}, texts.BAD_REQUEST),
        ({"name": "smiling"}, "has an attribute of this name already"),
        ({"having": []}, "no picture with the attribute; at least 8"),
        ({"lacking": None}, texts.BAD_REQUEST),
        ({"having": ["x"]}, texts.BAD_REQUEST),
        ({"having": [{"path": "/etc/passwd", "name": "x.png"}] * 8}, texts.NOT_UPLOADED),
        ({"having": [{"path": "\x00", "name": "x.png"}] * 8}, texts.NOT_UPLOADED),
        ({"having": [{"path": "x", "name": "x"}] * (own.MAX_PICTURES + 1)}, f"at most {own.MAX_PICTURES}"),
        ({"table": {"path": "/etc/passwd", "name": "labels.csv"}, "pictures": []}, texts.NOT_UPLOADED),
    ],
)
def test_orders_that_cannot_be_are_refused_at_once(editor: Editor, sent, change, said):
    assert said in own.start(editor, ["tab", {"name": "Hat", "aligned": True, **sent, **change}, MINE])["error"]
    assert own.look(editor, ["tab", None, MINE]) == {}


@pytest.mark.parametrize("arguments", [None, [], ["tab", {}], ["tab", {}, None], ["tab", "x", MINE], ["tab", {}, "short"], 7])
def test_calls_that_the_page_would_never_make(editor: Editor, arguments):
    assert own.start(editor, arguments)["error"]
    for function in (own.own_edits, own.remove, own.look, own.stop):
        assert isinstance(function(editor, arguments), dict)


def test_hostile_pictures_and_tables_give_sentences(editor: Editor, sent, upload):
    hostile = [{"path": upload(f"{k}-bad.bin", data), "name": name} for k, (name, data) in enumerate(pictures.HOSTILE.items())]
    done = _train(editor, {"having": [*sent["having"], *hostile], "lacking": sent["lacking"]})
    assert done["phase"] == "done" and f"{len(hostile)} pictures could not be used" in done["text"]
    failed = _train(editor, {"name": "Hat", "having": (hostile * 2)[:8], "lacking": sent["lacking"]})
    assert failed["phase"] == "failed" and "no picture with the attribute" in failed["text"] and "skipped" in failed["text"]
    for data in (pictures.png(pictures.without_face()), b"file,Hat\n../../etc/passwd,1\n", b"x" * (own.MAX_TABLE_BYTES + 1)):
        table = {"path": upload("labels.csv", data), "name": "labels.csv"}
        answer = own.start(editor, ["tab", {"name": "Hat", "pictures": sent["having"], "table": table}, MINE])
        assert "labels.csv" in answer["error"] and "Traceback" not in answer["error"]


def test_a_user_has_a_bounded_number_of_attributes(editor: Editor, sent, monkeypatch):
    monkeypatch.setattr(own, "MAX_EDITS", 1)
    assert _train(editor, sent)["phase"] == "done"
    assert "You have 1 attributes" in own.start(editor, ["tab", {"name": "Cap", **sent}, MINE])["error"]
    monkeypatch.setattr(own, "MAX_ALL_EDITS", 1)
    assert own.start(editor, ["tab", {"name": "Cap", **sent}, THEIRS])["error"] == texts.NO_ROOM_FOR_EDITS


def test_stopping_ends_a_training_and_keeps_nothing(editor: Editor, sent, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert own.start(editor, ["tab", {"name": "Hat", "aligned": True, **sent}, MINE]) == {"started": True}
    assert own.start(editor, ["tab", {"name": "Cap", **sent}, MINE])["error"] == texts.TRAINING_RUNS
    assert own.stop(editor, ["tab", None, THEIRS]) == {}
    assert own.stop(editor, ["tab", None, MINE]) == {}
    ended = _ended(editor)
    assert (ended["phase"], ended["text"]) == ("cancelled", texts.TRAINING_CANCELLED)
    assert _own(editor) == [] and list((tmp_path / "temporary").iterdir()) == []


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("links", [True, False])
def test_a_training_that_waits_keeps_its_pictures(editor: Editor, sent, temporary: Path, monkeypatch, links: bool):
    """Uploads are removed an hour after they came."""

    def no_link(*_: object) -> None:
        raise OSError

    if not links:
        monkeypatch.setattr("os.link", no_link)
    with editor.trainings._turns.join():
        assert own.start(editor, ["tab", {"name": "Hat", "aligned": True, **sent}, MINE]) == {"started": True}
        for each in (*sent["having"], *sent["lacking"]):
            Path(each["path"]).unlink()
    done = _ended(editor)
    assert "12 pictures with it and 12 without" in done["text"] and "could not be used" not in done["text"]
    assert list(temporary.iterdir()) == []


def test_a_training_that_never_had_its_turn_leaves_nothing(editor: Editor, sent, temporary: Path):
    with editor.trainings._turns.join():
        assert own.start(editor, ["tab", {"name": "Hat", "aligned": True, **sent}, MINE]) == {"started": True}
        assert own.start(editor, ["tab", {"name": "Cap", **sent}, MINE])["error"] == texts.TRAINING_RUNS
        assert own.start(editor, ["tab", {"name": "", **sent}, THEIRS])["error"]
        assert len(list(temporary.iterdir())) == 1
        own.stop(editor, ["tab", None, MINE])
        assert _ended(editor)["phase"] == "cancelled"
    assert list(temporary.iterdir()) == []


def test_trainings_wait_for_each_other_and_one_that_nobody_asks_about_ends():
    now = [0.0]
    queue, release = Trainings(clock=lambda: now[0]), threading.Event()

    def patient(progress, cancel):
        while not release.wait(0.01):
            progress(Progress("Working", 1, 2, 0.0))
            cancel.raise_if_cancelled()
        return "done"

    first = queue.start("first", "A", patient)
    assert queue.start("first", "B", patient) is None
    second = queue.start("second", "B", patient)
    deadline = time.monotonic() + 20
    while (first.share is None or "other training comes first" not in second.text) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert second.phase == "working" and first.share == 0.5
    now[0] = trainings.MAX_SILENT_SEC - 1
    queue.look("second")
    now[0] += 2
    while first.phase == "working" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert first.phase == "cancelled" and second.phase == "working"
    release.set()
    while second.phase == "working" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (second.phase, second.result) == ("done", "done")


def test_the_form_is_not_laid_out_before_it_is_opened(editor: Editor):
    markup = new_attribute_panel(editor.info).html_template
    assert markup.index("<template") < markup.index('type="file"') and "cropped faces" in markup


# ---- in a browser, with the faces pack --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of crops that the faces pack made up: with a light and with a dark background."""
    folder = tmp_path_factory.mktemp("groups")
    pack = api.open_pack("faces")
    faces = [api.surprise(pack, seed, 0.9).reconstruction for seed in range(36)]
    light = np.argsort([face[:40, :8].mean() + face[:40, -8:].mean() for face in faces])
    for side, chosen in (("light", light[-12:]), ("dark", light[:12])):
        (folder / side).mkdir()
        for index in chosen:
            (folder / side / f"{index:03d}.png").write_bytes(pictures.png(faces[index]))
    return folder / "light", folder / "dark"


@pytest.fixture
def form(new_page) -> Iterator[Any]:
    """The page with someone made up and the form open."""
    page = new_page(viewport={"width": 1280, "height": 900})
    surprise(page)
    page.get_by_text("New attribute", exact=True).click()
    page.get_by_label("Attribute name").wait_for()
    return page


def _choose(page: Any, light: Path, dark: Path) -> None:
    page.get_by_label("Attribute name").fill("Light background")
    page.get_by_label("With it: a folder").set_input_files(light)
    page.get_by_label("Without it: pictures").set_input_files(sorted(dark.iterdir()))
    page.get_by_label("The pictures are cropped faces already").check()


def _readings(row: Any) -> tuple[int, int]:
    """What a slider's line says of the picture before and after, in percent."""
    was, now = (int(row.locator(f".{kind}").inner_text().split()[0]) for kind in ("was", "now"))
    return was, now


@pytest.mark.browser
def test_pictures_become_a_slider_without_a_restart(form: Any, new_page, app, groups):
    if app.pack != "faces":
        pytest.skip("the faces pack is not whole")
    page = form
    _choose(page, *groups)
    assert page.get_by_text("12 pictures", exact=True).count() == 2
    assert not page.get_by_role("button", name="Stop training").is_enabled()
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("progressbar", name="Training").wait_for()
    # The page goes on working meanwhile.
    first = page.get_by_role("slider").first
    first.fill("1")
    settle(page)
    assert page.get_by_role("button", name="Train", exact=True).is_disabled()
    page.get_by_role("slider", name="Light background").wait_for(timeout=300_000)
    page.get_by_role("alert").filter(has_text="Light background was learned from 12 pictures with it and 12 without").wait_for()
    assert page.get_by_alt_text("Pictures that the training has not seen").is_visible()
    page.get_by_role("button", name="Reset all").click()
    settle(page)

    slider = page.get_by_role("slider", name="Light background")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    settle(page)
    assert shown(page)["alphas"] == {"Light_background": 1.0}
    row = page.locator('[data-attribute="Light_background"]')
    was, now = _readings(row)
    if was == 100:  # The person was made up at random, and has a background as light as can be: the other way then.
        for _ in range(20):
            page.keyboard.press("ArrowLeft")
        settle(page)
        assert shown(page)["alphas"] == {"Light_background": -1.0}
        full, now = _readings(row)
        assert now < full == 100, "the reading follows the slider"
    else:
        assert now > was, "the reading follows the slider"

    # Another browser does not see it; this one still does after a reload, until it is removed.
    other = new_page(viewport={"width": 1280, "height": 900})
    other.wait_for_timeout(500)
    assert other.get_by_role("slider", name="Light background").count() == 0
    page.reload()
    page.get_by_role("slider", name="Light background").wait_for()
    page.get_by_text("New attribute", exact=True).click()
    page.get_by_role("button", name="Remove Light background").click()
    page.get_by_role("alert").filter(has_text="Light background is removed").wait_for()
    page.get_by_role("slider", name="Light background").wait_for(state="detached")


@pytest.mark.browser
def test_stopping_and_what_is_missing_are_told(form: Any, app, groups):
    page = form
    train = page.get_by_role("button", name="Train", exact=True)
    train.click()
    page.get_by_role("alert").filter(has_text="at least 8 pictures with the attribute and 8 without").wait_for()
    _choose(page, *groups)
    page.get_by_label("Attribute name").fill("")
    train.click()
    page.get_by_role("alert").filter(has_text="Give the new attribute a name").wait_for()
    page.get_by_label("Attribute name").fill("Smiling")
    train.click()
    page.get_by_role("alert").filter(has_text="has an attribute of this name already").wait_for()
    page.get_by_label("Attribute name").fill("Dusk")
    train.click()
    page.get_by_role("button", name="Stop training").click()
    page.get_by_role("alert").filter(has_text="Stopped").wait_for()
    assert train.is_enabled() and page.get_by_role("slider", name="Dusk").count() == 0
    # With a table: its errors come from the server.
    page.get_by_text("With a CSV").click()
    page.get_by_label("All pictures: pictures").set_input_files(sorted([*groups[0].iterdir(), *groups[1].iterdir()]))
    bad = {"name": "labels.csv", "mimeType": "text/csv", "buffer": b"file,Dusk\n000.png,maybe\n"}
    page.get_by_label("CSV file of labels").set_input_files(bad)
    train.click()
    page.get_by_role("alert").filter(has_text="labels.csv, line 2: 'maybe' is no label; use 1 and 0").wait_for()
    assert page.locator('[role="alert"]').filter(has_text="Traceback").count() == 0
