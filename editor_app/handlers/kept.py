"""What the store of tuned generators keeps: how much in all, and to forget that of the open picture.

Many people may share one editor, so that nobody is offered to clear the whole store: the owner's command does (`tuned clear`).
"""

from __future__ import annotations

from typing import Any

from editor_app import texts
from editor_app.editor import Editor
from editor_app.sessions import Session
from engines import api

__all__ = ["forget", "stored"]


def stored() -> dict[str, Any]:
    """{text}: the number of entries of all users, and their size; or {error}."""
    try:
        entries = api.tuned_entries()
    except Exception as error:
        return {"error": texts.error_text(error)}
    return {"text": texts.stored_text(len(entries), sum(entry.bytes for entry in entries))}


def forget(editor: Editor, session_hash: object) -> dict[str, Any]:
    """Removes what is kept of every part of the tab's picture, and of nobody else's. {text}, or {error}."""
    session = editor.sessions.find(session_hash)
    if session is None:
        return {"error": editor.forgotten(session_hash)}
    try:
        for part in _parts(editor, session):
            api.forget_tuned(part)
    except Exception as error:
        return {"error": texts.error_text(error)}
    return {"text": texts.FORGOT}


def _parts(editor: Editor, session: Session) -> list[api.AlignedPicture | api.Inversion]:
    """Each face of the open picture and the whole of it: a generator may have been tuned to any of them."""
    with session.lock:
        picture, faces, inversion = session.picture, session.faces, session.inversion
    if picture is None:
        raise api.OptionError(texts.NO_PICTURE)
    aligned = [api.align(editor.pack, picture, face) for face in (*faces, None)]
    return aligned if inversion is None else [*aligned, inversion]
