"""Edits that users trained for a pack: what is known of each, which of them fit, and their networks.

    <data dir>/edits/<pack>/<id>/                  of the owner of the program, for everybody who uses it
    <data dir>/edits/<pack>/.users/<user>/<id>/    of one user of the page, for nobody else

A folder holds ``edit.json`` and one file of weights. The pack itself is never touched. An edit belongs to the generator and the
encoder that it was trained with: with other weights of them its codes mean something else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.core.cache import BoundedCache
from engines.core.errors import OptionError
from engines.core.paths import data_dir
from engines.packs.manifest import Attribute, Manifest

if TYPE_CHECKING:
    import torch

    from engines.editing.edit_maps import EditMaps
    from engines.predictors.latent_classifier import LatentClassifier

__all__ = [
    "BOUND_KINDS",
    "EDIT_NAME",
    "FORMAT",
    "GONE",
    "GROUP",
    "LEAST",
    "NEW",
    "UserEdit",
    "UserEditNetworks",
    "all_user_edits",
    "edits_folder",
    "fitting_edits",
    "is_user_edit_id",
    "open_networks",
    "user_key",
]

EDIT_NAME = "edit.json"
NEW, GONE = ".new-", ".gone-"
"""How the names of folders begin that are being written and being removed: no edit can have such a name."""
FORMAT = 1
GROUP = "own"
"""The group of the attributes that user edits are."""
LEAST = 8
"""Pictures with a new attribute that are needed at least, and as many without."""
BOUND_KINDS = ("generator", "encoder")
"""Components of the pack that an edit belongs to."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_KEY = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"[A-Za-z0-9-]{16,128}")
_USERS = ".users"
_STALE_SEC = 3600.0
"""A folder of a writing or a removing that is older was left by a process that died."""
_MAX_JSON_BYTES = 1 << 20
_MAX_WEIGHTS_BYTES = 256 << 20
_KEPT_RECORDS = 2048
_KEPT_WEIGHTS_BYTES = 128 << 20

_records: BoundedCache[UserEdit] = BoundedCache(_KEPT_RECORDS)
_networks: BoundedCache[UserEditNetworks] = BoundedCache(_KEPT_WEIGHTS_BYTES)


@dataclass(frozen=True)
class UserEdit:
    """One edit as its ``edit.json`` tells it."""

    id: str
    """Attribute id; also the folder's name."""
    name: str
    """For people."""
    pack: str
    user: str | None
    """Key of the page's user whose it is; None for the owner's, which all may use."""
    folder: Path
    bound: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Component kind -> sha256 that the pack must have."""
    alpha_min: float = -2.0
    alpha_max: float = 2.0
    calibrated_alpha: float = 1.0
    file: str = ""
    sha256: str = ""
    bytes: int = 0
    maps_config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    classifier_config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Command, seed, pictures, labels."""
    figures: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What its evaluation on held-out pictures found."""
    damage: str = ""
    """Why it cannot be used, whatever the pack; empty for a whole one."""

    @property
    def attribute(self) -> Attribute:
        """What the pack's own attributes are to others."""
        return Attribute(self.id, self.name, GROUP, 0.0, (), self.alpha_min, self.alpha_max, self.calibrated_alpha)

    @property
    def remedy(self) -> str:
        """What to do where it cannot be used."""
        user = "" if self.user is None else f" --user {self.user}"
        return f"train it again, or remove it: python -m engines edits remove {self.id} --pack {self.pack}{user}."

    def problem(self, manifest: Manifest) -> str:
        """One sentence why it cannot be used with the pack, or ""."""
        remedy = self.remedy
        if self.damage:
            return f"{self.id}: this edit of yours cannot be used ({self.damage}); {remedy}"
        if any(attribute.id.casefold() == self.id.casefold() for attribute in manifest.attributes):
            return f"{self.id}: the pack {manifest.id} has come to have an attribute of this name itself; {remedy}"
        changed = [
            kind
            for kind in BOUND_KINDS
            if kind not in manifest.components or manifest.components[kind].sha256 != self.bound.get(kind)
        ]
        if changed:
            return (
                f"{self.id}: this edit of yours was trained with another {' and '.join(changed)} of the pack {manifest.id} "
                f"and no longer fits; {remedy}"
            )
        return ""


@dataclass(frozen=True, eq=False)
class UserEditNetworks:
    """The weights of an edit: float32, in evaluation mode, shared by all who use it."""

    maps: EditMaps
    classifier: LatentClassifier
    """One logit, of codes as the pack's encoder gives them."""


def is_user_edit_id(text: str) -> bool:
    """Whether it may be the id of an edit: letters, digits, _ and -, at most 40, the first a letter or digit."""
    return bool(_ID.fullmatch(text))


def user_key(token: str) -> str:
    """The key of the user who holds a secret `token`: folders and lists show it, and it does not tell the token.

    Raises OptionError for what is no token: 16 to 128 letters, digits and dashes.
    """
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise OptionError("user: expected a secret of 16 to 128 letters, digits and dashes.")
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def edits_folder(pack_id: str, user: str | None) -> Path:
    """Where the edits of a user lie; None for the owner's. Raises ValueError for what is no key."""
    if user is not None and not _KEY.fullmatch(user):
        raise ValueError("not a user's key")
    home = data_dir() / "edits" / pack_id
    return home if user is None else home / _USERS / user


