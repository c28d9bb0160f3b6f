"""Labelled pictures of a user: a folder with a table, or two lists of files. Nothing is opened here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engines.core.errors import OptionError
from engines.data.label_table import LabelTable

__all__ = ["LabelledPictures", "chosen_attribute", "from_groups", "from_table", "from_uploads", "known_labels"]


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Files and whether each has the attribute."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    """What errors call them."""
    has: np.ndarray
    """bool [N]"""
    known: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Labels bool [N] of attributes that the pack has already, where the user gives them."""

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def digest(self) -> str:
        """16 hex digits that change with the names and the labels; what is in the files is not looked at."""
        lines = [f"{name}:{int(has)}" for name, has in zip(self.names, self.has, strict=True)]
        lines += [f"{name}:{np.packbits(column).tobytes().hex()}" for name, column in sorted(self.known.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def from_table(table: LabelTable, folder: Path, attribute: str, known: Iterable[str]) -> LabelledPictures:
    """The pictures of a table in `folder`, or in its ``images``, as ``data`` has them.

    known: attributes that the pack has; labels of them are used. Raises OptionError for labels of files that are not there.
    """
    if not folder.is_dir():
        raise OptionError(f"--images {folder}: there is no such folder.")
    root = folder
    if not (folder / table.files[0]).is_file() and (folder / "images" / table.files[0]).is_file():
        root = folder / "images"
    paths = tuple(root / file for file in table.files)
    absent = [file for file, path in zip(table.files, paths, strict=True) if not path.is_file()]
    if absent:
        some = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
        raise OptionError(
            f"{len(absent)} of {len(paths)} labelled pictures are not in {root}: {some}; "
            "take their lines out of the table, or name the folder that has them."
        )
    return LabelledPictures(paths, table.files, table.column(attribute), known_labels(table, attribute, known))


def from_uploads(table: LabelTable, files: Mapping[str, Path], attribute: str, known: Iterable[str]) -> LabelledPictures:
    """The pictures of a table among uploaded `files`, by their plain names. Raises OptionError for labels of files not sent."""
    names = [file.rsplit("/", 1)[-1] for file in table.files]
    absent = [name for name in names if name not in files]
    if absent:
        some = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")
        raise OptionError(f"{len(absent)} of {len(names)} labelled pictures were not sent: {some}; choose these too.")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"the table labels two pictures of the name {twice}; give each a name of its own.")
    paths = tuple(files[name] for name in names)
    return LabelledPictures(paths, tuple(names), table.column(attribute), known_labels(table, attribute, known))


def from_groups(having: Sequence[tuple[Path, str]], lacking: Sequence[tuple[Path, str]]) -> LabelledPictures:
    """Two lists of (path, name): pictures with the attribute and pictures without."""
    both = [*having, *lacking]
    has = np.arange(len(both)) < len(having)
    return LabelledPictures(tuple(path for path, _ in both), tuple(name for _, name in both), has)


def known_labels(table: LabelTable, attribute: str, known: Iterable[str]) -> dict[str, np.ndarray]:
    """The table's labels of the pack's attributes, without `attribute`."""
    return {name: table.column(name) for name in known if name in table.attributes and name != attribute}


def chosen_attribute(attributes: Sequence[str], wanted: str | None, known: Iterable[str]) -> str:
    """The column to learn: the one asked for, or the only one that the pack does not know. Raises OptionError."""
    if wanted is not None:
        if wanted not in attributes:
            raise OptionError(f"--attribute {wanted[:60]}: the labels have {', '.join(attributes)}.")
        return wanted
    have = set(known)
    new = [name for name in attributes if name not in have]
    candidates = new or list(attributes)
    if len(candidates) != 1:
        what = "the labels have several new attributes" if new else "the pack knows all attributes of the labels"
        shown = ", ".join(candidates[:20])
        raise OptionError(f"{what} ({shown}): say which to learn with --attribute.")
    return candidates[0]
