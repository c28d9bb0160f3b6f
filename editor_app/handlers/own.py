"""A user's own attributes: train one from uploaded pictures, look how far that is, list and remove them.

Whose they are: the page keeps a random secret in the browser and gives it with every call. What is trained with it is shown to
nobody without it, and outlives the tab and the server. Edits that the program's owner has trained by command belong to all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from editor_app import texts, view
from editor_app.editor import Editor
from editor_app.panels.attributes import stride
from editor_app.trainings import Training
from engines import api

__all__ = ["look", "own_edits", "remove", "start", "stop"]

MAX_PICTURES = 400
MAX_BYTES = 300 * 2**20
"""Of all pictures of a training together."""
MAX_TABLE_BYTES = 2**20
MAX_EDITS = 12
"""Of one user."""
MAX_ALL_EDITS = 500
"""Of all users of the page; the owner's do not count."""


def own_edits(editor: Editor, arguments: object) -> dict[str, Any]:
    """[session hash, -, user] -> {edits: [{id, name, low, high, calibrated, stride, mine}], problems: [{id, text}]}."""
    try:
        pack = editor.pack_for(_user(arguments))
        theirs = [(edit, problem) for edit, problem in api.user_edits(pack.id) if edit.user == pack.user]
        mine = {edit.id for edit, _ in theirs}
        edits = [
            {
                "id": attribute.id,
                "name": attribute.name,
                "low": attribute.alpha_min,
                "high": attribute.alpha_max,
                "calibrated": attribute.calibrated_alpha,
                "stride": stride(attribute.alpha_min, attribute.alpha_max),
                "mine": attribute.id in mine,
            }
            for attribute in api.pack_info(pack).attributes
            if attribute.own
        ]
        return {"edits": edits, "problems": [{"id": edit.id, "text": problem} for edit, problem in theirs if problem]}
    except Exception as error:
        return {"error": texts.error_text(error)}


def start(editor: Editor, arguments: object) -> dict[str, Any]:
    """[session hash, order, user] -> {started} or {error}.

    order: {name, having: [file], lacking: [file]} or {name, pictures: [file], table: file, column}; and `aligned`. A file is
    {path, name}: where the upload lies, and its name on the user's disk.
    """
    try:
        user = _user(arguments)
        order = arguments[1] if isinstance(arguments[1], Mapping) else {}
        pack = editor.pack_for(user)
        name = order.get("name")
        if not isinstance(name, str):
            raise api.OptionError(texts.BAD_REQUEST)
        _check_room(pack)
        aligned = order.get("aligned") is True
        # Of the user's pictures nothing is kept afterwards but the edit and its page.
        with ExitStack() as unless_begun:
            folder = Path(tempfile.mkdtemp(prefix="lwe-training-"))
            unless_begun.callback(_remove, folder)
            pictures = _pictures(editor, pack, order, folder)
            api.check_training(pack, pictures, name)

            def train(progress: api.ProgressCallback, cancel: api.CancelToken) -> api.UserEdit:
                run = folder / "run"
                return api.train_edit(pack, pictures, name, aligned=aligned, run=run, progress=progress, cancel=cancel)

            if editor.trainings.start(user, name, train, ended=lambda: _remove(folder)) is None:
                raise api.OptionError(texts.TRAINING_RUNS)
            unless_begun.pop_all()
        return {"started": True}
    except Exception as error:
        return {"error": texts.error_text(error)}


def look(editor: Editor, arguments: object) -> dict[str, Any]:
    """[session hash, -, user] -> {phase, name, text, share}; done also tells {notes, grid}; {} where there is none."""
    try:
        training = editor.trainings.look(_user(arguments))
        return {} if training is None else _told(training)
    except Exception as error:
        return {"error": texts.error_text(error)}


def stop(editor: Editor, arguments: object) -> dict[str, Any]:
    """[session hash, -, user]: asks the user's training to end. {} or {error}."""
    try:
        editor.trainings.stop(_user(arguments))
        return {}
    except Exception as error:
        return {"error": texts.error_text(error)}


