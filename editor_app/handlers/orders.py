"""What the page asks a job to do, checked before anything runs: any client can send anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engines import api

__all__ = ["KINDS", "Order"]

KINDS = ("open", "example", "invert", "surprise")
MAX_INTEGER = 2**53
MAX_OPTIONS = 32


@dataclass(frozen=True)
class Order:
    """open: an uploaded file; example: a bundled picture; invert: the picture that is open; surprise: a made-up person."""

    revision: int
    kind: str
    source: str = ""
    """Path of the upload, or id of the example."""
    name: str = ""
    """The file's name on the user's disk."""
    region: int | Literal["whole"] | None = None
    """For invert: a face, or the whole picture; None keeps what is chosen."""
    method: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the inversion, not checked yet: a wrong one is told to the user by its name."""
    seed: int = 0
    class_id: str = ""
    """For surprise: of which class; empty for any."""

    @staticmethod
    def parse(request: object) -> Order:
        """Raises ValueError for what the page would never send."""
        if not isinstance(request, Mapping):
            raise ValueError("an order is a JSON object")
        kind, region = request.get("kind"), request.get("region")
        if kind not in KINDS:
            raise ValueError("unknown kind of order")
        if region is not None and region != "whole":
            region = _integer(region, "region")
        return Order(
            revision=_integer(request.get("revision"), "revision"),
            kind=kind,
            source=_text(request.get("source", ""), "source"),
            name=api.printable(_text(request.get("name", ""), "name")),
            region=region,
            method=_text(request.get("method", ""), "method"),
            options=_options(request.get("options", {})),
            seed=_integer(request.get("seed", 0), "seed"),
            class_id=_text(request.get("class", ""), "class"),
        )


def _integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_INTEGER:
        raise ValueError(f"{name} must be a whole number")
    return value


def _options(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MAX_OPTIONS:
        raise ValueError("options must be a small JSON object")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError(f"{name} must be text")
    return value
