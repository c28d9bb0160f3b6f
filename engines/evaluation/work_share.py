"""The part of a long evaluation that one call does: every N-th picture, for so long."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engines.core.errors import OptionError

__all__ = ["WorkShare", "add_share_arguments"]

Work = TypeVar("Work")


def add_share_arguments(parser: argparse.ArgumentParser, *, then: str) -> None:
    """--minutes, --part and --fresh. then: what happens when the minutes are over, for the help."""
    parser.add_argument("--minutes", type=float, default=None, help=f"begin no run after so many minutes, and {then}")
    parser.add_argument(
        "--part", default="1/1", metavar="I/N", help="make the runs of every N-th picture from the I-th on: for N processes"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="forget the runs that were kept, of this part where there are more"
    )


@dataclass(frozen=True)
class WorkShare:
    """Every `parts`-th picture from the `number`-th on, counted from 1, for `minutes`; None: to the end."""

    number: int
    parts: int
    minutes: float | None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> WorkShare:
        """Raises OptionError for values that mean nothing."""
        if arguments.minutes is not None and not arguments.minutes > 0:
            raise OptionError(f"--minutes {arguments.minutes:g}: give a number above 0.")
        number, _, parts = arguments.part.partition("/")
        if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
            raise OptionError(f"--part {arguments.part}: give I/N with I from 1 to N.")
        return cls(int(number), int(parts), arguments.minutes)

    @classmethod
    def all(cls) -> WorkShare:
        """Everything, however long it takes."""
        return cls(1, 1, None)

    def has(self, picture: int) -> bool:
        """Whether the picture, counted from 0, belongs to it."""
        return picture % self.parts == self.number - 1

    def in_time(self, work: Sequence[Work]) -> Iterator[Work]:
        """What can be begun within the minutes from now on."""
        begun = time.monotonic()
        for each in work:
            if self.minutes is not None and time.monotonic() - begun >= 60 * self.minutes:
                return
            yield each
