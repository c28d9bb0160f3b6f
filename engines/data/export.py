"""Rendered pictures as plain files, for other tools: PNGs, a table of labels, the factors, and true edited pictures."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from engines.core.atomic import replacing, write_json
from engines.core.errors import OptionError
from engines.core.progress import CancelToken, Progress, ProgressCallback
from engines.data.dataset import DataSet, FactorRecord
from engines.data.registry import data_set
from engines.data.workers import in_processes

__all__ = ["Export", "export_labelled"]

_CHUNK = 4


@dataclass(frozen=True)
class Export:
    """What an export wrote."""

    out_dir: Path
    n: int
    counterfactuals: tuple[str, ...]
    rendered: int
    """Pictures rendered by this call; what a former call had finished is kept."""
    seconds: float


@dataclass(frozen=True)
class _Task:
    name: str
    seed: int
    start: int
    stop: int
    size_px: int
    counterfactuals: tuple[str, ...]
    out_dir: Path


def export_labelled(
    name: str,
    n: int,
    out_dir: Path | str,
    *,
    size_px: int | None = None,
    seed: int = 0,
    counterfactuals: Sequence[str] = (),
    processes: int | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Export:
    """Writes `n` pictures of the set `name` at `size_px` (default: the set's own size; bounds: ``DataSet.sizes_px``).

    ``images/000000.png``…, ``labels.csv`` (``file,A1,A2,…`` with 0 and 1), ``factors.jsonl`` (one record a line, with its class
    where the set has classes), and for each attribute A of `counterfactuals` the same pictures with that one attribute
    flipped, ``counterfactuals/A/000000.png``…. Another `seed` gives other pictures; none is in the training sets.
    The same call again continues an interrupted one; a larger `n` extends it.
    """
    started = time.monotonic()
    data, out, chosen = data_set(name), Path(out_dir), tuple(counterfactuals)
    size_px = data.size_px if size_px is None else size_px
    _check(data, n, size_px, chosen)
    _check_identity(out, {"name": name, "seed": seed, "size_px": size_px, "renderer": data.renderer, "licence": data.licence})
    tasks = [_Task(name, seed, k, min(k + _CHUNK, n), size_px, chosen, out) for k in range(0, n, _CHUNK)]
    records: list[FactorRecord] = []
    rendered = 0
    for lines, count in in_processes(_export_chunk, tasks, processes=processes, cancel=cancel):
        records += [data.read(line) for line in lines]
        rendered += count
        if progress is not None:
            progress(Progress(f"Rendering {name}", len(records), n, time.monotonic() - started))
    _write_tables(out, data, records)
    return Export(out, n, chosen, rendered, time.monotonic() - started)


def _check(data: DataSet, n: int, size_px: int, counterfactuals: tuple[str, ...]) -> None:
    if n < 1:
        raise OptionError(f"At least one picture is needed; n = {n} was asked for.")
    smallest, largest = data.sizes_px
    if not smallest <= size_px <= largest:
        raise OptionError(f"Pictures of {data.name} are rendered at {smallest} to {largest} px; {size_px} was asked for.")
    unknown = [each for each in counterfactuals if each not in data.attributes]
    if unknown:
        raise OptionError(f"There is no attribute {', '.join(unknown)}; choose among {', '.join(data.attributes)}.")


def _check_identity(out: Path, expected: dict) -> None:
    """Writes what the folder holds, or refuses to mix two exports."""
    path = out / "export.json"
    if not path.exists():
        write_json(path, expected)
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
    except (ValueError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise OptionError(f"--out: {path} cannot be read ({reason}); choose another folder, or remove the file.") from error
    if found != expected:
        other = ", ".join(f"{key} {found.get(key)!r}" for key in expected if found.get(key) != expected[key])
        raise OptionError(f"{out} holds an export with {other}; choose another folder, or the same options to continue it.")


def _export_chunk(task: _Task) -> tuple[list[str], int]:
    """Writes the pictures of rows start..stop that are missing; returns the factor lines and how many were rendered."""
    data = data_set(task.name)
    lines, rendered = [], 0
    for index in range(task.start, task.stop):
        record = data.exported(task.seed, index)
        lines.append(record.to_json())
        labels = data.labels(record)
        wanted = {task.out_dir / "images" / _file_name(index): record}
        for name in task.counterfactuals:
            path = task.out_dir / "counterfactuals" / name / _file_name(index)
            wanted[path] = data.counterfactual(record, name, not labels[name])
        for path, shown in wanted.items():
            if not path.exists():
                with replacing(path) as temporary:
                    Image.fromarray(data.render(shown, task.size_px)).save(temporary)
                rendered += 1
    return lines, rendered


def _write_tables(out: Path, data: DataSet, records: list[FactorRecord]) -> None:
    with replacing(out / "factors.jsonl") as temporary:
        temporary.write_text("".join(record.to_json() + "\n" for record in records), encoding="utf-8")
    with replacing(out / "labels.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *data.attributes])
        for index, record in enumerate(records):
            labels = data.labels(record)
            table.writerow([_file_name(index), *(int(labels[name]) for name in data.attributes)])


def _file_name(index: int) -> str:
    return f"{index:06d}.png"
