"""What a benchmark leaves: its figures with what they were measured on, so that its JSON object can be kept as a report."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from engines.core.machine import machine
from engines.evaluation.report import Provenance
from engines.packs.load import Pack

__all__ = ["recorded"]


def recorded(
    figures: Mapping[str, Any], what: str, arguments: argparse.Namespace, options: Sequence[str], pack: Pack
) -> dict[str, Any]:
    """`figures` behind `command`, `seed`, `pack`, `weights`, `processor` and `cores`.

    what: e.g. ``benchmark live``; options: the attributes of `arguments` that decide the figures.
    """
    given = {name.replace("_", "-"): getattr(arguments, name) for name in options}
    source = Provenance.of(what, given, seed=arguments.seed, pack=pack.id, weights=pack.weights_hash)
    return {**asdict(source), **machine(), **figures}
