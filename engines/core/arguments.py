"""Argument parsing whose errors are OptionErrors, and types of options that say what they take.

A type refuses what cannot be used while the words are read: before a model is opened or a picture rendered.
"""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from engines.core.errors import OptionError

__all__ = [
    "Parser",
    "bounded_float",
    "bounded_int",
    "bounded_ints",
    "count_or_names",
    "folder_problem",
    "names",
    "new_file",
    "new_folder",
]


class Parser(argparse.ArgumentParser):
    """Raises OptionError where argparse would print its usage and leave."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # What argparse takes for a number and not for an option: also several of them, as in --shift -0.1,0.
        self._negative_number_matcher = re.compile(r"^-(\d|\.\d)[\d.,+e-]*$", re.IGNORECASE)

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message} (see {self.prog} --help)")


# ---- numbers --------------------------------------------------------------------------------------------------------


def bounded_int(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number") from None
        if value < least or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{text[:80]} is out of range, {_range(least, most)}")
        return value

    return parse


def bounded_ints(least: int, most: int | None = None) -> Callable[[str], tuple[int, ...]]:
    """An argparse type: whole numbers from `least` to `most` with commas between them, at least one."""
    each = bounded_int(least, most)
    return lambda text: tuple(each(part) for part in text.split(","))


def bounded_float(least: float, most: float | None = None, *, above: bool = False) -> Callable[[str], float]:
    """An argparse type: a finite number from `least` to `most`; with `above`, `least` itself is out of range too."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a number") from None
        low = value < least or (above and value == least)
        if not math.isfinite(value) or low or (most is not None and value > most):
            raise argparse.ArgumentTypeError(f"{text[:80]} is out of range, {_range(least, most, above=above)}")
        return value

    return parse


def _range(least: float, most: float | None, *, above: bool = False) -> str:
    low, high = (value if isinstance(value, int | None) else f"{value:g}" for value in (least, most))
    if above:
        return f"use more than {low}" if most is None else f"use more than {low}, and {high} at most"
    return f"use {low} or more" if most is None else f"use {low} to {high}"


# ---- names and places -----------------------------------------------------------------------------------------------


def names(text: str) -> tuple[str, ...]:
    """An argparse type: names with commas between them, each once, at least one."""
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} names nothing")
    return found


def count_or_names(text: str) -> int | tuple[str, ...]:
    """An argparse type: a whole number from 0 on, or names with commas between them."""
    try:
        float(text)
    except ValueError:
        return names(text)
    return bounded_int(0)(text)


def new_folder(text: str) -> Path:
    """An argparse type: a folder to write to, which is there or can be made."""
    if not text:
        raise argparse.ArgumentTypeError("name a folder")
    if problem := folder_problem(Path(text)):
        raise argparse.ArgumentTypeError(f"{problem}; name a folder to write to")
    return Path(text)


def new_file(*endings: str) -> Callable[[str], Path]:
    """An argparse type: a file to write, in a folder that is there or can be made; its name ends in one of `endings`."""

    def parse(text: str) -> Path:
        path = Path(text)
        if os.path.isdir(path):
            raise argparse.ArgumentTypeError(f"{text or '.'} is a folder; name a file in it")
        if path.suffix.lower() not in endings:
            raise argparse.ArgumentTypeError(f"{text}: name a file that ends in {' or '.join(endings)}")
        if problem := folder_problem(path.parent):
            raise argparse.ArgumentTypeError(f"{text} cannot be written: {problem}")
        return path

    return parse


def folder_problem(folder: Path) -> str:
    """Why no file can be written into a folder, which need not be there yet; "" where one can."""
    there = next(path for path in (folder, *folder.parents, Path()) if os.path.lexists(path))
    if not os.path.isdir(there):
        return f"{there} is a file"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written to"