def remove(editor: Editor, arguments: object) -> dict[str, Any]:
    """[session hash, {id}, user]: removes an edit of the user's own. {text} or {error}."""
    try:
        pack = editor.pack_for(_user(arguments))
        edit_id = arguments[1].get("id") if isinstance(arguments[1], Mapping) else None
        if not isinstance(edit_id, str):
            raise api.OptionError(texts.BAD_REQUEST)
        return {"text": texts.EDIT_REMOVED.format(name=api.remove_edit(pack, edit_id).name)}
    except Exception as error:
        return {"error": texts.error_text(error)}


# ---- parts ------------------------------------------------------------------------------------------------------


def _user(arguments: object) -> str:
    """The secret of whoever calls."""
    if not isinstance(arguments, list | tuple) or len(arguments) != 3 or not isinstance(arguments[2], str):
        raise api.OptionError(texts.BAD_REQUEST)
    return arguments[2]


def _check_room(pack: api.Pack) -> None:
    edits = [edit for edit, _ in api.user_edits() if edit.user is not None]
    if sum(edit.user == pack.user for edit in edits) >= MAX_EDITS:
        raise api.OptionError(texts.TOO_MANY_EDITS.format(most=MAX_EDITS))
    if len(edits) >= MAX_ALL_EDITS:
        raise api.OptionError(texts.NO_ROOM_FOR_EDITS)


def _pictures(editor: Editor, pack: api.Pack, order: Mapping[str, Any], folder: Path) -> Any:
    """The labelled pictures of an order, checked: they were uploaded here, are not too many and not too large.

    They are kept in `folder`: uploads are removed after a while, and a training may have to wait longer.
    """
    if "table" in order:
        files = _files(editor, order.get("pictures"))
        _check_size(files)
        ((table, table_name),) = _files(editor, [order["table"]])
        if table.stat().st_size > MAX_TABLE_BYTES:
            raise api.OptionError(texts.TABLE_TOO_LARGE.format(name=table_name, kilobytes=MAX_TABLE_BYTES // 1024))
        column = order.get("column")
        attribute = column if isinstance(column, str) and column.strip() else None
        by_name = {name: path for path, name in _kept(files, folder / "pictures")}
        return api.labelled_uploads(pack, table.read_bytes(), by_name, name=table_name, attribute=attribute)
    having, lacking = (_files(editor, order.get(side)) for side in ("having", "lacking"))
    _check_size([*having, *lacking])
    return api.labelled_groups(_kept(having, folder / "having"), _kept(lacking, folder / "lacking"))


def _files(editor: Editor, given: object) -> list[tuple[Path, str]]:
    """(path, name) of uploaded files. Raises OptionError for what the page would never send."""
    if not isinstance(given, list) or len(given) > MAX_PICTURES:
        several = isinstance(given, list)
        raise api.OptionError(texts.TOO_MANY_PICTURES.format(most=MAX_PICTURES) if several else texts.BAD_REQUEST)
    found = []
    for each in given:
        path, name = (each.get("path"), each.get("name")) if isinstance(each, Mapping) else (None, None)
        if not isinstance(path, str) or not isinstance(name, str):
            raise api.OptionError(texts.BAD_REQUEST)
        found.append((editor.uploaded(path), api.printable(Path(name.replace("\\", "/")).name[:200]) or "picture"))
    return found


def _kept(files: list[tuple[Path, str]], folder: Path) -> list[tuple[Path, str]]:
    """The files under second names in a folder, which stay when the first ones are removed."""
    folder.mkdir()
    found = []
    for index, (path, name) in enumerate(files):
        place = folder / str(index)
        try:
            os.link(path, place)
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(path, place)
        found.append((place, name))
    return found


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _check_size(files: list[tuple[Path, str]]) -> None:
    if len(files) > MAX_PICTURES:
        raise api.OptionError(texts.TOO_MANY_PICTURES.format(most=MAX_PICTURES))
    if sum(path.stat().st_size for path, _ in files) > MAX_BYTES:
        raise api.OptionError(texts.PICTURES_TOO_LARGE.format(megabytes=MAX_BYTES // 2**20))


def _told(training: Training) -> dict[str, Any]:
    told = {"phase": training.phase, "name": training.name, "text": training.text, "share": training.share}
    if training.phase != "done":
        return told
    edit: api.UserEdit = training.result
    try:
        told["grid"] = view.jpeg_uri(api.read_image(edit.folder / "add.png").pixels, 85)
    except api.ImageReadError:
        told["grid"] = None  # removed meanwhile
    return told | {"text": texts.trained_text(edit), "id": edit.id}
