"""The sentences the page says, in one place; those about the inversion methods are in methods.py."""

from __future__ import annotations

import logging

from editor_app.turns import TooBusy
from engines.api import LweError, PackInfo, Progress, UserEdit

__all__ = [
    "crop_view",
    "cut_out",
    "distance_text",
    "error_text",
    "progress_text",
    "saves",
    "stored_text",
    "trained_text",
    "training_waits",
    "waiting_text",
    "warning_text",
]

GROUPS = {
    "expression": "Expression",
    "hair": "Hair",
    "accessories": "Accessories",
    "person": "Person",
    "digits": "Number of digits",
    "object": "Object",
    "background": "Background",
}
"""Attribute group -> heading, in the order of the page."""

GROUND_STAYS = "Blended in, the ground stays that of your picture. What these sliders do to it shows under “{crop}”."

OWN_GROUP = "Yours"
"""Heading of the attributes that users trained."""

OWN_READING = "These are read by classifiers that were trained with them, from fewer pictures than the others."

BLENDS = {"detail": "Keep the photo's detail", "poisson": "Seamless (Poisson)", "mixed": "Seamless, with texture"}
"""How an edit goes back into the photo -> name in the list."""
SLOW_BLEND = "Blended when the slider rests."

START = "Drop a photo of a face, pick an example, or press Surprise me."
OBJECT_START = "Drop a picture of a creature or another object, pick an example, or press Surprise me."
PICTURE_START = "Drop a picture, pick an example, or press Surprise me."
CROP = "Face only"
OBJECT_CROP = "Object only"
PICTURE_CROP = "Square only"
SAVES_PHOTO = "Saves the whole photo with the edit, as a PNG file."
SAVES_CROP = "Saves the edited {part} alone, as a PNG file."
NO_PICTURE = "Choose a picture first: drop one on the page, paste one, pick an example, or press Surprise me."
NO_FACE = "No face was found in this picture. Use the whole picture, or choose one with a face that looks at the camera."
NO_SUCH_FACE = "That face is not in this picture. Choose one of the numbered faces."
NO_SUCH_EXAMPLE = "That example does not exist. Choose one of those shown."
NOT_UPLOADED = "That file was not uploaded here. Choose it again."
SEVERAL_FACES = "{count} faces were found. The largest is edited; choose another by its number."
PRIVACY = "Pictures are worked on where this editor runs, are sent nowhere else, and are forgotten after you leave."
KEPT = (
    "Only Fine-tune and Clone keep something for your next visit: the tuned generator, locked with the picture itself, so that "
    "it opens for nobody who does not have the same picture. Those not used for longest go when room is needed."
)
KEPT_OF_THIS = "Kept for your next visit."
FORGOT = "What was kept of this picture is forgotten. The result on the screen stays until you leave."
TOO_LARGE = "That file is larger than {megabytes} MB. Choose a smaller picture."
EMPTY_FILE = "That file is empty. Choose another picture."
NO_ATTRIBUTE_NAME = "Give the new attribute a name."
TOO_FEW_PICTURES = "Choose at least {least} pictures with the attribute and {least} without."
NO_TABLE = "Choose the CSV file that says which pictures have the attribute."
TRAINING_STARTS = "Starting"
TRAINING_CANCELLED = "Stopped. Nothing of the pictures was kept."
TRAINING_RUNS = "An attribute of yours is being trained already. Wait for it, or stop it."
TOO_MANY_PICTURES = "Those are too many pictures. Choose at most {most}."
PICTURES_TOO_LARGE = "Those pictures are larger than {megabytes} MB together. Choose fewer, or smaller ones."
TABLE_TOO_LARGE = "{name} is larger than {kilobytes} KB. A table of labels of so few pictures is smaller."
TOO_MANY_EDITS = "You have {most} attributes of your own. Remove one to train another."
NO_ROOM_FOR_EDITS = "This editor keeps no more attributes. Ask who runs it to make room."
EDIT_REMOVED = "{name} is removed."
NEW_ATTRIBUTE = (
    "Teach the editor something with pictures of your own: at least {least} that show it and {least} that do not, better fifty "
    "of each, alike in everything else. It then is a slider of its own, for you alone, in this browser."
)
NEW_ATTRIBUTE_KEPT = (
    "The pictures are forgotten after the training. What is kept is the slider, and a page that shows a few of them "
    "reconstructed and edited."
)
UPLOAD_FAILED = "The file did not arrive. Is the editor still running? Try again."
CANCELLED = "Cancelled."
STOPPED_EARLY = "Stopped early: this is the best that was found until then."
BUSY = "Many people are using this editor now. Try again in a minute."
FORGOTTEN = "This page was idle for long and its picture is forgotten. Choose the picture again."
CROWDED_OUT = "Many people are using this editor now, and this page's picture had to make room. Choose the picture again."
BAD_REQUEST = "The page sent something this server does not understand. Reload it."
FAULT = "Something went wrong in the editor, and it is not your picture's fault. The server's log has the details."

