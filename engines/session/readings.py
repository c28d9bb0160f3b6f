"""The read-out: what the image predictor says about every attribute of a pack before and after an edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.editing.levels import present_level
from engines.packs.manifest import Attribute, ObjectClass

__all__ = ["AttributeReading", "ClassReading", "class_readings", "reading"]


@dataclass(frozen=True)
class AttributeReading:
    """What the attribute predictor says about one attribute before and after an edit."""

    id: str
    name: str
    before: float
    """Probability in the unedited reconstruction, 0..1; of an ordered attribute, such as a number of digits, the mean place
    between its first (0) and its last level (1)."""
    after: float
    """The same in the edited picture."""
    changed: bool
    """Whether the yes/no answer at 0.5 flipped; of an ordered attribute, whether another level is the most probable."""
    level_before: int | None = None
    """The most probable level of an ordered attribute, from 1; None for a plain one."""
    level_after: int | None = None


@dataclass(frozen=True)
class ClassReading:
    """What the class predictor says about one class before and after an edit: calibrated probabilities."""

    id: str
    name: str
    before: float
    after: float


def class_readings(
    classes: Sequence[ObjectClass], before: Mapping[str, float], after: Mapping[str, float]
) -> list[ClassReading]:
    """The read-out of all classes in their order; empty where nothing predicts them."""
    return [ClassReading(row.id, row.name, before[row.id], after[row.id]) for row in classes if row.id in before]


def reading(attribute: Attribute, before: Mapping[str, float], after: Mapping[str, float]) -> AttributeReading:
    """One line of the read-out from the predictor's probabilities, by attribute id, of both pictures."""
    if not attribute.levels:
        was, now = before[attribute.id], after[attribute.id]
        return AttributeReading(attribute.id, attribute.name, was, now, (was >= 0.5) != (now >= 0.5))
    was, now = (1 + present_level(attribute.levels, probabilities) for probabilities in (before, after))
    places = [_mean_place(attribute.levels, probabilities) for probabilities in (before, after)]
    return AttributeReading(attribute.id, attribute.name, *places, was != now, was, now)


def _mean_place(levels: Sequence[str], probabilities: Mapping[str, float]) -> float:
    """Mean over the levels by their probabilities; 0 at the first, 1 at the last."""
    values = [probabilities[level] for level in levels]
    whole = sum(values)
    return sum(place * value for place, value in enumerate(values)) / (len(levels) - 1) / whole if whole else 0.0
