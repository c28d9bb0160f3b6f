"""Renders of portraits with one attribute flipped: the truth that edits are compared with.

They are kept in ``<data dir>/cache/counterfactuals``, one file each, named after everything the picture depends on: the
portrait, the attribute, and the renderer's version. The folder is bounded; the oldest files go first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.core.atomic import replacing
from engines.core.paths import data_dir
from engines.data.faces import Portrait, counterfactual, render
from engines.data.sets import RENDERER_VERSION, SET_SIZE_PX
from engines.data.workers import in_processes

__all__ = ["CACHE_BYTES", "Flip", "read_flips", "render_flips"]

CACHE_BYTES = 1 << 30
"""Room for twenty thousand pictures of 128 px, some 900 portraits with every attribute flipped."""

_CHUNK = 8


@dataclass(frozen=True)
class Flip:
    """A portrait as it would look with `attribute` on or off."""

    portrait: Portrait
    attribute: str
    value: bool

    @property
    def path(self) -> Path:
        words = [self.portrait.to_json(), self.attribute, str(self.value), str(RENDERER_VERSION), str(SET_SIZE_PX)]
        name = hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]
        return data_dir() / "cache" / "counterfactuals" / f"{name}.npy"


def render_flips(flips: Sequence[Flip], *, processes: int | None, step: Callable[[int, int], None]) -> int:
    """Renders those that are not yet kept, over `processes` (None: one a core); returns how many.

    `step` is told the number done and the number to do. An interruption keeps what is finished.
    """
    paths = [flip.path for flip in flips]
    _make_room(keep=set(paths), missing=sum(not path.exists() for path in paths))
    missing = [flip for flip, path in zip(flips, paths, strict=True) if not path.exists()]
    tasks = [tuple(missing[start : start + _CHUNK]) for start in range(0, len(missing), _CHUNK)]
    done = 0
    step(0, len(missing))
    for count in in_processes(_render_chunk, tasks, processes=processes):
        done += count
        step(done, len(missing))
    return done


def read_flips(flips: Sequence[Flip]) -> np.ndarray:
    """The pictures, uint8 [n, 128, 128, 3]; all must have been rendered."""
    return np.stack([np.load(flip.path) for flip in flips])


def _render_chunk(flips: tuple[Flip, ...]) -> int:
    for flip in flips:
        picture = render(counterfactual(flip.portrait, flip.attribute, flip.value), SET_SIZE_PX)
        with replacing(flip.path) as temporary:
            np.save(temporary, picture)
    return len(flips)


def _make_room(*, keep: set[Path], missing: int) -> None:
    """Removes the oldest files that are not in `keep` until `missing` more fit into the bound, if that can be reached."""
    folder = data_dir() / "cache" / "counterfactuals"
    if not folder.is_dir():
        return
    files = [(path.stat(), path) for path in folder.glob("*.npy")]
    total = sum(state.st_size for state, _ in files) + missing * SET_SIZE_PX * SET_SIZE_PX * 3
    for state, path in sorted(files, key=lambda item: item[0].st_mtime):
        if total <= CACHE_BYTES:
            return
        if path not in keep:
            path.unlink(missing_ok=True)
            total -= state.st_size
