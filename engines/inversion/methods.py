"""The table of inversion methods: id -> runner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from engines.inversion import encoder, iterated_encoder, project, refine
from engines.inversion.models import Runner

__all__ = ["METHODS"]

METHODS: Mapping[str, Runner] = MappingProxyType(
    {
        "encoder": encoder.run,
        "iterated-encoder": iterated_encoder.run,
        "encoder-refine": refine.run,
        **{method.id: partial(project.run, method=method) for method in project.SEARCHES},
    }
)
