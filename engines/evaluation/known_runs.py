"""The single runs of a long evaluation: with their pictures in the data folder as they come (:mod:`engines.evaluation.kept`),
their figures also in a file beside the report, for other statistics of them and for a later call to go on from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from engines.core.atomic import write_text
from engines.evaluation.kept import Kept
from engines.evaluation.report import Provenance, plain
from engines.evaluation.work_share import WorkShare

__all__ = ["KnownRuns"]

Figures = TypeVar("Figures")


class _HasName(Protocol):
    @property
    def name(self) -> str:
        """What a run's result is kept as."""
        ...


Named = TypeVar("Named", bound=_HasName)


class KnownRuns(Generic[Figures]):
    """Runs by name, each with its figures, a dataclass in JSON's types.

    kept: the data folder's; `folder` is that of the report, and holds `file_name`. Runs in this file that were made with other
    weights or settings than `kept` says are not taken up. fresh: names of runs to forget; with any, the file counts no more.
    """

    def __init__(
        self,
        kept: Kept[Figures],
        folder: Path,
        figures: type[Figures],
        *,
        file_name: str = "runs.json",
        fresh: Iterable[str] = (),
    ) -> None:
        self._kept, self._path, self._figures = kept, folder / file_name, figures
        self._columns = ["run", *(field.name for field in fields(figures))]
        forgotten = list(fresh)
        for name in forgotten:
            kept.forget(name)
        self._known: dict[str, Figures] = {} if forgotten else self._read()
        self._exact: set[str] = set()

    def figures(self, name: str) -> Figures | None:
        """Those of a run; None for one that is not known."""
        # The data folder has all digits: as long as it lasts, the same call gives the same report.
        if name not in self._exact and (found := self._kept.get(name)) is not None:
            self._known[name] = found[0]
            self._exact.add(name)
        return self._known.get(name)

    def picture(self, name: str) -> np.ndarray | None:
        """uint8 [H, W, 3] that the run made; None where at most its figures are known."""
        found = self._kept.get(name)
        return None if found is None else found[1]

    def without_figures(self, runs: Iterable[Named]) -> list[Named]:
        """Those that nothing is known of."""
        return [run for run in runs if self.figures(run.name) is None]

    def without_picture(self, runs: Iterable[Named]) -> list[Named]:
        """Those whose figures at most are known: all that the report has of what another call had made."""
        return [run for run in runs if self.picture(run.name) is None]

    def keep(self, name: str, figures: Figures, picture: np.ndarray) -> None:
        """picture: uint8 [H, W, 3]."""
        self._kept.keep(name, figures, picture)
        self._known[name] = figures
        self._exact.add(name)

    def make(
        self,
        runs: Sequence[Named],
        one: Callable[[Named], tuple[Figures, np.ndarray]],
        *,
        share: WorkShare,
        report: Callable[[int, int], None],
    ) -> None:
        """Makes runs by `one`, as many as the share's minutes go, and keeps each as it comes. report: hears how many of all."""
        for done, run in enumerate(share.in_time(runs)):
            report(done, len(runs))
            self.keep(run.name, *one(run))
        report(len(runs), len(runs))

    def write(self, provenance: Provenance) -> None:
        """Writes the file with all that was read, kept or asked for. Numbers keep six significant digits."""
        rows = [[name, *(plain(getattr(run, c)) for c in self._columns[1:])] for name, run in sorted(self._known.items())]
        head = {"provenance": asdict(provenance), "made_with": self._kept.made_with, "columns": self._columns}
        # A run a line: compact, and what a later call adds is what a comparison of files shows.
        lines = ",\n".join(json.dumps(row) for row in rows)
        write_text(self._path, f'{json.dumps(head)[:-1]}, "runs": [\n{lines}\n]}}\n')

    def _read(self) -> dict[str, Figures]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["made_with"] != self._kept.made_with or found["columns"] != self._columns:
                return {}
            rows = [row for row in found["runs"] if len(row) == len(self._columns)]
            return {name: self._figures(*figures) for name, *figures in rows}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
