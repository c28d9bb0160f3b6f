"""Plain HTTP routes beside Gradio's: is the server well, small pictures of the examples, fetch a finished picture."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, Response

from editor_app.editor import Editor
from editor_app.examples import Example
from editor_app.preview import fit
from editor_app.view import jpeg_bytes
from engines.api import list_packs, read_image

__all__ = ["add_routes"]

EXAMPLE_PX = 160


def add_routes(app: FastAPI, editor: Editor, *others: Editor) -> None:
    """Adds ``/healthz``, ``/example/{id}`` and ``/download/{ticket}``; others share the editor's downloads."""
    examples = {example.id: example for shown in (editor, *others) for example in shown.examples}

    @app.get("/healthz")
    def healthz() -> dict[str, Any]:
        return {"status": "ok", "packs": [info.id for info in list_packs()]}

    @app.get("/example/{name}")
    def example(name: str) -> Response:
        found = examples.get(name)
        if found is None:
            return PlainTextResponse("There is no such example.", status_code=404)
        return Response(_small(found), media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    @app.get("/download/{ticket}")
    def download(ticket: str) -> Response:
        found = editor.downloads.find(ticket)
        if found is None:
            return PlainTextResponse("This download has expired. Press Download again.", status_code=404)
        return FileResponse(found.path, media_type="image/png", filename=found.name)


@cache
def _small(example: Example) -> bytes:
    return jpeg_bytes(fit(read_image(example.path).pixels, EXAMPLE_PX))
