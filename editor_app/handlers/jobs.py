"""Long work: open a picture, find faces, invert. Each job is a generator of messages to the page.

A tab has one job at a time. A newer order cancels the older job, whose remaining messages are never sent.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path

from editor_app import texts, view
from editor_app.editor import Editor
from editor_app.handlers.inverting import checked_options, within_limit
from editor_app.handlers.orders import Order
from editor_app.preview import make_preview
from editor_app.sessions import Seen, Session
from editor_app.view import Message, message
from engines import api
from engines.api import CancelToken

__all__ = ["cancel_job", "job_revision", "run_job"]

MESSAGE_PERIOD_SEC = 0.1


def run_job(editor: Editor, session_hash: str, request: object) -> Iterator[Message]:
    """Runs one order of a tab and yields what the page shall show; the last message says how it ended. Never raises."""
    try:
        order = Order.parse(request)
        session = editor.sessions.open(session_hash)
    except ValueError:
        revision = request.get("revision", 0) if isinstance(request, dict) else 0
        yield message(revision, "failed", notices=[_error(texts.BAD_REQUEST)])
        return
    cancel = session.begin(order.revision)
    if cancel is None:
        return
    steps = {"open": _open, "example": _open, "invert": _invert, "surprise": _surprise}[order.kind]
    try:
        for fact in steps(editor, session, order, cancel):
            if not session.is_current(order.revision):
                return
            yield fact
    except api.Cancelled:
        if session.is_current(order.revision):
            yield _settled(editor, session, order, {"kind": "info", "text": texts.CANCELLED})
    except Exception as error:
        if session.is_current(order.revision):
            yield _settled(editor, session, order, _error(texts.error_text(error)))


def cancel_job(editor: Editor, session_hash: object) -> None:
    """Asks the tab's running job to stop; methods that have a result by then keep it."""
    session = editor.sessions.find(session_hash)
    if session is not None:
        session.cancel.cancel()


def job_revision(editor: Editor, session_hash: object) -> int:
    """Number of the tab's newest job that this server knows of; 0 for none, as after a restart."""
    session = editor.sessions.find(session_hash)
    return 0 if session is None else session.revision


# ---- jobs -------------------------------------------------------------------------------------------------------


def _open(editor: Editor, session: Session, order: Order, cancel: CancelToken) -> Iterator[Message]:
    """Reads a picture, finds its faces or its object, and inverts the first face; all of it for a pack of other things."""
    yield message(order.revision, "working", text="Opening the picture")
    picture = _read(editor, order)
    faces: tuple[api.Face, ...] = ()
    if editor.info.faces:
        yield message(order.revision, "working", text="Looking for faces")
        faces = tuple(api.find_faces(picture))
    without_face = None if editor.info.faces else "whole"
    seen = None
    if editor.info.finds_objects or editor.info.class_readout:
        yield message(order.revision, "working", text="Looking for the object")
        seen = Seen.of(editor.pack, picture)
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.picture, session.faces, session.region = picture, faces, 0 if faces else without_face
        session.seen = seen
        session.inversion = session.preview = None
        session.thumbnail = view.thumbnail(picture)
    cancel.raise_if_cancelled()
    notices = [{"kind": "info", "text": note} for note in picture.notes]
    if len(faces) > 1:
        notices.append({"kind": "info", "text": texts.SEVERAL_FACES.format(count=len(faces))})
    opened = {"picture": view.picture_json(session), "notices": notices}
    if faces or without_face:
        yield from _run_inversion(editor, session, order, cancel, opened)
    else:
        yield message(order.revision, "choose", **{**opened, "notices": [*notices, _error(texts.NO_FACE)]})


