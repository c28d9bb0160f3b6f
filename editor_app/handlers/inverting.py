"""Options of an inversion as the page and the endpoints send them: one JSON object, checked before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from editor_app.handlers.checks import is_number, is_whole
from engines import api

__all__ = ["MAX_SECONDS", "checked_options", "json_object", "within_limit"]

MAX_SECONDS = 300
"""Longest time budget on a server that people share."""
MAX_STEPS = 10_000
MAX_EVALUATIONS = 1_000_000


def checked_options(value: object) -> dict[str, Any]:
    """Keyword arguments for :func:`engines.api.invert` from {option: value}, or from its JSON text.

    Types and the server's limits are checked here, everything else by api.invert. Raises OptionError naming the option.
    """
    checked = {}
    for name, given in json_object("options", value, '{"seconds": 10}').items():
        if name not in _RULES:
            raise api.OptionError(f"options: unknown option {name[:40]!r}; known are {', '.join(_RULES)}.")
        # JSON's null leaves the choice to the method, as an option that is not there.
        if given is None:
            continue
        rule = _RULES[name]
        if not rule.fits(given):
            raise api.OptionError(f"options: {name}={repr(given)[:80]}: expected {rule.expected}.")
        checked[name] = rule.convert(given)
    return checked


def within_limit(
    records: Iterator[api.InversionProgress], cancel: api.CancelToken, limit_sec: float = MAX_SECONDS
) -> Iterator[api.InversionProgress]:
    """The records of an inversion; past the limit it is asked to stop, and then gives the best it has found."""
    for record in records:
        if record.elapsed_sec > limit_sec:
            cancel.cancel()
        yield record


def json_object(name: str, value: object, example: str) -> Mapping[str, Any]:
    """A JSON object, or its text, or nothing, as a mapping. Raises OptionError, giving an example, for anything else."""
    parsed = value
    if isinstance(value, str):
        try:
            parsed = json.loads(value or "{}")
        except (ValueError, RecursionError):
            parsed = value
    if parsed is None:
        return {}
    if not isinstance(parsed, Mapping):
        raise api.OptionError(f"{name}: expected a JSON object such as {example}, got {str(value)[:80]!r}.")
    return {str(key): item for key, item in parsed.items()}


@dataclass(frozen=True)
class _Rule:
    """What a client may give for one option."""

    expected: str
    fits: Callable[[Any], bool]
    convert: Callable[[Any], Any]


def _is_rectangle(given: Any) -> bool:
    return isinstance(given, list) and len(given) == 4 and all(is_number(side) for side in given)


def _text(given: Any) -> bool:
    return isinstance(given, str)


_RULES = {
    "seconds": _Rule(
        f"a number above 0, at most {MAX_SECONDS}", lambda given: is_number(given) and 0 < given <= MAX_SECONDS, float
    ),
    "steps": _Rule(f"a whole number, 1 to {MAX_STEPS}", lambda given: is_whole(given) and 1 <= given <= MAX_STEPS, int),
    "evaluations": _Rule(
        f"a whole number, 1 to {MAX_EVALUATIONS}", lambda given: is_whole(given) and 1 <= given <= MAX_EVALUATIONS, int
    ),
    "space": _Rule("z, w or w+", _text, str),
    "encoder_start": _Rule("true or false", lambda given: isinstance(given, bool), bool),
    "class_search": _Rule("true or false", lambda given: isinstance(given, bool), bool),
    "transform": _Rule("none, spatial, colour or both", _text, str),
    "pixel_loss": _Rule("l1 or laplacian", _text, str),
    "global_loss": _Rule("none, frozen, gan or both", _text, str),
    "mask": _Rule(
        '"auto", or [x0, y0, x1, y1] in pixels of the picture',
        lambda given: given == "auto" or _is_rectangle(given),
        lambda given: given if given == "auto" else tuple(map(float, given)),
    ),
    "outside_weight": _Rule("a number from 0 to 1", is_number, float),
}
"""Option -> rule."""
