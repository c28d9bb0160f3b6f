"""What every evaluation starts from: the pack, the pictures it is judged on, and the folder of the report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.device import resolve_device
from engines.core.errors import OptionError
from engines.core.progress import Progress, ProgressCallback
from engines.data.registry import DATA_SETS, set_with_attributes
from engines.data.sets import RenderedSet, rendered_set
from engines.evaluation.judges import fitted
from engines.evaluation.report import Provenance, ReportFolder
from engines.packs.load import Pack
from engines.packs.registry import open_pack

__all__ = ["Setting", "Subjects", "add_common_arguments"]

_REPORT_PERIOD_SEC = 0.5


def add_common_arguments(parser: argparse.ArgumentParser, *, n: int) -> None:
    """--n and --set; --pack, --seed and --out come from the command line itself."""
    parser.add_argument("--n", type=int, default=n, help=f"pictures to judge (default {n})")
    parser.add_argument(
        "--set", choices=list(DATA_SETS), default=None, help="rendered pictures to judge on (default: those the pack is about)"
    )


@dataclass(frozen=True, eq=False)
class Subjects:
    """Rendered pictures with everything known about them."""

    pictures: np.ndarray
    """uint8 [n, R, R, 3] at the pack's resolution."""
    labels: np.ndarray
    """bool [n, K], columns in the order of the pack's attribute predictor."""
    records: Sequence[Any]
    """n factor records."""
    originals: np.ndarray
    """uint8 [n, S, S, 3] as they were rendered."""
    data: str
    """Name of the rendered set."""
    classes: np.ndarray | None = None
    """int64 [n], places among the pack's classes; None for a pack without classes."""
    boxes: np.ndarray | None = None
    """[n, 4], the objects' rectangles (x0, y0, x1, y1) in shares of a side; None for a set without single objects."""


class Setting:
    """One evaluation of one pack. `rendered`: the sets of pictures that it is about, as --set names them."""

    def __init__(self, pack: Pack, provenance: Provenance, *, rendered: str, out: Path, progress: ProgressCallback) -> None:
        self.pack = pack
        self.provenance = provenance
        self.progress = progress
        self.rendered = rendered
        self._out = out
        self._started = time.monotonic()
        self._last = -float("inf")

    @classmethod
    def open(cls, arguments: argparse.Namespace, what: str, options: Mapping[str, Any]) -> Setting:
        """`what`: ``evaluate edits``; `options`: the options that decide the figures, besides --n, --set, --pack and --seed.

        Raises OptionError for a count below 1, and the Pack errors.
        """
        if arguments.n < 1:
            raise OptionError(f"--n {arguments.n}: at least one picture is needed.")
        pack = open_pack(arguments.pack, device=resolve_device(arguments.device))
        rendered = arguments.set or set_with_attributes(pack.attribute_predictor.attributes).name
        options = {"n": arguments.n, "set": rendered, **options}
        provenance = Provenance.of(what, options, seed=arguments.seed, pack=pack.id, weights=pack.weights_hash)
        return cls(pack, provenance, rendered=rendered, out=Path(arguments.out), progress=arguments.progress)

    def subjects(self, split: str, n: int, *, rendered: str | None = None) -> Subjects:
        """The first `n` pictures of a split of a rendered set (default: that of --set), rendered now where not yet there."""
        name = rendered or self.rendered
        found = rendered_set(name, split, n, progress=self.progress)
        known = list(found.attributes)
        wanted = self.pack.attribute_predictor.attributes
        missing = [attribute for attribute in wanted if attribute not in known]
        if missing:
            raise OptionError(f"--set {name} has no labels for {', '.join(missing)} of pack {self.pack.id}.")
        pictures = fitted(found.images[:n], self.pack.manifest.resolution)
        labels = np.asarray(found.labels[:n], bool)[:, [known.index(attribute) for attribute in wanted]]
        return Subjects(
            pictures,
            labels,
            found.records[:n],
            found.images[:n],
            name,
            self._classes(found, n),
            None if found.data.box_of is None else np.array([found.data.box_of(record) for record in found.records[:n]]),
        )

    def _classes(self, found: RenderedSet, n: int) -> np.ndarray | None:
        known = [row.id for row in self.pack.manifest.classes]
        if not known:
            return None
        if list(found.data.classes) != known:
            raise OptionError(f"--set {found.name} has not the classes of pack {self.pack.id}: {', '.join(known)}.")
        return np.asarray(found.classes[:n])

    def report(self, title: str) -> ReportFolder:
        return ReportFolder(self._out, title, self.provenance)

    def stage(self, name: str, step: int, total: int | None) -> None:
        """Reports progress, at most twice a second except for the first and last step of a stage."""
        now = time.monotonic()
        if step in (0, total) or now - self._last >= _REPORT_PERIOD_SEC:
            self._last = now
            self.progress(Progress(name, step, total, now - self._started))
