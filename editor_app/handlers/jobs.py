"""Long work: open a picture, find faces, invert. Each job is a generator of messages to the page.

A tab has one job at a time. A newer order cancels the older job, whose remaining messages are never sent.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from editor_app import texts, view
from editor_app.editor import Editor
from editor_app.handlers.inverting import checked_options, within_limit
from editor_app.handlers.orders import Order
from editor_app.preview import make_preview
from editor_app.sessions import Opened, Seen, Session
from editor_app.view import Message, message
from engines import api
from engines.api import CancelToken

__all__ = ["cancel_job", "run_job", "running_job"]

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
    try:
        yield from _told_to_the_end(editor, session, order, cancel)
    except Exception as error:
        # Not even how things stand can be told: the page must not wait for ever.
        yield message(order.revision, "failed", picture=None, notices=[_error(texts.error_text(error))])
    finally:
        editor.sessions.job_ended(session_hash, session, order.revision)


def cancel_job(editor: Editor, session_hash: object, wanted: object) -> None:
    """Asks the tab's job of number {revision} to stop; methods that have a result by then keep it."""
    session = editor.sessions.find(session_hash)
    if session is not None and isinstance(wanted, dict):
        session.stop(wanted.get("revision"))


def running_job(editor: Editor, session_hash: object) -> int:
    """Number of the tab's job that is at work on this server; 0 for none, as after a restart."""
    session = editor.sessions.find(session_hash)
    return 0 if session is None or session.running is None else session.running


# ---- jobs -------------------------------------------------------------------------------------------------------


def _told_to_the_end(editor: Editor, session: Session, order: Order, cancel: CancelToken) -> Iterator[Message]:
    """The messages of an order while it is the tab's newest, and how things stand where it came to nothing."""
    steps = {"open": _open, "example": _open, "invert": _invert, "surprise": _surprise}[order.kind]
    try:
        for fact in steps(editor, session, order, cancel):
            if not session.is_current(order.revision):
                return
            yield fact
    except api.Cancelled:
        yield from _settled(editor, session, order, {"kind": "info", "text": texts.CANCELLED})
    except Exception as error:
        yield from _settled(editor, session, order, _error(texts.error_text(error)))


def _open(editor: Editor, session: Session, order: Order, cancel: CancelToken) -> Iterator[Message]:
    """Opens a picture and inverts its largest face; all of it for a pack of other things."""
    with editor.openings.join() as turn:
        for ahead in turn.wait(cancel):
            yield message(order.revision, "working", text=texts.waiting_text(ahead))
        opened = yield from _opened(editor, order, cancel)
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.coming = opened
    notices = [{"kind": "info", "text": note} for note in opened.picture.notes]
    if len(opened.faces) > 1:
        notices.append({"kind": "info", "text": texts.SEVERAL_FACES.format(count=len(opened.faces))})
    if opened.region is not None:
        yield from _run_inversion(editor, session, order, cancel, opened, notices)
        return
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.take(None)
    yield message(order.revision, "choose", picture=view.picture_json(opened), notices=[*notices, _error(texts.NO_FACE)])


def _opened(editor: Editor, order: Order, cancel: CancelToken) -> Generator[Message, None, Opened]:
    """Reads a picture and finds its faces or its object."""
    cancel.raise_if_cancelled()
    yield message(order.revision, "working", text="Opening the picture")
    picture = _read(editor, order, cancel)
    found: list[api.Face] = []
    if editor.info.faces:
        yield message(order.revision, "working", text="Looking for faces")
        found = api.find_faces(picture, cancel=cancel)
        if (turned := api.turned_to_face(picture, found, cancel=cancel)) is not None:
            picture, found = turned, api.find_faces(turned, cancel=cancel)
        cancel.raise_if_cancelled()
    faces = tuple(sorted(found, key=lambda face: face.box[0] + face.box[2]))
    # Without a face, the user has to choose.
    region = faces.index(found[0]) if found else None if editor.info.faces else "whole"
    seen = None
    if editor.info.finds_objects or editor.info.class_readout:
        yield message(order.revision, "working", text="Looking for the object")
        seen = Seen.of(editor.pack, picture)
        cancel.raise_if_cancelled()
    return Opened(picture, order.revision, view.thumbnail(picture), faces, seen, region)


