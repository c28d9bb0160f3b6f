"""Revisions of the inversion methods, by which evaluations find only those of their kept runs that are still what comes out."""

from __future__ import annotations

__all__ = ["METHODS_REVISION", "revised", "revision_of"]

METHODS_REVISION = 2
"""One more whenever all methods change what they find: what evaluations kept before then counts no more."""
_REVISIONS = {"basin-cma": 4, "encoder-refine": 3, "fine-tune": 3, "clone": 4}
"""Of methods that have changed alone since, from METHODS_REVISION on."""


def revision_of(way: str) -> int:
    """The revision of the method of a way (see :mod:`engines.evaluation.ways`)."""
    return _REVISIONS.get(way.partition(":")[0], METHODS_REVISION)


def revised(name: str, way: str) -> str:
    """A run's name, by which runs of an earlier revision of its method are not found."""
    return name if revision_of(way) == METHODS_REVISION else f"{name}-r{revision_of(way)}"
