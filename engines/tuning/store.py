"""The store of tuned generators: what a tuning found for a picture, on disk, for the next visit with the same picture.

One file an entry, named by a hash of the crop, the pack, the method and its options. The first line is JSON that anyone may
read (pack, method, figures); the rest is the inversion's file, sealed (:mod:`engines.tuning.sealing`): it opens for who
brings the same picture, and shows nothing of it to anyone else.

Writes are atomic, so that a reader sees a whole entry or none; one writer at a time works on an entry. An entry that is
damaged, or was made by other weights or another version, is removed when it is met.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.atomic import replacing
from engines.core.errors import InversionFileError, OptionError
from engines.core.locks import try_lock
from engines.core.paths import data_dir
from engines.inversion.result import Inversion
from engines.tuning.sealing import seal, unseal

__all__ = ["DEFAULT_STORE_BYTES", "STORE_BYTES_VARIABLE", "StoreKey", "TunedEntry", "TunedStore", "tuned_store"]

STORE_BYTES_VARIABLE = "LWE_TUNED_BYTES"
"""The environment variable that bounds the store; with 0 nothing is kept."""
DEFAULT_STORE_BYTES = 512 << 20
"""Some hundred entries of the bundled pack."""
FORMAT = 1
"""To be raised when a method makes something else of the same picture and options: older entries are then outdated."""
_SUFFIX = ".tuned"
_STALE_SEC = 3600.0
"""A temporary file that is older was left by a process that died."""


@dataclass(frozen=True)
class StoreKey:
    """What an entry is found by, and opened with."""

    name: str
    """64 hex digits: the file's name. The first half follows from the picture alone, see :meth:`TunedStore.forget`."""
    secret: bytes
    """32 bytes that follow from the picture and not from `name`."""
    weights: str
    """Hash of the networks that took part."""

    @classmethod
    def of(
        cls, crop: np.ndarray, pack_id: str, method: str, options: Mapping[str, Any], networks: Mapping[str, str]
    ) -> StoreKey:
        """options: those that decide the result, as JSON. networks: kind of component -> hash of its file."""
        facts = json.dumps([pack_id, method, dict(options), list(crop.shape)], sort_keys=True).encode()
        picture = np.ascontiguousarray(crop).tobytes()
        name, secret = (hashlib.sha256(part + facts + picture) for part in (b"name", b"secret"))
        weights = hashlib.sha256(json.dumps(dict(networks), sort_keys=True).encode())
        return cls(_picture_name(crop) + name.hexdigest()[:32], secret.digest(), weights.hexdigest())


@dataclass(frozen=True)
class TunedEntry:
    """What can be told of an entry without its picture."""

    pack: str
    method: str
    mse: float
    bytes: int
    age_days: float
    """Since it was last used."""


