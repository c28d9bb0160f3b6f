"""Loads and runs every network once, so that the first picture does not wait for them."""

from __future__ import annotations

from editor_app.editor import Editor
from engines import api

__all__ = ["warm"]


def warm(editor: Editor) -> None:
    """Makes up a picture, finds the face in it where there should be one, inverts and edits it, and forgets it."""
    pack = editor.pack
    person = api.surprise(pack, 0)
    api.render(pack, person, {editor.info.attributes[0].id: 1.0})
    picture = api.Picture(pixels=person.reconstruction, name="warm-up", notes=())
    if editor.info.faces:
        api.find_faces(picture)
    api.finish(api.invert(pack, api.align(pack, picture, None), method=editor.info.methods[0], steps=1))
