"""Renders of records with one attribute flipped: the truth that edits are compared with.

They are kept in ``<data dir>/cache/counterfactuals``, one file each, named after everything the picture depends on: the
record, the attribute, and the renderer's version. The folder is bounded; the oldest files go first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.atomic import replacing
from engines.core.paths import data_dir
from engines.data.registry import data_set
from engines.data.workers import in_processes

__all__ = ["CACHE_BYTES", "Flip", "read_flips", "render_flips"]

CACHE_BYTES = 1 << 30
"""Room for twenty thousand pictures of 128 px, some 900 portraits with every attribute flipped."""

_CHUNK = 8


@dataclass(frozen=True)
class Flip:
    """A picture of a rendered set as it would look with `attribute` on or off."""

    data: str
    """Name of the set."""
    record: Any
    attribute: str
    value: bool

    @property
    def path(self) -> Path:
        data = data_set(self.data)
        words = [self.record.to_json(), self.attribute, str(self.value), str(data.renderer), str(data.size_px)]
        name = hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]
        return data_dir() / "cache" / "counterfactuals" / f"{name}.npy"


def render_flips(flips: Sequence[Flip], *, processes: int | None, step: Callable[[int, int], None]) -> int:
    """Renders those that are not yet kept, over `processes` (None: one a core); returns how many.

    `step` is told the number done and the number to do. An interruption keeps what is finished.
    """
    paths = [flip.path for flip in flips]
    missing = [flip for flip, path in zip(flips, paths, strict=True) if not path.exists()]
    _make_room(keep=set(paths), needed_bytes=sum(3 * data_set(flip.data).size_px ** 2 for flip in missing))
    tasks = [tuple(missing[start : start + _CHUNK]) for start in range(0, len(missing), _CHUNK)]
    done = 0
    step(0, len(missing))
    for count in in_processes(_render_chunk, tasks, processes=processes):
        done += count
        step(done, len(missing))
    return done


def read_flips(flips: Sequence[Flip]) -> np.ndarray:
    """The pictures of flips of one set, uint8 [n, S, S, 3]; all must have been rendered."""
    return np.stack([np.load(flip.path) for flip in flips])


def _render_chunk(flips: tuple[Flip, ...]) -> int:
    for flip in flips:
        data = data_set(flip.data)
        picture = data.render(data.counterfactual(flip.record, flip.attribute, flip.value), data.size_px)
        with replacing(flip.path) as temporary:
            np.save(temporary, picture)
    return len(flips)


def _make_room(*, keep: set[Path], needed_bytes: int) -> None:
    """Removes the oldest files that are not in `keep` until as much more fits into the bound, if that can be reached."""
    folder = data_dir() / "cache" / "counterfactuals"
    if not folder.is_dir():
        return
    files = [(path.stat(), path) for path in folder.glob("*.npy")]
    total = sum(state.st_size for state, _ in files) + needed_bytes
    for state, path in sorted(files, key=lambda item: item[0].st_mtime):
        if total <= CACHE_BYTES:
            return
        if path not in keep:
            path.unlink(missing_ok=True)
            total -= state.st_size
