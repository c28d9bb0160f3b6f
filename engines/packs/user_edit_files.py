"""Writes and removes user edits (see user_edits.py); a folder is there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from engines.core.atomic import write_json
from engines.core.errors import OptionError
from engines.editing.edit_maps import EditMaps
from engines.packs.load import Pack
from engines.packs.user_edits import (
    BOUND_KINDS,
    EDIT_NAME,
    FORMAT,
    GONE,
    NEW,
    UserEdit,
    all_user_edits,
    edits_folder,
    fitting_edits,
    is_user_edit_id,
)
from engines.predictors.latent_classifier import LatentClassifier

__all__ = ["check_new_id", "id_for", "remove_user_edit", "write_user_edit"]

MAX_NAME = 40
STRENGTHS = (-2.0, 2.0, 1.0)
"""Least, most and calibrated strength."""
_WEIGHTS = "weights.safetensors"


def id_for(name: str) -> str:
    """An id made of a name for people: ``Party hat`` -> ``Party_hat``; of a name in other letters its hash."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name.strip()).strip("_-")[:40]
    return plain or f"edit-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def check_new_id(pack: Pack, edit_id: str, name: str) -> None:
    """Raises OptionError for an id or a name that an edit cannot have, or that is taken."""
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise OptionError(f"name: give the attribute a name of 1 to {MAX_NAME} characters on one line.")
    if not is_user_edit_id(edit_id):
        raise OptionError(f"id {edit_id[:60]!r}: use up to 40 letters, digits, _ and -, beginning with a letter or digit.")
    for attribute in pack.manifest.attributes:
        if edit_id.casefold() == attribute.id.casefold() or name.casefold() == attribute.name.casefold():
            raise OptionError(f"{name}: the pack {pack.id} has an attribute of this name already; choose another name.")
    known = {attribute.casefold() for attribute in pack.attribute_predictor.attributes}
    if edit_id.casefold() in known:
        raise OptionError(f"{edit_id}: the pack {pack.id} knows an attribute of this name already; choose another name.")
    there = edits_folder(pack.id, pack.user) / edit_id
    others = {edit.casefold() for edit in fitting_edits(pack.manifest, pack.user)}
    if there.exists() or edit_id.casefold() in others:
        raise OptionError(f"{name}: there is an edit of this name already; choose another name, or remove that one first.")


def write_user_edit(
    pack: Pack,
    edit_id: str,
    name: str,
    maps: EditMaps,
    classifier: LatentClassifier,
    *,
    provenance: Mapping[str, Any],
    report: Callable[[Path], Mapping[str, Any]] = lambda folder: {},
) -> UserEdit:
    """Writes the edit for the user that the pack is open for.

    maps, classifier: of the one attribute `edit_id`. report: writes the evaluation into the folder it is given and returns its
    figures. Raises OptionError where the name is taken.
    """
    check_new_id(pack, edit_id, name)
    home = edits_folder(pack.id, pack.user)
    home.mkdir(parents=True, exist_ok=True)
    tensors = {f"maps.{key}": value for key, value in maps.state_dict().items()}
    tensors |= {f"classifier.{key}": value for key, value in classifier.state_dict().items()}
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values()):
        raise ValueError("weights that are not finite cannot be kept")
    data = save({key: value.detach().cpu().float().contiguous() for key, value in tensors.items()})
    temporary = home / f"{NEW}{secrets.token_hex(8)}"
    try:
        temporary.mkdir()
        (temporary / _WEIGHTS).write_bytes(data)
        figures = report(temporary)
        low, high, calibrated = STRENGTHS
        value = {
            "format": FORMAT,
            "id": edit_id,
            "name": name.strip(),
            "pack": pack.id,
            "bound": {kind: pack.component_sha256(kind) for kind in BOUND_KINDS},
            "alpha_min": low,
            "alpha_max": high,
            "calibrated_alpha": calibrated,
            "weights": {"file": _WEIGHTS, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
            "maps": maps.config_json(),
            "classifier": classifier.config_json(),
            "provenance": dict(provenance),
            "figures": dict(figures),
        }
        json.dumps(value, allow_nan=False)
        write_json(temporary / EDIT_NAME, value)
        os.rename(temporary, home / edit_id)
    except OSError as error:
        # Two trainings of one name: the second finds the first one's folder.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise OptionError(f"{name}: there is an edit of this name already; choose another name.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    written = next((edit for edit in all_user_edits(pack.id) if (edit.id, edit.user) == (edit_id, pack.user)), None)
    if written is None:
        raise OptionError(f"{name}: the edit was removed as soon as it was written.")
    return written


def remove_user_edit(pack_id: str, edit_id: str, user: str | None) -> UserEdit:
    """Removes one edit and returns what it was. Raises OptionError where there is none."""
    edits = [edit for edit in all_user_edits(pack_id) if edit.user == user]
    found = next((edit for edit in edits if edit.id == edit_id), None)
    # First out of sight, at once; then file by file.
    if found is None or (gone := _out_of_sight(found.folder)) is None:
        known = ", ".join(edit.id for edit in edits if edit is not found) or "none"
        raise OptionError(f"there is no edit {edit_id[:60]!r} of yours for the pack {pack_id}; there are: {known}.")
    shutil.rmtree(gone, ignore_errors=True)
    return found


def _out_of_sight(folder: Path) -> Path | None:
    """Where a folder lies after it was taken away; None where somebody else has done so."""
    gone = folder.with_name(f"{GONE}{secrets.token_hex(8)}")
    try:
        os.rename(folder, gone)
    except FileNotFoundError:
        return None
    return gone
