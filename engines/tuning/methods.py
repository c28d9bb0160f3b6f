"""The table of all inversion methods, those that tune the generator included: id -> runner."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engines.inversion.methods import METHODS as FIXED_METHODS
from engines.inversion.models import Runner
from engines.tuning import clone, fine_tune

__all__ = ["METHODS", "TUNING_METHODS"]

TUNING_METHODS: Mapping[str, Runner] = MappingProxyType({"fine-tune": fine_tune.run, "clone": clone.run})
"""Those whose result has weights of its own. Their models are :class:`engines.tuning.models.TuningModels`."""

METHODS: Mapping[str, Runner] = MappingProxyType({**FIXED_METHODS, **TUNING_METHODS})
