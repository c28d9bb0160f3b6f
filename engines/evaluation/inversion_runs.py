"""The inversions of ``evaluate inversion``, each kept as it comes, by all that decides it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from engines.evaluation.kept import Kept, kept_folder
from engines.evaluation.setting import Setting
from engines.evaluation.ways import inverted
from engines.evaluation.work_share import WorkShare
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.inversion.result import Inversion
from engines.tuning.methods import TUNING_METHODS

__all__ = ["Effort", "InversionRuns", "Result", "Run", "kept_of"]

_USED_IF_THERE = ("class_predictor",)
_TUNING_USES_IF_THERE = ("edit_maps", "training_sample")


@dataclass(frozen=True)
class Effort:
    """What is known of an inversion beside its reconstruction."""

    seconds: float
    evaluations: int
    """Pictures that the generator made."""
    tuned: bool
    """Whether the generator was changed."""


Result: TypeAlias = tuple[Effort, np.ndarray]
"""Effort, and reconstruction uint8 [R, R, 3]."""


@dataclass(frozen=True, eq=False)
class Run:
    """One picture in one way."""

    stage: str
    """The set it belongs to, for progress."""
    picture: int
    """Its number in the set, from 0."""
    crop: np.ndarray
    """uint8 [R, R, 3]."""
    way: str

    @cached_property
    def key(self) -> tuple[str, str]:
        """The way, and a name for the picture."""
        return self.way, hashlib.sha256(self.crop.tobytes()).hexdigest()[:32]


class InversionRuns:
    """Results of some ways with one seed and budget, known or to be made."""

    def __init__(self, setting: Setting, ways: Sequence[str], *, seconds: float | None, steps: int | None) -> None:
        self._setting, self._seed = setting, setting.provenance.seed
        self._budget = {"seconds": seconds, "steps": steps}
        self._kept = {way: self._kept_of_way(way) for way in ways}

    def get(self, run: Run) -> Result | None:
        """What is known of it."""
        way, name = run.key
        return self._kept[way].get(name)

    def make(self, runs: Sequence[Run], share: WorkShare, *, fresh: bool) -> None:
        """Makes those of the share that are not known, as many as its time allows. fresh: the others too."""
        mine = [run for run in runs if share.has(run.picture)]
        if fresh:
            for run in mine:
                self._kept[run.way].forget(run.key[1])
        # One picture may be in two sets.
        missing = list({run.key: run for run in mine if self.get(run) is None}.values())
        for way, run in {run.way: run for run in missing}.items():
            # The first call also reads weights and warms the allocator up: not part of the seconds that are reported.
            inverted(self._setting.pack, run.crop, way, steps=1, seed=0)
        for done, run in enumerate(share.in_time(missing)):
            self._setting.stage(f"Inverting {run.stage} with {run.way}", done, len(missing))
            # Another process may have been quicker.
            if self.get(run) is None:
                inversion = inverted(self._setting.pack, run.crop, run.way, seed=self._seed, **self._budget)
                self._kept[run.way].keep(run.key[1], *kept_of(inversion))
        self._setting.stage("Inverting", len(missing), len(missing))

    def _kept_of_way(self, way: str) -> Kept[Effort]:
        method = way.partition(":")[0]
        kinds = (*METHOD_COMPONENTS[method], *_USED_IF_THERE, *(_TUNING_USES_IF_THERE if method in TUNING_METHODS else ()))
        deciding = (way, self._seed, *self._budget.values())
        # A colon may not be part of every file system's names.
        return Kept(kept_folder(self._setting.pack, f"inversion-{way.replace(':', '-')}", kinds, deciding), Effort)


def kept_of(inversion: Inversion) -> Result:
    """Of an inversion only what figures and pictures need: differences of weights are large."""
    effort = Effort(float(inversion.seconds), int(inversion.evaluations), bool(inversion.weight_differences))
    return effort, inversion.reconstruction
