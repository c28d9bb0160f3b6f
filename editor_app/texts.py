"""Every sentence the page says, in one place."""

from __future__ import annotations

import logging

from editor_app.turns import TooBusy
from engines.api import LweError, Progress

__all__ = ["METHODS", "error_text", "method_choices", "progress_text", "waiting_text", "warning_text"]

METHODS = {
    "encoder": ("Encoder", "A tenth of a second. One look at the picture."),
    "iterated-encoder": ("Iterated encoder", "About a second. Looks again at what it got wrong."),
    "encoder-refine": ("Encoder + refine", "Several seconds. The closest likeness."),
}
"""Method id -> (name in the list, what to expect)."""

GROUPS = {"expression": "Expression", "hair": "Hair", "accessories": "Accessories", "person": "Person"}
"""Attribute group -> heading, in the order of the page."""

NO_PICTURE = "Choose a picture first: drop one on the page, paste one, pick an example, or press Surprise me."
NO_FACE = "No face was found in this picture. Use the whole picture, or choose one with a face that looks at the camera."
NO_SUCH_FACE = "That face is not in this picture. Choose one of the numbered faces."
NO_SUCH_EXAMPLE = "That example does not exist. Choose one of those shown."
NOT_UPLOADED = "That file was not uploaded here. Choose it again."
SEVERAL_FACES = "{count} faces were found. The largest is edited; choose another by its number."
PRIVACY = "Pictures are worked on where this editor runs, are sent nowhere else, and are forgotten after you leave."
TOO_LARGE = "That file is larger than {megabytes} MB. Choose a smaller picture."
EMPTY_FILE = "That file is empty. Choose another picture."
UPLOAD_FAILED = "The file did not arrive. Is the editor still running? Try again."
CANCELLED = "Cancelled."
STOPPED_EARLY = "Stopped early: this is the best that was found until then."
BUSY = "Many people are using this editor now. Try again in a minute."
FORGOTTEN = "This page was idle for long and its picture is forgotten. Choose the picture again."
BAD_REQUEST = "The page sent something this server does not understand. Reload it."
FAULT = "Something went wrong in the editor, and it is not your picture's fault. The server's log has the details."

_log = logging.getLogger("editor_app")


def method_choices(methods: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """(id, name, hint) of those of a pack's methods that the page offers, quick ones first."""
    return [(method, *METHODS[method]) for method in METHODS if method in methods]


def error_text(error: Exception) -> str:
    """The sentence for a failure; a fault of the program goes to the log with its traceback, not to the user."""
    if isinstance(error, TooBusy):
        return BUSY
    if isinstance(error, LweError):
        return str(error)
    _log.error("unexpected failure", exc_info=error)
    return FAULT


def warning_text(warning: str) -> str:
    """An inversion's warning as a sentence; the engines note a cancelled one by a single word."""
    return STOPPED_EARLY if warning == "cancelled" else warning


def waiting_text(ahead: int) -> str:
    return "Waiting: one other picture comes first" if ahead == 1 else f"Waiting: {ahead} other pictures come first"


def progress_text(progress: Progress) -> str:
    """For example "Refining, step 40 of 120"."""
    if progress.total is not None and progress.total > 1 and progress.step:
        return f"{progress.stage}, step {progress.step} of {progress.total}"
    return progress.stage
