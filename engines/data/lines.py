"""Factor records as lines of JSON, which restore them exactly."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any, TypeVar

from engines.core.errors import OptionError

__all__ = ["from_line", "to_line"]

Record = TypeVar("Record")


def to_line(record: Any, **derived: Any) -> str:
    """The fields of a frozen dataclass of plain values and tuples, as one line of JSON; `derived` values are added."""
    return json.dumps({**asdict(record), **derived})


def from_line(kind: type[Record], line: str, what: str, *, derived: Collection[str] = ()) -> Record:
    """The record of that kind; lists become tuples, and what was `derived` follows from the fields.

    what: ``"A portrait"``, for the OptionError that another line raises.
    """
    try:
        values = json.loads(line)
    except ValueError as error:
        raise OptionError(f"{what} is one line of JSON; this line cannot be read ({error}).") from error
    expected = {field.name for field in fields(kind)} | set(derived)
    if not isinstance(values, dict) or set(values) != expected:
        found = set(values) if isinstance(values, dict) else set()
        raise OptionError(
            f"{what} needs exactly the fields of this version; "
            f"missing {sorted(expected - found)}, unknown {sorted(found - expected)}."
        )
    return kind(**{name: _as_tuples(value) for name, value in values.items() if name not in derived})


def _as_tuples(value: object) -> object:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value
