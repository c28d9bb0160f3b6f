"""Tables of labels as ``data`` writes them: ``file,A1,A2,...`` with 0 and 1, one line a picture. Anyone may have made them.

-1 for 0 and true/false are understood too, as is a column ``class``, which is left out. Everything else is one clear sentence.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from engines.core.errors import OptionError
from engines.core.text import printable

__all__ = ["MAX_BYTES", "MAX_COLUMNS", "MAX_ROWS", "LabelTable", "parse_label_table", "read_label_table"]

MAX_BYTES = 64 << 20
MAX_ROWS = 1_000_000
MAX_COLUMNS = 512
_MAX_NAME = 100
_IGNORED = ("class",)
_VALUES = {"1": True, "0": False, "-1": False, "true": True, "false": False}


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The labels of named pictures."""

    files: tuple[str, ...]
    """Relative paths with forward slashes, each once."""
    attributes: tuple[str, ...]
    labels: np.ndarray
    """bool [N, K]"""

    def column(self, attribute: str) -> np.ndarray:
        """bool [N]"""
        return self.labels[:, self.attributes.index(attribute)]


def read_label_table(path: Path | str) -> LabelTable:
    """Reads a file. Raises OptionError that names it and, where there is one, the line."""
    path = Path(path)
    if not path.is_file():
        raise OptionError(f"{path}: there is no such file of labels; give a CSV file that begins with file,ATTRIBUTE.")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    return parse_label_table(data, path.name)


def parse_label_table(data: bytes, name: str) -> LabelTable:
    """Reads the bytes of a table; `name` is what errors call it."""
    if len(data) > MAX_BYTES:
        raise OptionError(f"{name} is larger than {MAX_BYTES >> 20} MB; labels of so many pictures are not read.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OptionError(f"{name} is not text in UTF-8; save it as CSV (UTF-8).") from None
    if "\0" in text:
        raise OptionError(f"{name} is not a text file; save it as CSV (UTF-8).")
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    files: dict[str, int] = {}
    rows: list[list[bool]] = []
    try:
        attributes, kept = _header(next(lines, []), name)
        width = len(kept) + 1
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{name}, line {lines.line_num}"
            if len(cells) != width:
                raise OptionError(f"{where}: {len(cells)} values where the first line names {width} columns.")
            if len(rows) == MAX_ROWS:
                raise OptionError(f"{name} has more than {MAX_ROWS:,} lines; use fewer pictures.")
            file = _file(cells[0], where)
            if file in files:
                raise OptionError(f"{where}: {file} was labelled in line {files[file]} already.")
            files[file] = lines.line_num
            rows.append([_value(cell, where) for cell, wanted in zip(cells[1:], kept, strict=True) if wanted])
    except csv.Error as error:
        raise OptionError(f"{name}, line {lines.line_num}: this is no CSV table ({error}).") from None
    if not rows:
        raise OptionError(f"{name} labels no picture: there is nothing below its first line.")
    return LabelTable(tuple(files), attributes, np.array(rows, bool).reshape(len(rows), len(attributes)))


def _header(cells: list[str], name: str) -> tuple[tuple[str, ...], list[bool]]:
    """The attributes, and of every column after the first whether it is one."""
    names = [cell.strip() for cell in cells]
    if not names or names[0].casefold() != "file" or len(names) < 2:
        begins = _shown(",".join(names))
        raise OptionError(f"{name} begins with {begins}; the first line has to be file,ATTRIBUTE (with commas).")
    if len(names) > MAX_COLUMNS:
        raise OptionError(f"{name} has {len(names):,} columns; at most {MAX_COLUMNS} are read.")
    kept = [each.casefold() not in _IGNORED for each in names[1:]]
    attributes = tuple(each for each, wanted in zip(names[1:], kept, strict=True) if wanted)
    for each in attributes:
        if not each or len(each) > _MAX_NAME or not each.isprintable():
            raise OptionError(f"{name}: {_shown(each)} in the first line is no name of an attribute.")
    if len(set(attributes)) != len(attributes):
        twice = next(each for each in attributes if attributes.count(each) > 1)
        raise OptionError(f"{name} has two columns {_shown(twice)}.")
    if not attributes:
        raise OptionError(f"{name} has no column of an attribute; the first line has to be file,ATTRIBUTE.")
    return attributes, kept


def _file(cell: str, where: str) -> str:
    """A path that stays inside the folder of pictures."""
    file = cell.strip().replace("\\", "/")
    path = PurePosixPath(file)
    if not file or len(file) > 1000 or not file.isprintable():
        raise OptionError(f"{where}: {_shown(cell)} is no name of a file.")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise OptionError(f"{where}: {_shown(file)} leads out of the folder of pictures; give names inside it.")
    return str(path)


def _value(cell: str, where: str) -> bool:
    value = _VALUES.get(cell.strip().casefold())
    if value is None:
        raise OptionError(f"{where}: {_shown(cell)} is no label; use 1 and 0.")
    return value


def _shown(text: str) -> str:
    """A cell in a sentence: short, without what would break the line."""
    plain = printable(text)
    return repr(plain[:40] + ("…" if len(plain) > 40 else ""))