def _invert(editor: Editor, session: Session, order: Order, cancel: CancelToken) -> Iterator[Message]:
    """Inverts the open picture again: with another method, or another part of it."""
    if session.picture is None:
        raise api.OptionError(texts.NO_PICTURE)
    region = session.region if order.region is None else order.region
    if region is None:
        raise api.NoFaceError(texts.NO_FACE)
    if region != "whole" and region >= len(session.faces):
        raise api.OptionError(texts.NO_SUCH_FACE)
    session.region = region
    yield from _run_inversion(editor, session, order, cancel, {"picture": view.picture_json(session), "notices": []})


def _run_inversion(editor: Editor, session: Session, order: Order, cancel: CancelToken, opened: Message) -> Iterator[Message]:
    picture = session.picture
    face = None if session.region == "whole" else session.faces[session.region]
    options = checked_options(order.options)
    yield message(order.revision, "working", **opened, text="Starting")
    # Before the queue: nobody should wait to learn of a number that cannot be.
    pack = editor.pack
    aligned = api.align(pack, picture, face)
    records = api.invert(pack, aligned, method=order.method, seed=order.seed, cancel=cancel, **options)
    with editor.turns.join() as turn:
        for ahead in turn.wait(cancel):
            yield message(order.revision, "working", **opened, text=texts.waiting_text(ahead))
        cancel.raise_if_cancelled()
        inversion = None
        for progress in _told(within_limit(records, cancel)):
            inversion, from_store = progress.pop("result"), progress.pop("from_store")
            yield message(order.revision, "working", **opened, **progress)
        preview = make_preview(picture, inversion)
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.inversion, session.preview, session.from_store = inversion, preview, from_store
    yield _ready(editor, session, order, opened)


def _told(records: Iterator[api.InversionProgress]) -> Iterator[Message]:
    """An inversion's records as facts for the page, no more often than it can show; the last one has the `result`."""
    told: Message = {"text": "Starting"}
    told_sec = -math.inf
    for record in records:
        # A message replaces the one before it: the last preview stays until a better one comes.
        told = {**told, **view.progress_json(record)}
        now_sec = time.monotonic()
        if record.result is not None or now_sec - told_sec >= MESSAGE_PERIOD_SEC:
            told_sec = now_sec
            yield {**told, "result": record.result, "from_store": record.from_store}


def _surprise(editor: Editor, session: Session, order: Order, cancel: CancelToken) -> Iterator[Message]:
    """A person, or an object of a class, made up by the generator."""
    text = "Making one up" if editor.info.classes else "Making someone up"
    yield message(order.revision, "working", text=text, **_opened(session))
    with editor.live_slots:
        cancel.raise_if_cancelled()
        inversion = api.surprise(editor.pack, order.seed, classes=order.class_id or None)
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.inversion, session.preview, session.from_store = inversion, None, False
    yield _ready(editor, session, order, {**_opened(session), "notices": []})


# ---- parts ------------------------------------------------------------------------------------------------------


def _read(editor: Editor, order: Order) -> api.Picture:
    if order.kind == "example":
        example = next((example for example in editor.examples if example.id == order.source), None)
        if example is None:
            raise api.OptionError(texts.NO_SUCH_EXAMPLE)
        return api.read_image(example.path)
    picture = api.read_image(editor.uploaded(order.source))
    return dataclasses.replace(picture, name=Path(order.name).name) if order.name else picture


def _opened(session: Session) -> Message:
    return {} if session.picture is None else {"picture": view.picture_json(session)}


def _ready(editor: Editor, session: Session, order: Order, opened: Message) -> Message:
    return message(order.revision, "ready", **opened, result=view.result_json(session.inversion, session, editor.info))


def _settled(editor: Editor, session: Session, order: Order, notice: Message) -> Message:
    """How things stand after an order that came to nothing: as before it, with one notice more."""
    with session.lock:
        opened = {**_opened(session), "notices": [notice]}
        if session.inversion is not None:
            return _ready(editor, session, order, opened)
        return message(order.revision, "failed" if session.picture is None else "choose", **opened)


def _error(text: str) -> Message:
    return {"kind": "error", "text": text}
