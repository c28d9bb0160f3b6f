"""Strict reading of JSON objects: every field is taken once, checked, and what is left over is an error."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

from engines.core.errors import PackFieldError

__all__ = ["Fields"]

Record = TypeVar("Record")
_REQUIRED = object()


class Fields:
    """The fields of one JSON object. Errors are PackFieldErrors that name the file and the field's full path."""

    def __init__(self, value: Any, where: str, file: Path) -> None:
        self._where, self._file = where, file
        if not isinstance(value, dict):
            raise self.error("", "an object", value)
        self._left = dict(value)

    def error(self, name: str, wanted: str, got: Any) -> PackFieldError:
        """The error that `name` should be `wanted` but is `got`."""
        path = ".".join(part for part in (self._where, name) if part) or "the manifest"
        return PackFieldError(f"{self._file}: {path} must be {wanted}, got {got!r}. Correct it, or install the pack again.")

    def end(self, record: Record = None) -> Record:
        """Returns `record` when every field was taken."""
        if self._left:
            path = ".".join(part for part in (self._where, min(self._left)) if part)
            raise PackFieldError(f"{self._file}: unknown field {path}. Remove it, or install the pack again.")
        return record

    def _take(self, name: str, default: Any = _REQUIRED) -> Any:
        if name in self._left:
            return self._left.pop(name)
        if default is _REQUIRED:
            path = ".".join(part for part in (self._where, name) if part)
            raise PackFieldError(f"{self._file}: the field {path} is missing. Add it, or install the pack again.")
        return default

    # ---- single values ----------------------------------------------------------------------------------------------

    def text(
        self,
        name: str,
        *,
        choices: Collection[str] | None = None,
        pattern: re.Pattern[str] | None = None,
        empty: bool = False,
        default: Any = _REQUIRED,
    ) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or not (value or empty):
            raise self.error(name, "a text" if empty else "a text that is not empty", value)
        if choices is not None and value not in choices:
            raise self.error(name, f"one of {', '.join(choices)}", value)
        if pattern is not None and not pattern.fullmatch(value):
            raise self.error(name, f"of the form {pattern.pattern}", value)
        return value

    def count(self, name: str, *, least: int) -> int:
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(name, f"a whole number of at least {least}", value)
        return value

    def number(self, name: str, *, least: float = -math.inf, most: float = math.inf) -> float:
        value = self._take(name)
        if not _is_number(value) or not least <= value <= most:
            raise self.error(name, f"a number from {least} to {most}", value)
        return value

    # ---- lists ------------------------------------------------------------------------------------------------------

    def texts(self, name: str, *, choices: Collection[str] | None = None, default: Any = _REQUIRED) -> tuple[str, ...]:
        value = self._list(name, default)
        if not all(isinstance(entry, str) for entry in value) or len(set(value)) != len(value):
            raise self.error(name, "a list of distinct texts", value)
        if choices is not None and not set(value) <= set(choices):
            raise self.error(name, f"a list of {', '.join(choices)}", value)
        return tuple(value)

    def numbers(self, name: str, *, length: int) -> tuple[float, ...]:
        value = self._list(name)
        if len(value) != length or not all(_is_number(entry) for entry in value):
            raise self.error(name, f"a list of {length} numbers", value)
        return tuple(value)

    def optional_numbers(self, name: str, *, length: int) -> tuple[float, ...] | None:
        """None where the field is missing or null."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.numbers(name, length=length)

    def points(self, name: str, *, length: int) -> tuple[tuple[float, float], ...]:
        value = self._list(name)
        good = all(isinstance(p, (list, tuple)) and len(p) == 2 and all(_is_number(c) for c in p) for p in value)
        if len(value) != length or not good:
            raise self.error(name, f"a list of {length} points [x, y]", value)
        return tuple((x, y) for x, y in value)

    def objects(self, name: str, *, default: Any = _REQUIRED) -> list[Fields]:
        return [Fields(entry, self._inside(f"{name}[{i}]"), self._file) for i, entry in enumerate(self._list(name, default))]

    def _list(self, name: str, default: Any = _REQUIRED) -> list[Any]:
        value = self._take(name, default)
        if not isinstance(value, (list, tuple)):
            raise self.error(name, "a list", value)
        return list(value)

    # ---- objects ----------------------------------------------------------------------------------------------------

    def object(self, name: str) -> Fields:
        return Fields(self._take(name), self._inside(name), self._file)

    def optional_object(self, name: str) -> Fields | None:
        """None where the field is missing or null."""
        if self._left.get(name) is None:
            self._left.pop(name, None)
            return None
        return self.object(name)

    def named_objects(self, name: str, *, known: Collection[str]) -> Iterator[tuple[str, Fields]]:
        entries = self.plain_object(name)
        for key in sorted(entries, key=lambda key: (list(known).index(key) if key in known else -1, key)):
            if key not in known:
                raise self.error(name, f"an object with the keys {', '.join(known)}", key)
            yield key, Fields(entries[key], self._inside(f"{name}.{key}"), self._file)

    def plain_object(self, name: str, *, default: Any = _REQUIRED) -> dict[str, Any]:
        value = self._take(name, default)
        if not isinstance(value, dict):
            raise self.error(name, "an object", value)
        return dict(value)

    def text_table(self, name: str) -> dict[str, str]:
        value = self.plain_object(name)
        if not all(isinstance(entry, str) for entry in value.values()):
            raise self.error(name, "an object of texts", value)
        return value

    def _inside(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
