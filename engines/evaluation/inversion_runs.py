"""The inversions of ``evaluate inversion``: each kept as it comes, by all that decides it, with the figures of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from engines.evaluation.judges import Judges
from engines.evaluation.kept import Kept, kept_folder
from engines.evaluation.known_runs import KnownRuns
from engines.evaluation.metrics import attribute_preservation, squared_difference
from engines.evaluation.revisions import revision_of
from engines.evaluation.setting import Setting
from engines.evaluation.ways import inverted
from engines.evaluation.work_share import WorkShare
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.inversion.result import Inversion
from engines.tuning.cohesion import WITH_TRAINING_PICTURES
from engines.tuning.methods import TUNING_METHODS

__all__ = ["InversionRuns", "Outcome", "Run", "outcome_of"]

_USED_IF_THERE = ("class_predictor",)
_TUNING_USES_IF_THERE = ("edit_maps",)
_JUDGING = ("attribute_predictor", "identity", "perceptual")


@dataclass(frozen=True)
class Outcome:
    """Figures of one inversion; its picture is compared with the one that was given."""

    mse: float
    """In [-1, 1]."""
    perceptual: float
    """Distance of the pack's own perceptual network."""
    identity: float | None
    """Cosine of the identity features; None for a pack without an identity network."""
    attributes_kept: float
    """Share of the predictor's answers that are the same."""
    seconds: float
    evaluations: int
    """Pictures that the generator made."""
    tuned: bool
    """Whether the generator was changed."""


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
    def name(self) -> str:
        """What the result of its way is kept as: one picture may be in two sets."""
        return hashlib.sha256(self.crop.tobytes()).hexdigest()[:32]

    @property
    def key(self) -> tuple[str, str]:
        """Tells inversions apart."""
        return self.way, self.name


class InversionRuns:
    """Inversions with one seed and budget, known or to be made.

    share: which of `runs` are to be made here, and for how long; fresh: those of it that are known too. Figures are also read
    from and written to ``runs-<way>.json`` in the report's `folder`.
    """

    def __init__(
        self,
        setting: Setting,
        runs: Sequence[Run],
        share: WorkShare,
        folder: Path,
        *,
        seconds: float | None,
        steps: int | None,
        fresh: bool,
    ) -> None:
        self._setting, self._share = setting, share
        self._budget = {"seconds": seconds, "steps": steps}
        self._judges = Judges(setting.pack)
        self._runs = list({run.key: run for run in runs}.values())
        self._known = {way: self._known_of(way, folder, fresh=fresh) for way in dict.fromkeys(run.way for run in self._runs)}

    def outcome(self, run: Run) -> Outcome | None:
        return self._known[run.way].figures(run.name)

    def picture(self, run: Run) -> np.ndarray | None:
        """uint8 [R, R, 3] that the inversion gave; None where at most its figures are known."""
        return self._known[run.way].picture(run.name)

    def make(self) -> None:
        """Makes what of the share is not known, as much as its time allows."""
        self._make([run for run in self._runs if self._share.has(run.picture)], self.outcome, self._share)

    def make_pictures(self, runs: Sequence[Run]) -> None:
        """Makes again those of which figures alone are known, whatever the share."""
        self._make(list({run.key: run for run in runs}.values()), self.picture, WorkShare.all())

    @property
    def left(self) -> int:
        """How many are not known."""
        return sum(self.outcome(run) is None for run in self._runs)

    def write(self) -> None:
        """Writes the figures of all that is known into the report's folder."""
        for known in self._known.values():
            known.write(self._setting.provenance)

    def _make(self, runs: Sequence[Run], known: Callable[[Run], object], share: WorkShare) -> None:
        missing = [run for run in runs if known(run) is None]
        for way, run in {run.way: run for run in missing}.items():
            # The first call also reads weights and warms the allocator up: not part of the seconds that are reported.
            inverted(self._setting.pack, run.crop, way, steps=1, seed=0)
        for done, run in enumerate(share.in_time(missing)):
            self._setting.stage(f"Inverting {run.stage} with {run.way}", done, len(missing))
            # Another process may have been quicker.
            if known(run) is None:
                found = inverted(self._setting.pack, run.crop, run.way, seed=self._setting.provenance.seed, **self._budget)
                self._known[run.way].keep(run.name, outcome_of(self._judges, found), found.reconstruction)
        self._setting.stage("Inverting", len(missing), len(missing))

    def _known_of(self, way: str, folder: Path, *, fresh: bool) -> KnownRuns[Outcome]:
        (method, _, variant), pack = way.partition(":"), self._setting.pack
        tuning = _TUNING_USES_IF_THERE if method in TUNING_METHODS else ()
        sample = ("training_sample",) if variant in WITH_TRAINING_PICTURES else ()
        kinds = tuple(dict.fromkeys((*METHOD_COMPONENTS[method], *_USED_IF_THERE, *tuning, *sample, *_JUDGING)))
        deciding = (way, self._setting.provenance.seed, *self._budget.values(), revision_of(way))
        # A colon may not be part of every file system's names.
        file_name = way.replace(":", "-")
        kept = Kept(kept_folder(pack, f"inversion-{file_name}", kinds, deciding), Outcome)
        forgotten = [run.name for run in self._runs if fresh and run.way == way and self._share.has(run.picture)]
        return KnownRuns(kept, folder, Outcome, file_name=f"runs-{file_name}.json", fresh=forgotten)


def outcome_of(judges: Judges, inversion: Inversion) -> Outcome:
    """The figures of an inversion."""
    given, made = inversion.crop[None], inversion.reconstruction[None]
    before, after = judges.probabilities(given), judges.probabilities(made)
    identity = float(judges.identity_similarity(given, made)[0])
    return Outcome(
        mse=float(squared_difference(given, made)[0]),
        perceptual=float(judges.perceptual(given, made)[0]),
        identity=None if np.isnan(identity) else identity,
        attributes_kept=float(attribute_preservation(before, after, np.ones(before.shape[1], bool))[0]),
        seconds=float(inversion.seconds),
        evaluations=int(inversion.evaluations),
        tuned=bool(inversion.weight_differences),
    )
