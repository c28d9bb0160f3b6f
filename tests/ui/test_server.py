"""The running server: how it starts and ends, its health, and the endpoints as programs call them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from editor_app.measure import REPOSITORY, free_port, start_app, wait_until_healthy
from tests.ui import pictures
from tests.ui.conftest import App


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[Any]:
    gradio_client = pytest.importorskip("gradio_client")
    connected = gradio_client.Client(app.url, verbose=False)
    yield connected
    connected.close()


def send(path: Path) -> Any:
    from gradio_client import handle_file

    return handle_file(str(path))


def test_healthz_names_the_packs(app: App):
    answer = json.load(urllib.request.urlopen(f"{app.url}/healthz"))
    assert answer["status"] == "ok"
    assert app.pack in answer["packs"]


def test_packs(app: App, client: Any):
    packs = {pack["id"]: pack for pack in client.predict(api_name="/packs")["packs"]}
    assert {"title", "resolution", "latent_shape", "attributes", "methods", "bytes"} <= set(packs[app.pack])


def test_invert(app: App, client: Any, photo: Path):
    picture, facts = client.predict(image=send(photo), pack=app.pack, method="encoder", seed=0, api_name="/invert")
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape[0] == pixels.shape[1]
    assert {"mse", "perceptual", "perceptual_kind", "seconds", "steps", "warnings"} <= set(facts)


def test_invert_takes_options(app: App, client: Any, photo: Path):
    values = {"image": send(photo), "pack": app.pack, "method": "adam", "api_name": "/invert"}
    _, facts = client.predict(**values, options={"steps": 2, "mask": "auto", "space": "w"})
    assert facts["steps"] == 2
    assert facts["settings"]["space"] == "w"
    assert len(facts["mask"]) == 4


def call_plainly(app: App, endpoint: str, *data: Any) -> tuple[str, Any]:
    """The last event of an endpoint and its data, as curl gets them."""
    httpx = pytest.importorskip("httpx")  # Gradio brings it
    url = f"{app.url}/gradio_api/call/{endpoint}"
    order = httpx.post(url, json={"data": data}, timeout=60).raise_for_status().json()["event_id"]
    *_, event, told = (line for line in httpx.get(f"{url}/{order}", timeout=60).text.splitlines() if line)
    return event.removeprefix("event: "), json.loads(told.removeprefix("data: "))


def test_a_plain_call_may_leave_out_what_has_a_usual_value(app: App, photo: Path):
    httpx = pytest.importorskip("httpx")
    with photo.open("rb") as file:
        [path] = httpx.post(f"{app.url}/gradio_api/upload", files={"files": file}).json()
    image = {"path": path, "meta": {"_type": "gradio.FileData"}}
    event, (picture, facts) = call_plainly(app, "invert", image, app.pack, "encoder", 0)
    assert event == "complete"
    assert picture["path"].endswith(".png")
    assert "mse" in facts
    event, (_, facts) = call_plainly(app, "edit", image, app.pack, "encoder", {}, True)
    assert event == "complete"
    assert facts["before"] == facts["after"]
    event, (_, facts) = call_plainly(app, "invert", image)
    assert event == "complete"
    assert facts["method"] == "encoder-refine"


def test_a_plain_call_without_a_picture_is_told_so(app: App):
    event, told = call_plainly(app, "invert")
    assert event == "error"
    assert "picture" in json.dumps(told)


def test_a_program_is_told_how_far_its_inversion_is(app: App, client: Any, photo: Path):
    values = {"image": send(photo), "pack": app.pack, "method": "adam", "api_name": "/invert"}
    job = client.submit(**values, options={"seconds": 2})
    *before, (picture, facts) = list(job)
    assert picture is not None
    assert "mse" in facts
    assert before
    assert all(list(told) == ["progress"] for _, told in before)


def test_a_program_that_goes_away_frees_the_endpoints(app: App, client: Any, photo: Path):
    """Its inversion of minutes would hold up everybody."""
    values = {"image": send(photo), "pack": app.pack, "api_name": "/invert"}
    gone = client.submit(**values, method="adam", options={"seconds": 200})
    while not gone.outputs():
        time.sleep(0.05)
    gone.cancel()
    started_sec = time.monotonic()
    client.predict(**values, method="encoder", seed=0)
    assert time.monotonic() - started_sec < 60


def test_only_the_queue_runs_what_takes_long(app: App):
    for name in ("invert", "work"):
        request = urllib.request.Request(
            f"{app.url}/gradio_api/run/{name}", b'{"data": []}', {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == 404


def test_edit(app: App, client: Any, photo: Path):
    packs = {pack["id"]: pack for pack in client.predict(api_name="/packs")["packs"]}
    name = packs[app.pack]["attributes"][0]["id"]
    values = {"image": send(photo), "pack": app.pack, "method": "encoder", "api_name": "/edit"}
    plain, facts = client.predict(**values, edits={}, paste_back=True)
    assert np.array_equal(np.asarray(Image.open(plain)), pictures.face())
    assert facts["before"] == facts["after"]
    edited, facts = client.predict(**values, edits={name: 1.0}, paste_back=True)
    assert np.asarray(Image.open(edited)).shape == (512, 512, 3)
    assert not np.array_equal(np.asarray(Image.open(edited)), pictures.face())
    assert facts["before"] != facts["after"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pack": "cats"}, "cats"),
        ({"method": "magic"}, "magic"),
        ({"edits": {"Nose": 1}}, "Nose"),
        ({"seed": -3}, "-3"),
        ({"options": {"seconds": -7}}, "seconds=-7"),
        ({"options": {"blend": "glue"}}, "glue"),
    ],
)
def test_a_bad_value_is_named_to_the_client(app: App, client: Any, photo: Path, change: dict, said: str):
    values = {"image": send(photo), "pack": app.pack, "method": "encoder", "edits": {}, "paste_back": False} | change
    with pytest.raises(Exception, match=said):
        client.predict(**values, api_name="/edit")


def test_a_file_that_is_no_picture_is_named_to_the_client(app: App, client: Any, tmp_path: Path):
    bad = tmp_path / "letter.png"
    bad.write_text("no picture")
    with pytest.raises(Exception, match=r"letter\.png"):
        client.predict(image=send(bad), pack=app.pack, method="encoder", seed=0, api_name="/invert")


def test_an_unknown_download_is_not_found(app: App):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{app.url}/download/nothing")
    assert caught.value.code == 404


def test_sigterm_ends_it_in_time_and_leaves_no_file(tmp_path: Path, tiny_packs_dir: Path):
    port = free_port()
    (tmp_path / "temporary").mkdir()
    variables = {"LWE_PACKS_DIR": str(tiny_packs_dir), "TMPDIR": str(tmp_path / "temporary")}
    process = start_app(tmp_path / "app", "tiny", port, **variables)
    wait_until_healthy(process, f"http://127.0.0.1:{port}", tmp_path / "app" / "log.txt")
    started_sec = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - started_sec < 5
    log = (tmp_path / "app" / "log.txt").read_text()
    assert f"ready at http://127.0.0.1:{port}" in log
    assert "Traceback" not in log
    assert list(tmp_path.rglob("*.png")) == []
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("mistake", ["pack", "port", "LWE_TUNED_BYTES", "LWE_DATA_DIR", "GRADIO_TEMP_DIR"])
def test_a_mistake_at_the_start_is_one_line_and_status_2(tmp_path: Path, tiny_pack: Any, mistake: str):
    (tmp_path / "file").touch()
    wrong = {"LWE_TUNED_BYTES": "500MB", "LWE_DATA_DIR": str(tmp_path / "file"), "GRADIO_TEMP_DIR": str(tmp_path / "file")}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1] if mistake == "port" else free_port()
        run = subprocess.run(
            [sys.executable, "app.py", "--port", str(port), "--pack", "cats" if mistake == "pack" else "tiny"],
            cwd=REPOSITORY,
            env={**os.environ, **({mistake: wrong[mistake]} if mistake in wrong else {})},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.strip().startswith("error: ")
    assert len(run.stderr.strip().splitlines()) == 1
    for said in {"pack": ["cats"], "port": [str(port)]}.get(mistake, [mistake, wrong.get(mistake)]):
        assert said in run.stderr