_log = logging.getLogger("editor_app")


def error_text(error: Exception) -> str:
    """The sentence for a failure; a fault of the program goes to the log with its traceback, not to the user."""
    if isinstance(error, TooBusy):
        return BUSY
    if isinstance(error, LweError):
        # A client can send halves of characters, which no answer can carry.
        return str(error).encode("utf-8", "replace").decode()
    _log.error("unexpected failure", exc_info=error)
    return FAULT


def warning_text(warning: str) -> str:
    """An inversion's warning as a sentence; the engines note a cancelled one by a single word."""
    return STOPPED_EARLY if warning == "cancelled" else warning


def distance_text(perceptual: float, kind: str) -> str:
    """The perceptual distance of an inversion and what it was measured by."""
    return f"LPIPS {perceptual:.2g}" if kind.startswith("lpips") else f"perceptual {perceptual:.2g} (pack's network)"


def cut_out(info: PackInfo) -> str:
    """What the crop of a picture shows, in one word, which is also part of file names."""
    return "object" if info.classes else "face" if info.identity else "square"


def crop_view(info: PackInfo) -> str:
    """Name of the view that shows what is edited alone."""
    return OBJECT_CROP if info.classes else CROP if info.identity else PICTURE_CROP


def saves(info: PackInfo) -> dict[str, str]:
    """View -> what Download gives in it."""
    return {"photo": SAVES_PHOTO, "crop": SAVES_CROP.format(part=cut_out(info))}


def stored_text(count: int, bytes_: int) -> str:
    """How much the store of tuned generators holds."""
    return f"Kept here now: {count} tuned generator{'' if count == 1 else 's'}, {bytes_ / 1e6:.1f} MB."


def training_waits(ahead: int) -> str:
    return "Waiting: one other training comes first" if ahead == 1 else f"Waiting: {ahead} other trainings come first"


def trained_text(edit: UserEdit) -> str:
    """What a finished training says of itself."""
    facts, figures = edit.provenance, edit.figures
    parts = [f"{edit.name} was learned from {facts['with']} pictures with it and {facts['without']} without."]
    if facts["skipped"]:
        one = facts["skipped"] == 1
        parts.append(f"{facts['skipped']} picture{'' if one else 's'} could not be used.")
    accuracy = figures["classifier_balanced_accuracy"]
    if accuracy is not None:
        told = f"{100 * accuracy:.0f} %, the mean of those with it and of those without"
        parts.append(f"Pictures that the training has not seen are told right in {told}.")
    changes = [figures[direction]["picture_change"] for direction in ("add", "remove")]
    if None not in changes:
        added, removed = (f"{100 * change:.0f} %" for change in changes)
        parts.append(f"At strength 1 it appears in {added} of them and goes from {removed}.")
    return " ".join(parts)


def waiting_text(ahead: int) -> str:
    return "Waiting: one other picture comes first" if ahead == 1 else f"Waiting: {ahead} other pictures come first"


def progress_text(progress: Progress) -> str:
    """For example "Refining, step 40 of 120 · 2.4 s · loss 0.0312"."""
    parts = [progress.stage]
    if progress.step:
        several = progress.total is not None and progress.total > 1
        parts[0] += f", step {progress.step} of {progress.total}" if several else f", step {progress.step}"
    parts.append(f"{progress.elapsed_sec:.1f} s")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3g}")
    return " · ".join(parts)
