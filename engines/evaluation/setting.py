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
from engines.data.sets import rendered_set
from engines.evaluation.judges import fitted
from engines.evaluation.report import Provenance, ReportFolder
from engines.packs.load import Pack
from engines.packs.registry import open_pack

__all__ = ["Setting", "Subjects", "add_common_arguments"]

_REPORT_PERIOD_SEC = 0.5


def add_common_arguments(parser: argparse.ArgumentParser, *, n: int, sets: Sequence[str] = ("faces",)) -> None:
    """--n and --set; --pack, --seed and --out come from the command line itself."""
    parser.add_argument("--n", type=int, default=n, help=f"pictures to judge (default {n})")
    parser.add_argument("--set", choices=sets, default=sets[0], help=f"rendered pictures to judge on (default {sets[0]})")


@dataclass(frozen=True, eq=False)
class Subjects:
    """Rendered pictures with everything known about them."""

    pictures: np.ndarray
    """uint8 [n, R, R, 3] at the pack's resolution."""
    labels: np.ndarray
    """bool [n, K], columns in the order of the pack's attribute predictor."""
    portraits: Sequence[Any]


class Setting:
    """One evaluation of one pack."""

    def __init__(self, pack: Pack, provenance: Provenance, *, rendered: str, out: Path, progress: ProgressCallback) -> None:
        self.pack = pack
        self.provenance = provenance
        self.progress = progress
        self._rendered = rendered
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
        options = {"n": arguments.n, "set": arguments.set, **options}
        provenance = Provenance.of(what, options, seed=arguments.seed, pack=pack.id, weights=pack.weights_hash)
        return cls(pack, provenance, rendered=arguments.set, out=Path(arguments.out), progress=arguments.progress)

    def subjects(self, split: str, n: int) -> Subjects:
        """The first `n` pictures of a split of the rendered set, rendered now where they are not yet there."""
        rendered = rendered_set(self._rendered, split, n, progress=self.progress)
        known = list(rendered.attributes)
        wanted = self.pack.attribute_predictor.attributes
        missing = [name for name in wanted if name not in known]
        if missing:
            raise OptionError(f"--set {self._rendered} has no labels for {', '.join(missing)} of pack {self.pack.id}.")
        pictures = fitted(rendered.images[:n], self.pack.manifest.resolution)
        labels = np.asarray(rendered.labels[:n], bool)[:, [known.index(name) for name in wanted]]
        return Subjects(pictures, labels, rendered.portraits[:n])

    def report(self, title: str) -> ReportFolder:
        return ReportFolder(self._out, title, self.provenance)

    def stage(self, name: str, step: int, total: int | None) -> None:
        """Reports progress, at most twice a second except for the first and last step of a stage."""
        now = time.monotonic()
        if step in (0, total) or now - self._last >= _REPORT_PERIOD_SEC:
            self._last = now
            self.progress(Progress(name, step, total, now - self._started))