class TunedStore:
    """The entries in one folder, up to a size in bytes; those that were not used for longest go first."""

    def __init__(self, folder: Path, capacity_bytes: int = DEFAULT_STORE_BYTES) -> None:
        self._folder, self._capacity_bytes = folder, capacity_bytes

    # ---- one entry ------------------------------------------------------------------------------------------------------

    def get(self, key: StoreKey) -> Inversion | None:
        """The entry, which counts as used now; None where there is none, or none that can be used."""
        path = self._path(key)
        try:
            head, _, sealed = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        inversion = self._opened(key, head, sealed)
        with suppress(OSError):
            if inversion is None:
                path.unlink()
            else:
                os.utime(path)
        return inversion

    def put(self, key: StoreKey, inversion: Inversion) -> None:
        """Keeps the inversion, and makes room for it; a store of 0 bytes keeps nothing.

        Raises OSError where the folder cannot be written to, or the entry is larger than the whole store.
        """
        if self._capacity_bytes == 0:
            return
        facts = {"format": FORMAT, "weights": key.weights, "pack": inversion.pack_id, "method": inversion.method}
        head = json.dumps({**facts, "mse": inversion.mse}).encode()
        data = b"\n".join([head, seal(inversion.to_bytes(), key.secret, named=head)])
        if len(data) > self._capacity_bytes:
            reason = f"{len(data)} bytes are more than the whole store ({STORE_BYTES_VARIABLE}={self._capacity_bytes})"
            raise OSError(errno.EFBIG, reason)
        with replacing(self._path(key)) as temporary:
            temporary.write_bytes(data)
        self._make_room()

    @contextmanager
    def try_lock(self, key: StoreKey) -> Iterator[bool]:
        """Yields whether nobody else is making the entry, and holds its lock then: see :func:`engines.core.locks.try_lock`.

        A folder that cannot be written to is shared with nobody.
        """
        with ExitStack() as stack:
            try:
                free = stack.enter_context(try_lock(self._folder / f"{key.name}.lock"))
            except OSError:
                free = True
            yield free

    # ---- one picture ----------------------------------------------------------------------------------------------------

    def keeps(self, crop: np.ndarray) -> bool:
        """Whether there is an entry of a crop, whatever the pack, the method and its options."""
        return any(path.name.startswith(_picture_name(crop)) for path in self._paths())

    def forget(self, crop: np.ndarray) -> list[TunedEntry]:
        """Removes all entries of a crop; returns what was known of them."""
        return _removed(path for path in self._paths() if path.name.startswith(_picture_name(crop)))

    # ---- all entries ----------------------------------------------------------------------------------------------------

    def entries(self) -> list[TunedEntry]:
        """All entries, those used last first. One that cannot be read is left out."""
        found = [(_entry(path), path) for path in self._paths()]
        return sorted((entry for entry, _ in found if entry is not None), key=lambda entry: entry.age_days)

    def clear(self, older_than_days: float | None = None) -> list[TunedEntry]:
        """Removes all entries, or those not used for so many days, and those that cannot be read; returns what was known."""
        removed = _removed(self._paths(), older_than_days)
        self._remove_stale()
        return removed

    # ---- inside ---------------------------------------------------------------------------------------------------------

    def _path(self, key: StoreKey) -> Path:
        return self._folder / f"{key.name}{_SUFFIX}"

    def _paths(self) -> list[Path]:
        return [path for path in sorted(self._folder.glob(f"*{_SUFFIX}")) if not path.name.startswith(".")]

    def _opened(self, key: StoreKey, head: bytes, sealed: bytes) -> Inversion | None:
        facts = _facts(head)
        if facts is None or facts["format"] != FORMAT or facts["weights"] != key.weights:
            return None
        data = unseal(sealed, key.secret, named=head)
        if data is None:
            return None
        try:
            return Inversion.from_bytes(data, key.name)
        except InversionFileError:
            return None

    def _make_room(self) -> None:
        """Removes entries until the rest fits; another process may be doing the same."""
        self._remove_stale()
        files = []
        for path in self._paths():
            with suppress(OSError):
                facts = path.stat()
                files.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._capacity_bytes:
                break
            with suppress(OSError):
                path.unlink(missing_ok=True)
                total -= size

    def _remove_stale(self) -> None:
        """What processes left behind that were killed while they wrote, or while they held a lock."""
        for path in self._folder.glob(f".*{_SUFFIX}"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SEC:
                    path.unlink()
        for path in self._folder.glob("*.lock"):
            with suppress(OSError), try_lock(path):
                pass  # a lock that was free is gone now


def tuned_store() -> TunedStore:
    """The user's store, ``tuned`` in the data folder. Raises OptionError for a bound that is no number of bytes."""
    text = os.environ.get(STORE_BYTES_VARIABLE, str(DEFAULT_STORE_BYTES))
    if not (text.isascii() and text.isdigit()):
        raise OptionError(f"{STORE_BYTES_VARIABLE}={text}: give the store's size in bytes, like {DEFAULT_STORE_BYTES}.")
    return TunedStore(data_dir() / "tuned", int(text))


def _picture_name(crop: np.ndarray) -> str:
    """32 hex digits that follow from a crop."""
    shape = json.dumps(list(crop.shape)).encode()
    return hashlib.sha256(b"picture" + shape + np.ascontiguousarray(crop).tobytes()).hexdigest()[:32]


def _removed(paths: Iterable[Path], older_than_days: float | None = None) -> list[TunedEntry]:
    """Removes files, or those not used for so many days and those that cannot be read; returns what was known of them."""
    removed = []
    for path in paths:
        entry = _entry(path)
        if entry is None or older_than_days is None or entry.age_days > older_than_days:
            with suppress(OSError):
                path.unlink()
                removed.append(entry)
    return [entry for entry in removed if entry is not None]


def _facts(head: bytes) -> dict[str, Any] | None:
    """The readable line of an entry, None where it is damaged."""
    try:
        facts = json.loads(head)
        return {**facts, "format": int(facts["format"]), "mse": float(facts["mse"]), "weights": str(facts["weights"])}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _entry(path: Path) -> TunedEntry | None:
    try:
        with path.open("rb") as file:
            head = file.readline(10_000)
        facts, stat = _facts(head), path.stat()
        if facts is None:
            return None
        return TunedEntry(str(facts["pack"]), str(facts["method"]), facts["mse"], stat.st_size, _days_since(stat.st_mtime))
    except (OSError, KeyError):
        return None


def _days_since(moment_sec: float) -> float:
    return max(0.0, time.time() - moment_sec) / 86400