def all_user_edits(pack_id: str) -> list[UserEdit]:
    """All there are of a pack, the owner's first, also those that cannot be used.

    What a writing or a removing has left that was interrupted long ago is removed in passing.
    """
    users = data_dir() / "edits" / pack_id / _USERS
    keys = sorted(path.name for path in users.iterdir() if _KEY.fullmatch(path.name)) if users.is_dir() else []
    for user in (None, *keys):
        _remove_left_over(edits_folder(pack_id, user))
    return [edit for user in (None, *keys) for edit in _in_folder(pack_id, user)]


def fitting_edits(manifest: Manifest, user: str | None) -> dict[str, UserEdit]:
    """Id -> edit of those that fit the pack: the owner's, and those of `user`, which hide the owner's of the same id.

    The folders are looked at every time, so that what another process has trained is there at once.
    """
    found = {}
    for owner in dict.fromkeys((None, user)):
        found |= {edit.id: edit for edit in _in_folder(manifest.id, owner) if not edit.problem(manifest)}
    return found


def open_networks(edit: UserEdit, device: torch.device | str = "cpu") -> UserEditNetworks:
    """The networks of an edit, read once. Raises OptionError where the file is missing or damaged."""
    key = (str(edit.folder), edit.sha256, str(device))
    return _networks.get(key, lambda: _load(edit, device))


def _remove_left_over(home: Path) -> None:
    for path in (*home.glob(f"{NEW}*"), *home.glob(f"{GONE}*")):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SEC:
                shutil.rmtree(path, ignore_errors=True)


def _in_folder(pack_id: str, user: str | None) -> list[UserEdit]:
    try:
        with os.scandir(edits_folder(pack_id, user)) as entries:
            names = sorted(entry.name for entry in entries if _ID.fullmatch(entry.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    home = edits_folder(pack_id, user)
    found = (_read(home / name, pack_id, user) for name in names)
    return [edit for edit in found if edit is not None]


def _read(folder: Path, pack_id: str, user: str | None) -> UserEdit | None:
    """The edit in a folder, as damaged where it cannot be read; None for a folder that is no edit."""
    path = folder / EDIT_NAME
    try:
        there = path.stat()
    except OSError:
        return None
    key = (str(path), there.st_mtime_ns, there.st_size, there.st_ino)
    return _records.get(key, lambda: (_parsed(path, folder, pack_id, user), 1))


def _parsed(path: Path, folder: Path, pack_id: str, user: str | None) -> UserEdit:
    plain = UserEdit(folder.name, folder.name, pack_id, user, folder)
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ValueError("too long")
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != FORMAT:
            raise ValueError("of another format")
        if (value["id"], value["pack"]) != (folder.name, pack_id):
            raise ValueError("of another edit")
        limits = [float(value[name]) for name in ("alpha_min", "alpha_max", "calibrated_alpha")]
        if not -100 <= limits[0] < 0 < limits[2] <= limits[1] <= 100:
            raise ValueError("with strengths that cannot be")
        weights = value["weights"]
        if Path(weights["file"]).name != weights["file"]:
            raise ValueError("with weights elsewhere")
        return UserEdit(
            folder.name,
            str(value["name"])[:80],
            pack_id,
            user,
            folder,
            {kind: str(value["bound"][kind]) for kind in BOUND_KINDS},
            *limits,
            weights["file"],
            str(weights["sha256"]),
            int(weights["bytes"]),
            dict(value["maps"]),
            dict(value["classifier"]),
            dict(value["provenance"]),
            dict(value["figures"]),
        )
    except (OSError, ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        return UserEdit(**{**plain.__dict__, "damage": f"{EDIT_NAME} is damaged: {reason}"})


def _load(edit: UserEdit, device: torch.device | str) -> tuple[UserEditNetworks, int]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    from engines.editing.edit_maps import EditMaps
    from engines.predictors.latent_classifier import LatentClassifier

    remedy = edit.remedy
    path = edit.folder / edit.file
    try:
        if path.stat().st_size > _MAX_WEIGHTS_BYTES:
            raise ValueError("it is too large")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != edit.sha256:
            raise ValueError("its bytes are not those that were written")
        tensors = {name: tensor.float() for name, tensor in load(data).items()}
        # First weights are drawn from torch's own generator and thrown away: reading must not move its state.
        with torch.random.fork_rng(devices=[]):
            maps = EditMaps.from_config(dict(edit.maps_config))
            classifier = LatentClassifier.from_config(dict(edit.classifier_config))
        for prefix, network in (("maps.", maps), ("classifier.", classifier)):
            own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            network.load_state_dict(own)
            network.to(device).eval().requires_grad_(False)
            if network.attributes != (edit.id,):
                raise ValueError("it is of another attribute")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise OptionError(f"{edit.id}: the weights of this edit of yours cannot be read ({reason}); {remedy}") from None
    return UserEditNetworks(maps, classifier), len(data) * 2
