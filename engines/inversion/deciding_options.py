"""Which options of :class:`engines.inversion.options.InversionOptions` the result of a method depends on."""

from __future__ import annotations

import dataclasses

from engines.inversion.options import InversionOptions, TransformSearch

__all__ = ["deciding_options", "unused_options"]

_BUDGET = ("seconds", "steps", "evaluations")
_MASK = ("mask", "outside_weight")
_PLACING = ("transform", "space", "encoder_start", "class_search", "pixel_loss")
_SEARCH = (*_BUDGET, "seed", *_MASK, *_PLACING)
_TUNING = (*_BUDGET, "seed", *_MASK)
_OPTIONS = {
    "encoder": (),
    "iterated-encoder": _BUDGET,
    "encoder-refine": (*_BUDGET, "seed"),
    "fine-tune": _TUNING,
    "clone": (*_TUNING, "global_loss"),
}
"""Method -> options; every other method searches."""


def deciding_options(method: str, transform: TransformSearch) -> tuple[str, ...]:
    """Two runs that differ in other options have the same result.

    Tuning begins with a search where a transform is looked for, and only then the options of a search decide something.
    """
    options = _OPTIONS.get(method, _SEARCH)
    return (*options, *_PLACING) if transform != "none" and method in ("fine-tune", "clone") else options


def unused_options(method: str, options: InversionOptions) -> list[str]:
    """Names of the options that were set, and change nothing."""
    used = (*deciding_options(method, options.transform), "seed")
    fields = [field for field in dataclasses.fields(options) if field.name not in used]
    return [field.name for field in fields if getattr(options, field.name) != field.default]
