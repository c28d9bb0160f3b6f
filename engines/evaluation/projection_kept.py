"""Runs of a long evaluation as they come, so that it goes on where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engines.core.atomic import write_json
from engines.evaluation.projection_runs import Case, Outcome
from engines.imaging.grids import save_png

__all__ = ["KeptRuns"]


class KeptRuns:
    """Outcomes as they come, a file for each picture and seed, written atomically: an evaluation goes on where it ended.

    Whatever decides the outcomes beside case, picture and seed belongs into the name of `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def outcomes(self, picture: int, seed: int) -> Mapping[str, Outcome]:
        """Case key -> outcome."""
        path = self._path(picture, seed, "runs.json")
        if not path.exists():
            return {}
        return {key: Outcome(**row) for key, row in json.loads(path.read_text(encoding="utf-8")).items()}

    def keep(self, picture: int, seed: int, case: Case, outcome: Outcome, pixels: np.ndarray | None) -> None:
        """pixels: uint8 [R, R, 3], the picture that was put back, where it will be shown."""
        if pixels is not None:
            save_png(self._path(picture, seed, f"{case.key}.png"), pixels)
        rows: dict[str, Any] = {key: asdict(row) for key, row in self.outcomes(picture, seed).items()}
        write_json(self._path(picture, seed, "runs.json"), {**rows, case.key: asdict(outcome)})

    def picture(self, picture: int, seed: int, case: Case) -> Path:
        """Where a picture that was kept lies."""
        return self._path(picture, seed, f"{case.key}.png")

    def missing(
        self, cases: Sequence[Case], pictures: int, seeds: range, *, shown: int
    ) -> Iterator[tuple[int, int, list[Case]]]:
        """(picture, seed, cases to run), a seed for all pictures before the next: what is there early is balanced.

        shown: of so many pictures the first seed's results must be there as pictures too.
        """
        for seed in seeds:
            for picture in range(pictures):
                known = self.outcomes(picture, seed)
                seen = picture < shown and seed == seeds[0]
                left = [c for c in cases if c.key not in known or (seen and not self.picture(picture, seed, c).exists())]
                if left:
                    yield picture, seed, left

    def _path(self, picture: int, seed: int, name: str) -> Path:
        return self._folder / f"{picture:04d}-{seed}-{name}"
