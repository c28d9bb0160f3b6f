"""The fast lane: one call per painted picture, outside the queue. Called with what the page wants to show now."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from editor_app import texts, view
from editor_app.editor import Editor
from editor_app.handlers.checks import is_number
from editor_app.preview import Preview
from engines import api

__all__ = ["before", "download", "live"]


def live(editor: Editor, arguments: object) -> dict[str, Any]:
    """[session hash, {inversion, alphas, view, blend, family, object, as_needed}, user] -> {shown, src, attributes, classes,
    identity, took_ms}, or {error}.

    The user's secret may be missing; with it their own attributes can be edited too.
    `shown` repeats the state that `src` is a picture of: the page sets it beside the picture, so that the two never part.
    `took_ms`: from the call to the answer; what a page waits longer is the way to it.
    """
    began_sec = time.perf_counter()

    def painted(wish: _Wish) -> dict[str, Any]:
        with editor.live_slots:
            frame = api.render(wish.pack, wish.inversion, **wish.edits)
            if wish.whole:
                small = wish.preview
                pasted = api.export(wish.pack, small.inversion, frame, small.picture, blend=wish.blend)
                source, shown = view.jpeg_uri(pasted), {"view": "photo", "blend": wish.blend}
            else:
                source, shown = view.png_uri(frame.image), {"view": "crop"}
            shown = {**frame.state.canonical(), **shown}
            answer = {"shown": shown, "src": source, **view.readings_json(wish.pack, wish.inversion, frame)}
            return {**answer, "took_ms": round(1000 * (time.perf_counter() - began_sec), 1)}

    return _answered(editor, arguments, painted)


def before(editor: Editor, arguments: object) -> dict[str, Any]:
    """The same arguments -> {src}: what the picture was before it was edited, in the same frame."""

    def unedited(wish: _Wish) -> dict[str, Any]:
        if wish.whole:
            return {"src": view.jpeg_uri(wish.preview.picture.pixels)}
        return {"src": view.png_uri(api.framed_crop(wish.inversion))}

    return _answered(editor, arguments, unedited)


def download(editor: Editor, arguments: object) -> dict[str, Any]:
    """The same arguments -> {url, name}: what the view shows, the photo at its own resolution or the crop."""

    def exported(wish: _Wish) -> dict[str, Any]:
        with editor.exports.join() as turn:
            for _ in turn.wait(api.CancelToken()):
                pass
            frame = api.render(wish.pack, wish.inversion, **wish.edits)
            photo = wish.photo if wish.whole else None
            pixels = api.export(wish.pack, wish.inversion, frame, photo, blend=wish.blend)
            ticket = editor.downloads.add(pixels, name := _file_name(editor, wish))
        return {"url": f"download/{ticket}", "name": name}

    return _answered(editor, arguments, exported)


class _Gone(Exception):
    """The inversion that the page speaks of is not (or no longer) the tab's."""


@dataclass(frozen=True)
class _Wish:
    """What a page wants to see, checked."""

    pack: api.Pack
    inversion: api.Inversion
    preview: Preview | None
    photo: api.Picture | None
    """None for a person made up by the generator."""
    edits: dict[str, Any]
    """Keyword arguments of api.render."""
    whole: bool
    """The whole photo, not the crop alone."""
    blend: api.Blend


def _answered(editor: Editor, arguments: object, answer: Callable[[_Wish], dict[str, Any]]) -> dict[str, Any]:
    """The answer to what is wished for, or why there is none."""
    try:
        return answer(_checked(editor, arguments))
    except _Gone as gone:
        return {"error": str(gone), "gone": True}
    except Exception as error:
        return {"error": texts.error_text(error)}


def _checked(editor: Editor, arguments: object) -> _Wish:
    if not isinstance(arguments, (list, tuple)) or len(arguments) not in (2, 3) or not isinstance(arguments[1], dict):
        raise api.OptionError(texts.BAD_REQUEST)
    session_hash, wanted, user = arguments if len(arguments) == 3 else (*arguments, None)
    session = editor.sessions.find(session_hash)
    if session is None:
        raise _Gone(editor.forgotten(session_hash))
    with session.lock:
        preview, inversion, picture = session.preview, session.inversion, session.picture
    if inversion is None or inversion.id != wanted.get("inversion"):
        raise _Gone(editor.forgotten(session_hash))
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
    blend = wanted.get("blend", api.usual_blend(inversion))
    if blend not in api.BLENDS:
        raise api.OptionError(texts.BAD_REQUEST)
    whole = wanted.get("view") == "photo" and preview is not None
    return _Wish(pack, inversion, preview, None if preview is None else picture, edits, whole, blend)


def _file_name(editor: Editor, wish: _Wish) -> str:
    if wish.photo is None:
        return f"person-{wish.inversion.seed}.png"
    part = "edited" if wish.whole else texts.cut_out(editor.info)
    return f"{_stem(wish.photo.name)}-{part}.png"


def _stem(name: str) -> str:
    """The photo's name without its ending, safe as a file name anywhere."""
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    kept = "".join(character if character.isalnum() or character in "-_ ." else "-" for character in stem)
    return kept.strip(" .-")[:80] or "picture"
