"""Where pictures differ from their counterfactuals: rendered once, and kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.core.atomic import replacing
from engines.core.paths import data_dir
from engines.core.progress import Progress, ProgressCallback
from engines.core.rng import numpy_generator
from engines.data.registry import data_set
from engines.data.workers import in_processes

__all__ = ["Changes", "changes_of", "rendered_changes"]

_CHUNK = 50


@dataclass(frozen=True, eq=False)
class Changes:
    """Changes of the first N pictures of a split, each turned over in a few of its attributes."""

    flipped: np.ndarray
    """int64 [N, m]: which attributes, by their place in the set's."""
    levels: np.ndarray
    """uint8 [N, m, S/2, S/2]: the largest change of any channel in each two by two pixels, in levels."""


def rendered_changes(
    name: str, split: str, n: int, *, attributes: int, processes: int | None = None, progress: ProgressCallback | None = None
) -> Changes:
    """The changes of the first `n` pictures in `attributes` random attributes each.

    They are kept in the data folder by the set's renderer: what is there already is not rendered again, and stopping keeps what
    is whole.
    """
    data = data_set(name)
    home = data_dir() / "cache" / "changes" / f"{name}-{data.renderer}-{data.size_px}px" / f"{split}-{attributes}"
    home.mkdir(parents=True, exist_ok=True)
    # Chunks are kept whole, whatever number is asked for.
    chunks = range(0, n, _CHUNK)
    missing = [start for start in chunks if not _file(home, start).is_file()]
    tasks = [(name, split, start, attributes) for start in missing]
    begun = time.monotonic()
    for done, (start, found) in enumerate(zip(missing, in_processes(_chunk, tasks, processes=processes), strict=True), 1):
        with replacing(_file(home, start)) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **found)
        if progress is not None:
            progress(Progress(f"Rendering counterfactuals ({split})", done, len(missing), time.monotonic() - begun))
    parts = [np.load(_file(home, start)) for start in chunks]
    flipped, levels = (np.concatenate([part[key] for part in parts])[:n] for key in ("flipped", "levels"))
    return Changes(flipped, levels)


def changes_of(name: str, split: str, index: int, flipped: np.ndarray) -> np.ndarray:
    """uint8 [m, S/2, S/2]: see :attr:`Changes.levels`; flipped: int [m]."""
    data = data_set(name)
    record, side = data.record(split, index), data.size_px
    labels, picture = data.labels(record), data.render(record, side).astype(np.int16)
    found = np.zeros((len(flipped), side // 2, side // 2), np.uint8)
    for place, k in enumerate(flipped):
        attribute = data.attributes[k]
        other = data.render(data.counterfactual(record, attribute, not labels[attribute]), side)
        change = np.abs(other - picture).max(axis=2).astype(np.uint8)
        found[place] = change.reshape(side // 2, 2, side // 2, 2).max(axis=(1, 3))
    return found


def _chunk(task: tuple[str, str, int, int]) -> dict[str, np.ndarray]:
    name, split, start, count = task
    known = len(data_set(name).attributes)
    places = range(start, start + _CHUNK)
    flipped = np.stack([numpy_generator(index, 41).permutation(known)[:count] for index in places])
    levels = [changes_of(name, split, index, chosen) for index, chosen in zip(places, flipped, strict=True)]
    return {"flipped": flipped, "levels": np.stack(levels)}


def _file(home: Path, start: int) -> Path:
    return home / f"{start:06d}.npz"