def _invert(editor: Editor, session: Session, order: Order, cancel: CancelToken) -> Iterator[Message]:
    """Inverts the open picture again: with another method, or another part of it."""
    with session.lock:
        if not session.is_current(order.revision):
            return
        opened = session.in_hand
        if opened is None:
            raise api.OptionError(texts.NO_PICTURE)
        region = opened.region if order.region is None else order.region
        if region is None:
            raise api.NoFaceError(texts.NO_FACE)
        if region != "whole" and region >= len(opened.faces):
            raise api.OptionError(texts.NO_SUCH_FACE)
        session.coming = opened = dataclasses.replace(opened, region=region)
    yield from _run_inversion(editor, session, order, cancel, opened, [])


def _run_inversion(
    editor: Editor, session: Session, order: Order, cancel: CancelToken, opened: Opened, notices: list[Message]
) -> Iterator[Message]:
    face = None if opened.region == "whole" else opened.faces[opened.region]
    options = checked_options(order.options)
    shown = {"picture": view.picture_json(opened), "notices": notices}
    yield message(order.revision, "working", **shown, text="Starting")
    # Before the queue: nobody should wait to learn of a number that cannot be.
    pack = editor.pack
    drawn = None if options.get("mask") == "auto" else options.get("mask")
    known = opened.seen is not None and face is None and drawn is None
    aligned = opened.seen.aligned if known else api.align(pack, opened.picture, face, drawn)
    records = api.invert(pack, aligned, method=order.method, seed=order.seed, cancel=cancel, **options)
    with editor.turns.join() as turn:
        for ahead in turn.wait(cancel):
            yield message(order.revision, "working", **shown, text=texts.waiting_text(ahead))
        cancel.raise_if_cancelled()
        inversion = None
        for progress in _told(within_limit(records, cancel)):
            inversion, from_store = progress.pop("result"), progress.pop("from_store")
            yield message(order.revision, "working", **shown, **progress)
        preview = make_preview(opened.picture, inversion)
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.take(inversion, preview, from_store=from_store)
        last = _ready(editor, session, order, [*notices, *view.warnings_json(inversion, editor.info)])
    yield last


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
    yield message(order.revision, "working", text=text, picture=view.picture_json(session.in_hand))
    with editor.live_slots:
        cancel.raise_if_cancelled()
        inversion = api.surprise(editor.pack, order.seed, classes=order.class_id or None)
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.take(inversion)
        last = _ready(editor, session, order, view.warnings_json(inversion, editor.info))
    yield last


# ---- parts ------------------------------------------------------------------------------------------------------


def _read(editor: Editor, order: Order, cancel: CancelToken) -> api.Picture:
    if order.kind == "example":
        example = next((example for example in editor.examples if example.id == order.source), None)
        if example is None:
            raise api.OptionError(texts.NO_SUCH_EXAMPLE)
        return api.read_image(example.path, cancel=cancel)
    picture = api.read_image(editor.uploaded(order.source), cancel=cancel)
    return dataclasses.replace(picture, name=Path(order.name).name) if order.name else picture


def _ready(editor: Editor, session: Session, order: Order, notices: list[Message]) -> Message:
    result = view.result_json(session.inversion, session, editor.info)
    return message(order.revision, "ready", picture=view.picture_json(session.opened), notices=notices, result=result)


def _settled(editor: Editor, session: Session, order: Order, notice: Message) -> Iterator[Message]:
    """How things stand after an order that came to nothing: as before it, with one notice more. Nothing for an older order."""
    with session.lock:
        if not session.is_current(order.revision):
            return
        session.give_up()
        if session.inversion is not None:
            # Its own warnings were told when it was new.
            last = _ready(editor, session, order, [notice])
        else:
            phase = "failed" if session.opened is None else "choose"
            last = message(order.revision, phase, picture=view.picture_json(session.opened), notices=[notice])
    yield last


def _error(text: str) -> Message:
    return {"kind": "error", "text": text}
