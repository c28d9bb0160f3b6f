"""Puts the page together. Building loads no weights: the page stands before the networks do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from editor_app import texts
from editor_app.editor import Editor
from editor_app.handlers import http, jobs, kept, live, own
from editor_app.panels.attributes import attributes_panel
from editor_app.panels.header import header_panel
from editor_app.panels.new_attribute import new_attribute_panel
from editor_app.panels.objects import objects_panel
from editor_app.panels.result import result_panel
from editor_app.panels.source import source_panel
from engines.api import DEFAULT_METHOD

__all__ = ["build"]

TITLE = "Latent Wasserstein Editor"
SEARCHING_METHOD = "basin-cma"
MAX_JOBS = 30
"""Jobs that may be open at once, waiting ones included; Gradio's worker threads are 40."""


class _Page(gr.Blocks):
    """Endpoints fill in what a plain HTTP call leaves out at its end, as gradio_client does for its callers."""

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        inputs.extend(block.value for block in block_fn.inputs[len(inputs) :])
        super().validate_inputs(block_fn, inputs)


def build(editor: Editor, *others: Editor) -> gr.Blocks:
    """The page of one editor with the three public endpoints, and below ``/<pack id>`` the pages of others."""
    # Uploads are old after an hour and removed then; the pictures being edited live in memory.
    with _Page(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as page:
        _page_parts(editor, main=editor)
        _add_endpoints(editor)
        page.unload(_leaver(editor))
    for other in others:
        with page.route(other.info.title, f"/{other.info.id}"):
            _page_parts(other, main=editor)
    # Only the queue runs a generator to its end, and closes one whose client is gone.
    page.queue(max_size=64, api_open=False)
    return page


def _page_parts(editor: Editor, *, main: Editor) -> None:
    """What stands on the page of one pack. Where there are several, a bar on top leads from one to the other."""
    gr.Navbar(main_page_name=main.info.title)
    header_panel(editor.info)
    with gr.Row(elem_id="lwe-columns"):
        source_panel(editor.info, editor.examples, _default_method(editor))
        result = result_panel(_server_functions(editor), editor.info)
        with gr.Column():
            attributes_panel(editor.info)
            if editor.info.classes:
                objects_panel(editor.info)
            new_attribute_panel(editor.info)
    _wire_jobs(editor, result)


def _default_method(editor: Editor) -> str:
    """Objects may lie anywhere in their pictures: where they can be found, the search for their place comes first."""
    usual = SEARCHING_METHOD if editor.info.finds_objects else DEFAULT_METHOD
    return usual if usual in editor.info.methods else editor.info.methods[0]


def _server_functions(editor: Editor) -> list[Callable[[Any], Any]]:
    """Gradio calls them by their names, with the one argument that the page's script gives."""

    def session_of(arguments: Any) -> object:
        """The session hash that the page's script gives; anything where a stranger calls."""
        return arguments[0] if isinstance(arguments, list) and arguments else None

    def wanted_of(arguments: Any) -> object:
        """What it gives beside."""
        return arguments[1] if isinstance(arguments, list) and len(arguments) > 1 else None

    def paint(arguments: Any) -> dict[str, Any]:
        return live.live(editor, arguments)

    def before(arguments: Any) -> dict[str, Any]:
        return live.before(editor, arguments)

    def download(arguments: Any) -> dict[str, Any]:
        return live.download(editor, arguments)

    def cancel(arguments: Any) -> None:
        jobs.cancel_job(editor, session_of(arguments), wanted_of(arguments))

    def alive(arguments: Any) -> dict[str, int]:
        return {"revision": jobs.running_job(editor, session_of(arguments))}

    def stored(arguments: Any) -> dict[str, Any]:
        return kept.stored()

    def forget(arguments: Any) -> dict[str, Any]:
        return kept.forget(editor, session_of(arguments))

    def edits(arguments: Any) -> dict[str, Any]:
        # The page asks every few seconds while it is looked at.
        editor.sessions.stay(session_of(arguments))
        return own.own_edits(editor, arguments)

    def train(arguments: Any) -> dict[str, Any]:
        return own.start(editor, arguments)

    def training(arguments: Any) -> dict[str, Any]:
        return own.look(editor, arguments)

    def stop_training(arguments: Any) -> dict[str, Any]:
        return own.stop(editor, arguments)

    def remove_edit(arguments: Any) -> dict[str, Any]:
        return own.remove(editor, arguments)

    jobs_and_pictures = [paint, before, download, cancel, alive, stored, forget]
    return [*jobs_and_pictures, edits, train, training, stop_training, remove_edit]


def _wire_jobs(editor: Editor, result: gr.HTML) -> None:
    """The event `work` runs a job; its messages become the component's value, where the page's script reads them."""

    def work(event: gr.EventData, request: gr.Request) -> Iterator[dict[str, Any]]:
        yield from jobs.run_job(editor, request.session_hash, event._data)

    # Jobs queue in Editor.turns, which tells each its place and lets it give up; Gradio only has to let them in.
    result.work(
        work,
        inputs=None,
        outputs=result,
        show_progress="hidden",
        trigger_mode="multiple",
        concurrency_limit=MAX_JOBS,
        api_visibility="private",
    )


def _leaver(editor: Editor) -> Callable[[gr.Request], None]:
    def leave(request: gr.Request) -> None:
        editor.sessions.leave(request.session_hash)

    return leave


# ---- endpoints --------------------------------------------------------------------------------------------------


@contextmanager
def _spoken() -> Iterator[None]:
    """Errors meant for people reach the client as its error message; faults go to the log."""
    try:
        yield
    except Exception as error:
        raise gr.Error(texts.error_text(error), print_exception=False) from error


def _add_endpoints(editor: Editor) -> None:
    """Invisible components give the endpoints their types; Gradio checks that files come from its own upload folder."""

    @_spoken()
    def packs() -> dict[str, Any]:
        """Lists the installed packs.

        Returns:
            {"packs": [{id, title, resolution, latent_shape, attributes, methods, bytes}]}
        """
        return http.packs()

    def invert(image: str, pack: str, method: str, seed: float, options: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Finds the codes of the largest face in a picture, or of the whole picture where there is no face.

        Args:
            image: a picture file.
            pack: the id of a pack, see /packs.
            method: one of the pack's inversion methods.
            seed: a whole number; with a budget of steps or evaluations the same seed gives the same result, with seconds
                (the methods' own default) the speed of the machine has a say.
            options: a JSON object; seconds, steps, evaluations (budgets), space (z, w or w+), encoder_start and class_search
                (true or false), transform (none, spatial, colour or both), mask ("auto" or [x0, y0, x1, y1] in pixels),
                outside_weight (0 to 1), pixel_loss (l1 or laplacian), global_loss (none, frozen, gan or both).
        Returns:
            The reconstruction, and {mse, perceptual, seconds, steps, evaluations, settings, warnings, ...}; before it, now and
            then, nothing and {progress}.
        """
        with _spoken():
            yield from http.invert(editor, image, pack, method, seed, options)

    def edit(
        image: str, pack: str, method: str, edits: Any, paste_back: bool, seed: float, options: Any
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Inverts a picture, changes attributes, and gives the edited picture.

        Args:
            image: a picture file.
            pack: the id of a pack, see /packs.
            method: one of the pack's inversion methods.
            edits: a JSON object {attribute: strength}; positive adds, negative removes.
            paste_back: true for the whole photo with the edit in it, false for the face alone.
            seed: a whole number; with a budget of steps or evaluations the same seed gives the same result, with seconds
                (the methods' own default) the speed of the machine has a say.
            options: a JSON object; blend (detail, poisson or mixed), family (an edit family), as_needed (true: only as
                far as the picture calls for, as in the page), object (a JSON object with some of class, class_alpha, shift,
                zoom, truncation) and the options of /invert.
        Returns:
            The picture, and {before, after, identity_similarity, mse, seconds, warnings, ...}; before it, now and then, nothing
            and {progress}.
        """
        with _spoken():
            yield from http.edit(editor, image, pack, method, edits, paste_back, seed, options)

    with gr.Group(visible=False):
        image = gr.File(label="image", type="filepath")
        pack = gr.Textbox(editor.info.id, label="pack")
        method = gr.Textbox(_default_method(editor), label="method")
        edits = gr.JSON({}, label="edits")
        paste_back = gr.Checkbox(True, label="paste_back")
        seed = gr.Number(0, label="seed")
        options = gr.JSON({}, label="options")
        picture = gr.Image(format="png", label="picture")
        facts = gr.JSON(label="facts")
        calls = [gr.Button() for _ in range(3)]
    calls[0].click(packs, None, facts, api_name="packs", queue=False, show_progress="hidden")
    # One at a time: the people before the page are to wait for one program at most.
    shared = {"concurrency_limit": 1, "concurrency_id": "endpoints", "show_progress": "hidden"}
    calls[1].click(invert, [image, pack, method, seed, options], [picture, facts], api_name="invert", **shared)
    edit_inputs = [image, pack, method, edits, paste_back, seed, options]
    calls[2].click(edit, edit_inputs, [picture, facts], api_name="edit", **shared)
