"""The single runs behind a report's table, in ``runs.json`` beside it: for other statistics of them, and to go on from later.

What decides a run besides its name is told apart by `made_with`: runs of other weights or settings are not taken up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from engines.core.atomic import write_text
from engines.evaluation.report import Provenance, plain

__all__ = ["read_runs", "write_runs"]

Figures = TypeVar("Figures")

_NAME = "runs.json"


def write_runs(folder: Path, provenance: Provenance, made_with: str, runs: Mapping[str, Any]) -> None:
    """runs: a run's name to its figures, a dataclass of numbers; all of one class. Numbers keep six significant digits."""
    columns = [field.name for field in fields(next(iter(runs.values())))] if runs else []
    rows = [[name, *(plain(getattr(figures, column)) for column in columns)] for name, figures in sorted(runs.items())]
    head = {"provenance": asdict(provenance), "made_with": made_with, "columns": ["run", *columns]}
    # A run a line: compact, and what a later call adds is what a comparison of files shows.
    lines = ",\n".join(json.dumps(row) for row in rows)
    write_text(folder / _NAME, f'{json.dumps(head)[:-1]}, "runs": [\n{lines}\n]}}\n')


def read_runs(folder: Path, made_with: str, kind: type[Figures]) -> dict[str, Figures]:
    """The runs by name, as `kind` of numbers; empty where there are none, or none of the same making."""
    try:
        found = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        columns = ["run", *(field.name for field in fields(kind))]
        if found["made_with"] != made_with or found["columns"] != columns:
            return {}
        return {name: kind(*figures) for name, *figures in found["runs"] if len(figures) == len(columns) - 1}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
