"""What is changed of a picture's object as a whole: its class, place and size, and how typical of its class it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engines.core.errors import OptionError

__all__ = ["AS_IT_IS", "ObjectEdit"]

_LARGEST = 2.0**53
"""Of a number that an edit may have; past it Python's whole numbers need not fit a float."""
_KEYS = ("class", "class_alpha", "shift", "zoom", "truncation")


@dataclass(frozen=True)
class ObjectEdit:
    """The neutral one, without arguments, leaves everything as it is. Raises OptionError for values that mean nothing.

    The order in which codes are edited: truncation, class, then attributes, then shift and zoom.
    """

    class_id: str | None = None
    """The class that the object becomes; None keeps its own."""
    class_alpha: float = 1.0
    """0 (its own class) to 1 (the other one)."""
    shift: tuple[float, float] = (0.0, 0.0)
    """To the right and down, in shares of the picture's side."""
    zoom: float = 1.0
    """How many times as large, around the middle of the picture."""
    truncation: float = 1.0
    """1 leaves codes where they are, 0 takes them to the mean of their class."""

    def __post_init__(self) -> None:
        for name, least, most in (("class_alpha", 0.0, 1.0), ("truncation", 0.0, 1.0)):
            if not least <= _number(name, getattr(self, name)) <= most:
                raise OptionError(f"{name}={getattr(self, name):g}: use {least:g} to {most:g}.")
        if self.class_id is not None and not isinstance(self.class_id, str):
            raise OptionError(f"class={str(self.class_id)[:80]}: the id of a class is needed.")
        if not isinstance(self.shift, (tuple, list)) or len(self.shift) != 2:
            raise OptionError(f"shift={str(self.shift)[:80]}: two numbers are needed, like 0.1, 0.")
        if _number("zoom", self.zoom) <= 0:
            raise OptionError(f"zoom={self.zoom:g}: a factor above 0 is needed.")
        # Equal edits are equal: no class is no strength either, and -0 is 0.
        class_id = self.class_id if self.class_alpha else None
        object.__setattr__(self, "class_id", class_id)
        object.__setattr__(self, "class_alpha", 1.0 if class_id is None else float(self.class_alpha))
        object.__setattr__(self, "shift", tuple(_number("shift", amount) + 0.0 for amount in self.shift))
        object.__setattr__(self, "zoom", float(self.zoom))
        object.__setattr__(self, "truncation", float(self.truncation))

    @property
    def edited(self) -> bool:
        return self != AS_IT_IS

    @property
    def moves(self) -> bool:
        """Whether the object changes its place or size."""
        return self.shift != (0.0, 0.0) or self.zoom != 1.0

    def canonical(self) -> dict[str, Any]:
        """JSON of what is not neutral."""
        facts: dict[str, Any] = {}
        if self.class_id is not None:
            facts |= {"class": self.class_id, "class_alpha": self.class_alpha}
        if self.shift != (0.0, 0.0):
            facts["shift"] = list(self.shift)
        return facts | {name: value for name in ("zoom", "truncation") if (value := getattr(self, name)) != 1.0}

    @staticmethod
    def from_json(value: object) -> ObjectEdit:
        """The inverse of :meth:`canonical`. Raises OptionError for anything else."""
        if not isinstance(value, Mapping) or not set(value) <= set(_KEYS):
            raise OptionError(f"object={str(value)[:80]}: expected a JSON object with some of {', '.join(_KEYS)}.")
        given = dict(value)
        if "class" in given:
            given["class_id"] = given.pop("class")
        return ObjectEdit(**given)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_LARGEST <= value <= _LARGEST:
        raise OptionError(f"{name}={str(value)[:80]}: a finite number of ordinary size is needed.")
    return float(value)


AS_IT_IS = ObjectEdit()
"""What leaves everything as it is."""
