"""What a rendered data set is: one frozen record of functions, so that whoever uses it need not know which it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["DataSet", "Factor", "FactorRecord"]


class FactorRecord(Protocol):
    """Everything that decides one picture; equal records give equal pictures."""

    def to_json(self) -> str:
        """One line of JSON, which :attr:`DataSet.read` restores exactly."""
        ...


@dataclass(frozen=True)
class Factor:
    """A continuous quantity of a picture that networks can be taught besides the attributes."""

    name: str
    value: Callable[[Any], float]
    """Record -> the quantity."""
    survives_mirror: bool = True
    """Whether the mirror image has the same value."""


@dataclass(frozen=True)
class DataSet:
    """One row of the registry."""

    name: str
    size_px: int
    """Height and width of the pictures in rendered sets."""
    sizes_px: tuple[int, int]
    """The smallest and the largest size that an export may ask for."""
    renderer: int
    """Version, which grows when the same record gives another picture or other labels."""
    licence: str
    splits: tuple[str, ...]
    attributes: tuple[str, ...]
    """Names of the yes-or-no labels, in the order of their columns."""
    factors: tuple[Factor, ...]
    may_mirror: bool
    """Whether a picture's mirror image belongs to the set too, with the same labels."""
    record: Callable[[str, int], FactorRecord]
    """(split, index) -> the record of that row; splits share nothing that would make a test easier."""
    exported: Callable[[int, int], FactorRecord]
    """(seed, index) -> a record that is in no split."""
    read: Callable[[str], FactorRecord]
    """A line of JSON -> its record. Raises OptionError where the line is none."""
    render: Callable[[Any, int], np.ndarray]
    """(record, size in px) -> uint8 RGB [size, size, 3]."""
    labels: Callable[[Any], Mapping[str, bool]]
    """Record -> attribute -> whether the picture has it, in the order of `attributes`."""
    counterfactual: Callable[[Any, str, bool], Any]
    """(record, attribute, wanted) -> the record with that attribute so, and nothing else changed that need not."""
    classes: tuple[str, ...] = ()
    """Names of the classes, of which every picture has exactly one; empty for a set without classes."""
    class_of: Callable[[Any], int] | None = None
    """Record -> index into `classes`."""
    box_of: Callable[[Any], tuple[float, float, float, float]] | None = None
    """Record -> the object's rectangle (x0, y0, x1, y1) in shares of a side; None for a set without single objects."""
