"""Jobs from order to result, with the real engines on the tiny pack and without a server."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from editor_app import texts
from editor_app.editor import Editor
from editor_app.handlers.jobs import cancel_job, job_revision, run_job
from editor_app.handlers.orders import Order
from engines import api
from tests.ui import pictures


def order(editor: Editor, revision: int, kind: str, tab: str = "tab", **facts: Any) -> list[dict[str, Any]]:
    return list(run_job(editor, tab, {"revision": revision, "kind": kind, "method": "encoder", **facts}))


def notices(messages: list[dict[str, Any]]) -> list[str]:
    return [notice["text"] for message in messages for notice in message.get("notices", [])]


def test_an_upload_is_found_and_inverted(editor: Editor, upload):
    messages = order(editor, 1, "open", source=upload("me.png", pictures.png(pictures.face())), name="me.png")
    assert [message["phase"] for message in messages][-1] == "ready"
    assert all(message["revision"] == 1 for message in messages)
    assert any(message.get("preview") for message in messages)
    last = messages[-1]
    assert last["picture"]["region"] == 0
    assert last["picture"]["name"] == "me.png"
    assert len(last["picture"]["faces"]) == 1
    assert last["result"]["photo"]
    assert (last["result"]["width"], last["result"]["height"]) == (512, 512)
    session = editor.sessions.find("tab")
    assert last["result"]["inversion"] == session.inversion.id


def test_of_several_faces_another_can_be_chosen(editor: Editor, upload):
    first = order(editor, 1, "open", source=upload("us.png", pictures.png(pictures.several_faces())))[-1]
    second = order(editor, 2, "invert", region=1)[-1]
    boxes = first["picture"]["faces"]
    assert len(boxes) == 2
    # The unmirrored face is the larger one, and stands on the left.
    assert boxes[0][0] < 0.5 < boxes[1][0]
    assert second["picture"]["region"] == 1
    assert second["result"]["inversion"] != first["result"]["inversion"]


def test_several_faces_are_said_so(editor: Editor, upload):
    messages = order(editor, 1, "open", source=upload("us.png", pictures.png(pictures.several_faces())))
    assert texts.SEVERAL_FACES.format(count=2) in notices(messages)


def test_without_a_face_the_user_chooses_the_whole_picture(editor: Editor, upload):
    opened = order(editor, 1, "open", source=upload("ramp.png", pictures.png(pictures.without_face())))
    assert opened[-1]["phase"] == "choose"
    assert texts.NO_FACE in notices(opened)
    whole = order(editor, 2, "invert", region="whole")[-1]
    assert whole["phase"] == "ready"
    assert whole["picture"]["region"] == "whole"


@pytest.mark.parametrize("name", [name for name in pictures.HOSTILE if "/" not in name])
def test_a_bad_file_is_one_sentence_and_leaves_the_picture_before(editor: Editor, upload, name: str):
    before = order(editor, 1, "surprise", seed=3)[-1]["result"]["inversion"]
    messages = order(editor, 2, "open", source=upload(name, pictures.HOSTILE[name]), name=name)
    assert len(notices(messages)) == 1
    assert "Traceback" not in notices(messages)[0]
    assert notices(messages)[0] != texts.FAULT
    assert messages[-1]["phase"] == "ready"
    assert messages[-1]["result"]["inversion"] == before


def test_options_reach_the_engine_and_its_result_is_told(editor: Editor, upload):
    options = {"steps": 2, "space": "w", "transform": "colour", "mask": [150, 20, 330, 250], "outside_weight": 0.5}
    path = upload("me.png", pictures.png(pictures.face()))
    last = order(editor, 1, "open", source=path, method="adam", options=options)[-1]
    assert last["phase"] == "ready"
    inversion = editor.sessions.find("tab").inversion
    picture = api.read_image(path)
    aligned = api.align(editor.pack, picture, api.find_faces(picture)[0])
    expected = api.finish(api.invert(editor.pack, aligned, method="adam", **{**options, "mask": (150, 20, 330, 250)}))
    assert inversion.id == expected.id
    assert inversion.mask == expected.mask
    told = last["result"]
    assert (told["method"], told["evaluations"], told["blend"]) == ("Adam", expected.evaluations, "poisson")
    assert told["mse"] == pytest.approx(expected.mse, abs=1e-5)
    assert f"{expected.perceptual:.2g}" in told["distance"]


def test_progress_tells_step_seconds_loss_and_how_much_is_used(editor: Editor, upload):
    path = upload("me.png", pictures.png(pictures.face()))
    messages = order(editor, 1, "open", source=path, method="adam", options={"seconds": 1.0})
    told = [message for message in messages if message.get("share") is not None]
    shares = [message["share"] for message in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert re.search(r"step \d+ · \d\.\d s · loss \d", told[-1]["text"])
    assert all("preview" in message for message in told)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seconds": "long"}, "seconds"),
        ({"magic": 1}, "magic"),
        ({"space": "s"}, "space"),
        ({"mask": [900, 0, 950, 9]}, "mask"),
    ],
)
def test_a_wrong_option_is_named_and_leaves_the_result_before(editor: Editor, upload, options: dict, said: str):
    before = order(editor, 1, "open", source=upload("me.png", pictures.png(pictures.face())))[-1]
    messages = order(editor, 2, "invert", method="adam", options=options)
    assert len(notices(messages)) == 1
    assert said in notices(messages)[0]
    assert messages[-1]["phase"] == "ready"
    assert messages[-1]["result"] == before["result"]


def test_invert_without_a_picture_says_what_to_do(editor: Editor):
    messages = order(editor, 1, "invert")
    assert messages[-1]["phase"] == "failed"
    assert notices(messages) == [texts.NO_PICTURE]


def test_invert_without_a_chosen_face_asks_again(editor: Editor, upload):
    order(editor, 1, "open", source=upload("ramp.png", pictures.png(pictures.without_face())))
    messages = order(editor, 2, "invert")
    assert messages[-1]["phase"] == "choose"
    assert notices(messages) == [texts.NO_FACE]


def test_a_face_that_is_not_there_is_refused(editor: Editor, upload):
    order(editor, 1, "open", source=upload("me.png", pictures.png(pictures.face())))
    assert notices(order(editor, 2, "invert", region=5)) == [texts.NO_SUCH_FACE]


def test_the_same_seed_makes_up_the_same_person(editor: Editor):
    first = order(editor, 1, "surprise", seed=11)[-1]["result"]
    other = order(editor, 2, "surprise", seed=12)[-1]["result"]
    again = order(editor, 3, "surprise", seed=11)[-1]["result"]
    assert first["inversion"] == again["inversion"] != other["inversion"]
    assert not first["photo"]


def test_a_file_outside_the_upload_folder_is_never_opened(editor: Editor, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    secret.write_bytes(pictures.png(pictures.face()))
    inside = f"{editor.upload_dir}/../{secret.parent.name}/secret.png"
    for source in (str(secret), inside, "/etc/passwd", ""):
        revision = editor.sessions.open("tab").revision + 1
        assert notices(order(editor, revision, "open", source=source)) == [texts.NOT_UPLOADED]


def test_a_newer_order_silences_the_older(editor: Editor, upload):
    path = upload("me.png", pictures.png(pictures.face()))
    older = run_job(editor, "tab", {"revision": 1, "kind": "open", "method": "encoder", "source": path})
    assert next(older)["phase"] == "working"
    newer = order(editor, 2, "surprise", seed=5)[-1]
    assert list(older) == []
    assert editor.sessions.find("tab").inversion.id == newer["result"]["inversion"]
    assert editor.sessions.find("tab").picture is None


def test_cancelling_before_there_is_a_result_leaves_things_as_they_were(editor: Editor, upload):
    path = upload("me.png", pictures.png(pictures.face()))
    job = run_job(editor, "tab", {"revision": 1, "kind": "open", "method": "encoder", "source": path})
    next(job)
    cancel_job(editor, "tab")
    rest = list(job)
    assert notices(rest)[-1] == texts.CANCELLED
    assert rest[-1]["phase"] == "choose"
    assert order(editor, 2, "invert", region=0)[-1]["phase"] == "ready"


def test_cancelling_a_refinement_keeps_the_best_so_far(editor: Editor, upload):
    path = upload("me.png", pictures.png(pictures.face()))
    job = run_job(editor, "tab", {"revision": 1, "kind": "open", "method": "encoder-refine", "source": path})
    last = None
    for message in job:
        last = message
        if message.get("preview"):
            cancel_job(editor, "tab")
    assert last["phase"] == "ready"
    assert texts.STOPPED_EARLY in last["result"]["warnings"]


def test_a_waiting_job_tells_its_place(editor: Editor, upload):
    path = upload("me.png", pictures.png(pictures.face()))
    with editor.turns.join():
        job = run_job(editor, "tab", {"revision": 1, "kind": "open", "method": "encoder", "source": path})
        said = [next(job)["text"] for _ in range(4)]
        assert texts.waiting_text(1) in said
    assert list(job)[-1]["phase"] == "ready"


def test_the_page_can_ask_whether_its_job_is_known(editor: Editor):
    order(editor, 3, "surprise", seed=1)
    assert job_revision(editor, "tab") == 3
    assert job_revision(editor, "another") == 0
    assert job_revision(editor, None) == 0


def test_two_tabs_do_not_meet(editor: Editor, upload):
    order(editor, 1, "open", tab="one", source=upload("me.png", pictures.png(pictures.face())))
    order(editor, 1, "surprise", tab="two", seed=1)
    one, two = editor.sessions.find("one"), editor.sessions.find("two")
    assert one.inversion.id != two.inversion.id
    assert two.picture is None
    assert np.array_equal(one.picture.pixels, pictures.face())


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        {"revision": 1},
        {"revision": "1", "kind": "surprise"},
        {"revision": True, "kind": "surprise"},
        {"revision": -1, "kind": "surprise"},
        {"revision": 1, "kind": "format the disk"},
        {"revision": 1, "kind": "invert", "region": "left"},
        {"revision": 1, "kind": "open", "source": 7},
        {"revision": 1, "kind": "open", "source": "x" * 5000},
        {"revision": 1, "kind": "surprise", "seed": 1.5},
        {"revision": 1, "kind": "invert", "options": [1]},
        {"revision": 1, "kind": "invert", "options": None},
        {"revision": 1, "kind": "invert", "options": {f"o{number}": 1 for number in range(1000)}},
    ],
)
def test_an_order_the_page_would_never_send_is_refused(editor: Editor, request_: object):
    with pytest.raises(ValueError):
        Order.parse(request_)
    messages = list(run_job(editor, "tab", request_))
    assert notices(messages) == [texts.BAD_REQUEST]
    assert len(editor.sessions) == 0


def test_an_unknown_method_is_named(editor: Editor, upload):
    messages = order(editor, 1, "open", source=upload("me.png", pictures.png(pictures.face())), method="magic")
    assert any("magic" in text for text in notices(messages))
