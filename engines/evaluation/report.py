"""What an evaluation leaves in its folder: ``table.csv``, ``report.md``, ``result.json`` and pictures.

Every file names the command line, the seed, the pack and the hash of its weights, and nothing that a second run would
change (no date, no output path); of the figures only those with seconds or milliseconds in their names vary.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engines.core.atomic import replacing, write_json, write_text

__all__ = ["Provenance", "ReportFolder", "flat", "markdown_table", "plain", "split_differences"]

_DIGITS = 6
_LARGEST_PNG_PIXELS = 2_000_000


@dataclass(frozen=True)
class Provenance:
    """What produced a report."""

    command: str
    """The command line with every option that matters to the figures, defaults included."""
    seed: int
    pack: str
    weights: str
    """Short hash over the pack's weights."""

    @staticmethod
    def of(what: str, options: Mapping[str, Any], *, seed: int, pack: str, weights: str) -> Provenance:
        """`what`: e.g. ``evaluate edits``; `options`: long option name -> value, None for one not given, True for a flag."""
        given = [f"--{name}" if value is True else f"--{name} {value}" for name, value in options.items() if value is not None]
        words = ["python -m engines", what, "--pack", pack, *given, "--seed", str(seed)]
        return Provenance(" ".join(words), seed, pack, weights)


@dataclass
class ReportFolder:
    """Collects what an evaluation found and writes it into `folder`; every file is written atomically."""

    folder: Path
    title: str
    provenance: Provenance
    _parts: list[str] = field(default_factory=list)

    def text(self, paragraph: str) -> None:
        """Adds a paragraph (Markdown) to the report."""
        self._parts.append(paragraph.strip())

    def heading(self, title: str) -> None:
        self._parts.append(f"## {title}")

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds a table to the report; columns in order of first appearance."""
        self._parts.append(markdown_table(rows))

    def further_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes ``<name>.csv`` beside ``table.csv``, in the same form."""
        write_text(self.folder / f"{name}.csv", _csv([{**plain(row), **asdict(self.provenance)} for row in rows]))

    def picture(self, name: str, pixels: np.ndarray, caption: str) -> Path:
        """Saves uint8 RGB [H, W, 3] as ``<name>.png`` and shows it in the report; sheets of many pictures as ``<name>.jpg``.

        The provenance is in the text chunks of a PNG, and in the comment of a JPEG.
        """
        image, source = Image.fromarray(pixels), {key: str(value) for key, value in asdict(self.provenance).items()}
        if image.width * image.height > _LARGEST_PNG_PIXELS:
            path = self.folder / f"{name}.jpg"
            with replacing(path) as temporary:
                image.save(temporary, quality=92, subsampling=0, optimize=True, comment=json.dumps(source))
        else:
            path, information = self.folder / f"{name}.png", PngInfo()
            for key, value in source.items():
                information.add_text(key, value)
            with replacing(path) as temporary:
                image.save(temporary, pnginfo=information)
        self._parts.append(f"![{caption}]({path.name})\n\n{caption}")
        return path

    def write(self, rows: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> dict[str, Any]:
        """Writes ``table.csv`` from `rows`, ``result.json`` and ``report.md``; returns `result` in plain JSON values."""
        source = asdict(self.provenance)
        write_text(self.folder / "table.csv", _csv([{**plain(row), **source} for row in rows]))
        figures = plain(result)
        write_json(self.folder / "result.json", {"provenance": source, "result": figures})
        head = [
            f"# {self.title}",
            f"Pack `{source['pack']}`, weights `{source['weights']}`, seed {source['seed']}.\n\n    {source['command']}",
        ]
        write_text(self.folder / "report.md", "\n\n".join([*head, *self._parts]) + "\n")
        return figures


def plain(value: Any) -> Any:
    """The value in JSON's types: NumPy scalars unpacked, floats rounded to six significant digits, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """A line for a table of files: every interval, ``x_interval``, becomes two columns, ``x_low`` and ``x_high``."""
    line: dict[str, Any] = {}
    for key, value in figures.items():
        if key.endswith("_interval"):
            name = key.removesuffix("_interval")
            line[f"{name}_low"], line[f"{name}_high"] = value
        else:
            line[key] = value
    return line


def split_differences(rows: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """Lines that compare with the first one, as two tables for people: the figures, and the differences, ``x_less_first``.

    The first column stays in both, and intervals are called ``x 95 %``; without a second line there are no differences.
    """
    figures, differences = [], []
    for row in rows:
        shown = {key.replace("_interval", " 95 %"): value for key, value in row.items()}
        name = next(iter(shown))
        figures.append({key: value for key, value in shown.items() if "_less_first" not in key})
        differences.append({key: value for key, value in shown.items() if key == name or "_less_first" in key})
    return [figures, differences[1:]] if len(rows) > 1 else [figures]


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns in order of first appearance; what is missing or not a number is a dash."""
    columns = _columns(rows)
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(_cell(row.get(name)) for name in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: Any) -> str:
    # As `plain` rounds it: a figure that a model card takes from result.json then reads as it does here.
    value = plain(value)
    if value is None:
        return "–"
    if isinstance(value, list):
        cells = [_cell(item) for item in value]
        return "–" if set(cells) <= {"–"} else " to ".join(cells)
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) >= 0.1 else f"{value:.3g}"
    return str(value).replace("|", "\\|")
