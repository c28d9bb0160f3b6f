"""The fast lane: one call per painted picture, outside the queue. Called with what the page wants to show now."""

from __future__ import annotations

from typing import Any

from editor_app import texts, view
from editor_app.editor import Editor
from editor_app.handlers.checks import is_number
from editor_app.preview import Preview
from engines import api

__all__ = ["before", "download", "live"]

VIEWS = ("photo", "crop")


def live(editor: Editor, arguments: object) -> dict[str, Any]:
    """[session hash, {inversion, alphas, view, blend, family, object, as_needed}, user] -> {shown, src, attributes, classes,
    identity, render_ms}, or {error}.

    The user's secret may be missing; with it their own attributes can be edited too.
    `shown` repeats the state that `src` is a picture of: the page sets it beside the picture, so that the two never part.
    """
    try:
        preview, inversion, wanted = _resolve(editor, arguments)
        pack = wanted["pack"]
        with editor.live_slots:
            frame = api.render(pack, inversion, **wanted["edits"])
            if wanted["view"] == "photo":
                pasted = api.export(pack, preview.inversion, frame, preview.picture, blend=wanted["blend"])
                source, shown = view.jpeg_uri(pasted), {"view": "photo", "blend": wanted["blend"]}
            else:
                source, shown = view.png_uri(frame.image), {"view": "crop"}
            shown = {**frame.state.canonical(), **shown}
            return {"shown": shown, "src": source, **view.readings_json(pack, inversion, frame)}
    except _Gone as gone:
        return {"error": str(gone), "gone": True}
    except Exception as error:
        return {"error": texts.error_text(error)}


def before(editor: Editor, arguments: object) -> dict[str, Any]:
    """The same arguments -> {src}: what the picture was before it was edited, in the same frame."""
    try:
        preview, inversion, wanted = _resolve(editor, arguments)
    except _Gone as gone:
        return {"error": str(gone), "gone": True}
    except api.LweError as error:
        return {"error": str(error)}
    if wanted["view"] == "photo":
        return {"src": view.jpeg_uri(preview.picture.pixels)}
    return {"src": view.png_uri(api.framed_crop(inversion))}


def download(editor: Editor, arguments: object) -> dict[str, Any]:
    """The same arguments -> {url, name}: what the view shows, the photo at its own resolution or the crop."""
    try:
        session = editor.sessions.find(arguments[0])
        preview, inversion, wanted = _resolve(editor, arguments)
        with session.lock:
            picture = None if preview is None else session.picture
        pack, whole = wanted["pack"], wanted["view"] == "photo"
        frame = api.render(pack, inversion, **wanted["edits"])
        pixels = api.export(pack, inversion, frame, picture if whole else None, blend=wanted["blend"])
        part = "edited" if whole else texts.cut_out(editor.info)
        name = f"person-{inversion.seed}.png" if picture is None else f"{_stem(picture.name)}-{part}.png"
        return {"url": f"download/{editor.downloads.add(pixels, name)}", "name": name}
    except _Gone as gone:
        return {"error": str(gone), "gone": True}
    except Exception as error:
        return {"error": texts.error_text(error)}


class _Gone(Exception):
    """The inversion that the page speaks of is not (or no longer) the tab's."""


def _resolve(editor: Editor, arguments: object) -> tuple[Preview | None, api.Inversion, dict[str, Any]]:
    """The tab's preview and inversion, and what is wanted of them, checked."""
    if not isinstance(arguments, (list, tuple)) or len(arguments) not in (2, 3) or not isinstance(arguments[1], dict):
        raise api.OptionError(texts.BAD_REQUEST)
    session_hash, wanted, user = arguments if len(arguments) == 3 else (*arguments, None)
    session = editor.sessions.find(session_hash)
    if session is None:
        raise _Gone(texts.FORGOTTEN)
    with session.lock:
        preview, inversion = session.preview, session.inversion
    if inversion is None or inversion.id != wanted.get("inversion"):
        raise _Gone(texts.FORGOTTEN)
    alphas = wanted.get("alphas")
    if not isinstance(alphas, dict) or not all(is_number(value) for value in alphas.values()):
        raise api.OptionError(texts.BAD_REQUEST)
    family = wanted.get("family", api.DEFAULT_FAMILY)
    if not isinstance(family, str):
        raise api.OptionError(texts.BAD_REQUEST)
    pack = editor.pack_for(user)
    edits = {"alphas": alphas, "family": family, "object_edit": api.ObjectEdit.from_json(wanted.get("object", {}))}
    api.check_edits(pack, **edits)
    edits["as_needed"] = wanted.get("as_needed") is True
    view_name = wanted.get("view") if wanted.get("view") in VIEWS and preview is not None else "crop"
    blend = wanted.get("blend", api.usual_blend(inversion))
    if blend not in api.BLENDS:
        raise api.OptionError(texts.BAD_REQUEST)
    return preview, inversion, {"pack": pack, "edits": edits, "view": view_name, "blend": blend}


def _stem(name: str) -> str:
    """The photo's name without its ending, safe as a file name anywhere."""
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    kept = "".join(character if character.isalnum() or character in "-_ ." else "-" for character in stem)
    return kept.strip(" .-")[:80] or "picture"
