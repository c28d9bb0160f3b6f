"""Rendered data sets on disk: rendered once, extended when more is wanted, resumed after an interruption.

A set's folder holds ``images.npy`` (uint8 [rows, S, S, 3]), ``factors.jsonl`` (one record a line), ``labels.npy``
(bool [rows, K]), ``classes.npy`` (int64 [rows], where the set has classes) and ``set.json``. One process writes: pictures
first, then their lines, so the complete lines of ``factors.jsonl`` always count the rows that are valid, whatever was
interrupted.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.atomic import replacing, write_json
from engines.core.errors import OptionError
from engines.core.paths import data_dir
from engines.core.progress import CancelToken, Progress, ProgressCallback
from engines.data.dataset import DataSet, FactorRecord
from engines.data.registry import check_split, data_set
from engines.data.workers import in_processes

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

__all__ = ["RenderedSet", "rendered_set"]

_CHUNK = 8
"""Pictures per task: an interruption loses at most a second of work per process."""


@dataclass(frozen=True, eq=False)
class RenderedSet:
    """N rendered pictures with their labels."""

    data: DataSet
    split: str
    folder: Path
    images: np.ndarray
    """uint8 memmap [N, S, S, 3], RGB."""
    labels: np.ndarray
    """bool [N, K], columns in the order of `attributes`."""
    classes: np.ndarray | None
    """int64 [N], indices into ``data.classes``; None where the set has no classes."""

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the K columns of `labels`."""
        return self.data.attributes

    @property
    def licence(self) -> str:
        return self.data.licence

    @cached_property
    def records(self) -> Sequence[Any]:
        """The N factor records; read when first asked for (about a second per 10,000)."""
        return _read_records(self.data, self.folder / "factors.jsonl", len(self.images))


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

    `name` is one of :data:`engines.data.registry.DATA_SETS`, `split` one of that set's splits. `folder` defaults to
    ``<data dir>/datasets/<name>/<split>``. Cancelling or killing keeps what is finished.
    """
    data = data_set(name)
    check_split(data, split)
    if n < 1:
        raise OptionError(f"A rendered set has at least one picture; n = {n} was asked for.")
    home = Path(folder) if folder is not None else data_dir() / "datasets" / name / split
    if _finished(home) < n:
        home.mkdir(parents=True, exist_ok=True)
        with _only_writer(home):
            _check_identity(home, data, split)
            _render_missing(home, data, split, n, processes, progress, cancel)
    _check_identity(home, data, split)
    images = np.load(home / "images.npy", mmap_mode="r")[:n]
    labels = _table(home / "labels.npy", data, lambda record: [data.labels(record)[name] for name in data.attributes])
    classes = None if data.class_of is None else _table(home / "classes.npy", data, data.class_of)
    return RenderedSet(data, split, home, images, labels[:n], None if classes is None else classes[:n])


def _render_missing(
    home: Path, data: DataSet, split: str, n: int, processes: int | None,
    progress: ProgressCallback | None, cancel: CancelToken | None,
) -> None:  # fmt: skip
    lines = home / "factors.jsonl"
    done = _finished(home)
    _drop_unfinished_line(lines)
    if done and _last_line(lines) != data.record(split, done - 1).to_json():
        raise _foreign(home)
    images = _room_for(home / "images.npy", n, done, data.size_px)
    tasks = [(data.name, split, start, min(start + _CHUNK, n)) for start in range(done, n, _CHUNK)]
    started = time.monotonic()
    with lines.open("a", encoding="utf-8") as file:
        for pictures, records in in_processes(_render_chunk, tasks, processes=processes, cancel=cancel):
            images[done : done + len(pictures)] = pictures
            file.writelines(record + "\n" for record in records)
            file.flush()
            done += len(pictures)
            if progress is not None:
                progress(Progress(f"Rendering {data.name} ({split})", done, n, time.monotonic() - started))
    images.flush()


def _render_chunk(task: tuple[str, str, int, int]) -> tuple[np.ndarray, list[str]]:
    """Pictures [k, S, S, 3] and factor lines of rows start..stop; runs in a process of its own."""
    name, split, start, stop = task
    data = data_set(name)
    records = [data.record(split, index) for index in range(start, stop)]
    return np.stack([data.render(record, data.size_px) for record in records]), [record.to_json() for record in records]


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


def _room_for(path: Path, n: int, done: int, size_px: int) -> np.ndarray:
    """A writable memmap of at least `n` rows that keeps the first `done`."""
    if path.exists():
        images = np.load(path, mmap_mode="r+")
        if len(images) >= n:
            return images
    with replacing(path) as temporary:
        grown = np.lib.format.open_memmap(temporary, "w+", np.uint8, (n, size_px, size_px, 3))
        if done:
            grown[:done] = np.load(path, mmap_mode="r")[:done]
        grown.flush()
    return np.load(path, mmap_mode="r+")


def _table(path: Path, data: DataSet, row_of: Callable[[Any], Any]) -> np.ndarray:
    """`row_of` every finished record, kept as the file `path`: [rows, ...]."""
    rows = _finished(path.parent)
    if path.exists():
        table = np.load(path)
        if len(table) == rows:
            return table
    table = np.array([row_of(record) for record in _read_records(data, path.parent / "factors.jsonl", rows)])
    with replacing(path) as temporary:
        np.save(temporary, table)
    return table


def _read_records(data: DataSet, path: Path, count: int) -> list[FactorRecord]:
    with path.open(encoding="utf-8") as file:
        return [data.read(line) for line, _ in zip(file, range(count), strict=False)]


def _check_identity(home: Path, data: DataSet, split: str) -> None:
    """Writes what the folder holds, or refuses a folder that holds something else."""
    path = home / "set.json"
    expected = {
        "name": data.name, "split": split, "renderer": data.renderer, "size_px": data.size_px,
        "attributes": list(data.attributes), "licence": data.licence,
    }  # fmt: skip
    if data.classes:
        expected["classes"] = list(data.classes)
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
