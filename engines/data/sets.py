"""Rendered data sets on disk: rendered once, extended when more is wanted, resumed after an interruption.

A set's folder holds ``images.npy`` (uint8 [rows, 128, 128, 3]), ``factors.jsonl`` (one portrait a line), ``labels.npy``
(bool [rows, K]) and ``set.json``. One process writes: pictures first, then their lines, so the complete lines of
``factors.jsonl`` always count the rows that are valid, whatever was interrupted.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from engines.core.atomic import replacing, write_json
from engines.core.errors import OptionError
from engines.core.paths import data_dir
from engines.core.progress import CancelToken, Progress, ProgressCallback
from engines.data.faces.attributes import ATTRIBUTES, attributes
from engines.data.faces.portrait import Portrait
from engines.data.faces.render import render
from engines.data.splits import check_names, portrait_of
from engines.data.workers import in_processes

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

__all__ = ["LICENCE", "RENDERER_VERSION", "SET_SIZE_PX", "RenderedSet", "rendered_set"]

SET_SIZE_PX = 128
RENDERER_VERSION = 1
"""Grows when the same portrait gives another picture or other labels."""
LICENCE = "CC0-1.0 geometry (MakeHuman/MPFB2 head, Face Units by Mika Suominen); pictures rendered by this project"

_CHUNK = 8
"""Pictures per task: an interruption loses at most a second of work per process."""


@dataclass(frozen=True, eq=False)
class RenderedSet:
    """N rendered pictures with their labels."""

    name: str
    split: str
    folder: Path
    images: np.ndarray
    """uint8 memmap [N, 128, 128, 3], RGB."""
    labels: np.ndarray
    """bool [N, K]."""
    attributes: tuple[str, ...]
    """Names of the K columns of `labels`."""
    licence: str = field(default=LICENCE)

    @cached_property
    def portraits(self) -> Sequence[Portrait]:
        """The N factor records; read when first asked for (about a second per 10,000)."""
        return _read_portraits(self.folder / "factors.jsonl", len(self.images))


def rendered_set(
    name: str,
    split: str,
    n: int,
    *,
    folder: Path | str | None = None,
    processes: int | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> RenderedSet:
    """The first `n` pictures of a split; what is missing is rendered now, over `processes` (default: one per core).

    `name` is "faces" or "faces-ood", `split` one of "train", "validation", "test" and "reshoots" (row i shows the person of
    training row i on another day). `folder` defaults to ``<data dir>/datasets/<name>/<split>``. Cancelling or killing keeps
    what is finished.
    """
    check_names(name, split)
    if n < 1:
        raise OptionError(f"A rendered set has at least one picture; n = {n} was asked for.")
    home = Path(folder) if folder is not None else data_dir() / "datasets" / name / split
    if _finished(home) < n:
        home.mkdir(parents=True, exist_ok=True)
        with _only_writer(home):
            _check_identity(home, name, split)
            _render_missing(home, name, split, n, processes, progress, cancel)
    _check_identity(home, name, split)
    images = np.load(home / "images.npy", mmap_mode="r")[:n]
    return RenderedSet(name, split, home, images, _labels(home)[:n], ATTRIBUTES)


def _render_missing(
    home: Path, name: str, split: str, n: int, processes: int | None,
    progress: ProgressCallback | None, cancel: CancelToken | None,
) -> None:  # fmt: skip
    lines = home / "factors.jsonl"
    done = _finished(home)
    _drop_unfinished_line(lines)
    if done and _last_line(lines) != portrait_of(name, split, done - 1).to_json():
        raise _foreign(home)
    images = _room_for(home / "images.npy", n, done)
    tasks = [(name, split, start, min(start + _CHUNK, n)) for start in range(done, n, _CHUNK)]
    started = time.monotonic()
    with lines.open("a", encoding="utf-8") as file:
        for pictures, records in in_processes(_render_chunk, tasks, processes=processes, cancel=cancel):
            images[done : done + len(pictures)] = pictures
            file.writelines(record + "\n" for record in records)
            file.flush()
            done += len(pictures)
            if progress is not None:
                progress(Progress(f"Rendering {name} ({split})", done, n, time.monotonic() - started))
    images.flush()


def _render_chunk(task: tuple[str, str, int, int]) -> tuple[np.ndarray, list[str]]:
    """Pictures [k, 128, 128, 3] and factor lines of rows start..stop; runs in a process of its own."""
    name, split, start, stop = task
    portraits = [portrait_of(name, split, index) for index in range(start, stop)]
    return np.stack([render(portrait, SET_SIZE_PX) for portrait in portraits]), [each.to_json() for each in portraits]


def _finished(home: Path) -> int:
    """Rows whose pictures and factors are both on disk."""
    lines, images = home / "factors.jsonl", home / "images.npy"
    if not (lines.exists() and images.exists()):
        return 0
    with lines.open("rb") as file:
        complete = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return min(complete, len(np.load(images, mmap_mode="r")))


def _drop_unfinished_line(path: Path) -> None:
    """Cuts off a line whose writing was interrupted."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        tail = min(size, 1 << 16)
        file.seek(size - tail)
        file.truncate(size - tail + file.read(tail).rfind(b"\n") + 1)


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - (1 << 16)))
        return file.read().splitlines()[-1].decode("utf-8")


def _room_for(path: Path, n: int, done: int) -> np.ndarray:
    """A writable memmap of at least `n` rows that keeps the first `done`."""
    if path.exists():
        images = np.load(path, mmap_mode="r+")
        if len(images) >= n:
            return images
    with replacing(path) as temporary:
        grown = np.lib.format.open_memmap(temporary, "w+", np.uint8, (n, SET_SIZE_PX, SET_SIZE_PX, 3))
        if done:
            grown[:done] = np.load(path, mmap_mode="r")[:done]
        grown.flush()
    return np.load(path, mmap_mode="r+")


def _labels(home: Path) -> np.ndarray:
    """The label table of all finished rows, kept as a file."""
    path, rows = home / "labels.npy", _finished(home)
    if path.exists():
        labels = np.load(path)
        if labels.shape == (rows, len(ATTRIBUTES)):
            return labels
    table = [attributes(portrait) for portrait in _read_portraits(home / "factors.jsonl", rows)]
    labels = np.array([[row[name] for name in ATTRIBUTES] for row in table], bool)
    with replacing(path) as temporary:
        np.save(temporary, labels)
    return labels


def _read_portraits(path: Path, count: int) -> list[Portrait]:
    with path.open(encoding="utf-8") as file:
        return [Portrait.from_json(line) for line, _ in zip(file, range(count), strict=False)]


def _check_identity(home: Path, name: str, split: str) -> None:
    """Writes what the folder holds, or refuses a folder that holds something else."""
    path = home / "set.json"
    expected = {
        "name": name, "split": split, "renderer": RENDERER_VERSION, "size_px": SET_SIZE_PX,
        "attributes": list(ATTRIBUTES), "licence": LICENCE,
    }  # fmt: skip
    if not path.exists():
        write_json(path, expected)
    elif json.loads(path.read_text(encoding="utf-8")) != expected:
        raise _foreign(home)


def _foreign(home: Path) -> OptionError:
    return OptionError(
        f"{home} holds another set, or one rendered by another version. Remove that folder to render it anew, or name another."
    )


@contextmanager
def _only_writer(home: Path) -> Iterator[None]:
    """Refuses a second process that would render into the same folder; the lock ends with its process."""
    with (home / "rendering.lock").open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise OptionError(f"Another process is rendering into {home}; wait for it, or name another folder.") from error
        yield
