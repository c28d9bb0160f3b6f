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
from engines.data.faces.attributes import ATTRIBUTES, attributes
from engines.data.faces.counterfactual import counterfactual
from engines.data.faces.portrait import Portrait
from engines.data.faces.render import LARGEST_PX, SMALLEST_PX, render
from engines.data.sets import LICENCE, RENDERER_VERSION
from engines.data.splits import check_names, exported_portrait
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
    size_px: int = 128,
    seed: int = 0,
    counterfactuals: Sequence[str] = (),
    processes: int | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
) -> Export:
    """Writes `n` portraits of the set `name` ("faces" or "faces-ood") at `size_px` (64..512).

    ``images/000000.png``…, ``labels.csv`` (``file,Male,Young,…`` with 0 and 1), ``factors.jsonl`` (one portrait a line), and
    for each attribute A of `counterfactuals` the same portraits with that one attribute flipped,
    ``counterfactuals/A/000000.png``…. Another `seed` gives other portraits; none is in the training sets. The same call
    again continues an interrupted one; a larger `n` extends it.
    """
    started = time.monotonic()
    out, chosen = Path(out_dir), tuple(counterfactuals)
    _check(name, n, size_px, chosen)
    _check_identity(out, {"name": name, "seed": seed, "size_px": size_px, "renderer": RENDERER_VERSION, "licence": LICENCE})
    tasks = [_Task(name, seed, k, min(k + _CHUNK, n), size_px, chosen, out) for k in range(0, n, _CHUNK)]
    portraits: list[Portrait] = []
    rendered = 0
    for lines, count in in_processes(_export_chunk, tasks, processes=processes, cancel=cancel):
        portraits += [Portrait.from_json(line) for line in lines]
        rendered += count
        if progress is not None:
            progress(Progress(f"Rendering {name}", len(portraits), n, time.monotonic() - started))
    _write_tables(out, portraits)
    return Export(out, n, chosen, rendered, time.monotonic() - started)


def _check(name: str, n: int, size_px: int, counterfactuals: tuple[str, ...]) -> None:
    check_names(name, "train")
    if n < 1:
        raise OptionError(f"At least one picture is needed; n = {n} was asked for.")
    if not SMALLEST_PX <= size_px <= LARGEST_PX:
        raise OptionError(f"Portraits are rendered at {SMALLEST_PX} to {LARGEST_PX} px; {size_px} was asked for.")
    unknown = [each for each in counterfactuals if each not in ATTRIBUTES]
    if unknown:
        raise OptionError(f"There is no attribute {', '.join(unknown)}; choose among {', '.join(ATTRIBUTES)}.")


def _check_identity(out: Path, expected: dict) -> None:
    """Writes what the folder holds, or refuses to mix two exports."""
    path = out / "export.json"
    if not path.exists():
        write_json(path, expected)
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    if found != expected:
        other = ", ".join(f"{key} {found.get(key)!r}" for key in expected if found.get(key) != expected[key])
        raise OptionError(f"{out} holds an export with {other}; choose another folder, or the same options to continue it.")


def _export_chunk(task: _Task) -> tuple[list[str], int]:
    """Writes the pictures of rows start..stop that are missing; returns the factor lines and how many were rendered."""
    lines, rendered = [], 0
    for index in range(task.start, task.stop):
        portrait = exported_portrait(task.name, task.seed, index)
        lines.append(portrait.to_json())
        labels = attributes(portrait)
        wanted = {task.out_dir / "images" / _file_name(index): portrait}
        for name in task.counterfactuals:
            path = task.out_dir / "counterfactuals" / name / _file_name(index)
            wanted[path] = counterfactual(portrait, name, not labels[name])
        for path, shown in wanted.items():
            if not path.exists():
                with replacing(path) as temporary:
                    Image.fromarray(render(shown, task.size_px)).save(temporary)
                rendered += 1
    return lines, rendered


def _write_tables(out: Path, portraits: list[Portrait]) -> None:
    with replacing(out / "factors.jsonl") as temporary:
        temporary.write_text("".join(portrait.to_json() + "\n" for portrait in portraits), encoding="utf-8")
    with replacing(out / "labels.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *ATTRIBUTES])
        for index, portrait in enumerate(portraits):
            labels = attributes(portrait)
            table.writerow([_file_name(index), *(int(labels[name]) for name in ATTRIBUTES)])


def _file_name(index: int) -> str:
    return f"{index:06d}.png"
