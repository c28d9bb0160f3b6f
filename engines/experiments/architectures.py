"""``evaluate architectures``: which class-conditional generator gives better samples for the same processor time.

StyleGAN2 in the sizes of the pack against BigGAN-deep (Brock et al. 2019) with about as many parameters. Both are trained
from scratch by the same recipe (:mod:`engines.experiments.competitor`) and thrown away afterwards. They take turns in one
process, so that both see the same machine, and only their steps are timed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.core.progress import Progress
from engines.data.registry import data_set
from engines.evaluation.generator import closeness
from engines.evaluation.judges import Judges
from engines.evaluation.setting import Setting, add_common_arguments
from engines.experiments.architecture_report import write_architecture_report
from engines.experiments.competitor import (
    LOSSES,
    Competitor,
    RealPictures,
    biggan_deep,
    nearest_width,
    parameter_count,
    stylegan2,
)
from engines.generators.labels import one_hot
from engines.packs.load import Pack
from engines.training.runs import Run, run_folder

__all__ = ["HELP", "Budget", "add_arguments", "run"]

HELP = "class-conditional StyleGAN2 against BigGAN-deep, trained from scratch for the same processor time"

_LEAST_PICTURES = 4  # a picture and its three neighbours, of precision and recall
_DEFAULT_MINUTES = 60.0
_SLICE_SEC = 30.0
_SLICE_STEPS = 20
_CHECKPOINT_PERIOD_SEC = 300.0
_REPORT_PERIOD_SEC = 1.0
_LOG_STEPS = 50


@dataclass(frozen=True)
class Budget:
    """What each competitor may use, in equal parts up to the checks: steps, or minutes of processor time."""

    steps: int | None
    minutes: float | None
    checks: int

    def used(self, competitor: Competitor) -> float:
        """The part of the budget, in checks: from 0 to `checks`."""
        if self.steps is not None:
            return competitor.step_count * self.checks / self.steps
        return competitor.processor_seconds * self.checks / (60 * self.minutes)

    @property
    def part(self) -> dict[str, float]:
        """What lies between two checks, for the run's configuration: budget and checks may grow together later on."""
        return {name: value / self.checks for name, value in (("steps", self.steps), ("minutes", self.minutes)) if value}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=2000)
    add = parser.add_argument
    minutes = f"minutes of processor time for the training of each, all threads together (default {_DEFAULT_MINUTES:g})"
    add("--minutes", type=float, default=None, help=minutes)
    add("--steps", type=int, default=None, help="steps for the training of each, in place of minutes")
    add("--checks", type=int, default=6, metavar="K", help="evenly spaced times at which samples are judged (default 6)")
    add("--pictures", type=int, default=20000, metavar="N", help="rendered training pictures to use (default 20000)")
    add("--batch", type=int, default=16, metavar="N", help="pictures a step (default 16)")
    add("--rate", type=float, default=2e-4, help="learning rate of BigGAN-deep's generator (default 2e-4)")
    add("--loss", choices=LOSSES, default="logistic", help="of BigGAN-deep (default logistic, as StyleGAN2's)")
    # Threads that wait for each other take processor time too, the more so where other work shares the cores.
    add("--threads", type=int, default=1, help="CPU threads (default 1: the processor time is that of the work alone)")
    add("--run", default=None, metavar="DIR", help="folder of the trainings (default: in the data folder)")
    add("--resume", action="store_true", help="go on with the trainings that lie there")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains, judges and writes the report; returns a row of figures for each architecture at its last check."""
    budget = _budget(arguments)
    decisive = ("minutes", "steps", "checks", "pictures", "batch", "rate", "loss", "threads")
    options = {name: getattr(arguments, name) for name in decisive} | {"minutes": budget.minutes}
    setting = Setting.open(arguments, "evaluate architectures", options)
    _check_pack(setting.pack)
    torch.set_num_threads(arguments.threads)
    measure = _Measure(setting, arguments.n)
    # Of the pack, the judge alone matters: other parts may be trained anew meanwhile.
    config = {"what": "architectures", "judge": setting.pack.component_sha256("class_predictor"), **budget.part}
    config |= {name: options[name] for name in ("pictures", "batch", "rate", "loss", "threads")}
    config |= {"n": arguments.n, "set": setting.rendered, "seed": arguments.seed}
    folder = run_folder(setting.pack.id, "architectures", arguments.run)
    training = Run.open(
        folder, {f"{k} a check" if k in budget.part else k: v for k, v in config.items()}, resume=arguments.resume
    )
    competitors = _competitors(setting, arguments)
    rows = _Contest(setting, training, budget, competitors, measure).run()
    return write_architecture_report(setting, competitors, rows, by_steps=budget.steps is not None)


class _Measure:
    """The figures of a generator's samples against held-out renders, as ``evaluate generator`` computes them."""

    def __init__(self, setting: Setting, n: int) -> None:
        self._judges, self._seed = Judges(setting.pack), setting.provenance.seed
        # Validation pictures: which architecture to take is a choice, and choices are not made on the test pictures.
        held_out, train = setting.subjects("validation", n), setting.subjects("train", n)
        self._classes = held_out.classes
        self._labels = one_hot(held_out.classes, len(setting.pack.manifest.classes))
        self._real, self._train = self._judges.features(held_out.pictures), self._judges.features(train.pictures)

    def __call__(self, competitor: Competitor) -> dict[str, float]:
        competitor.settle()
        pictures = competitor.samples(self._labels, seed=self._seed)
        figures = closeness(self._judges.features(pictures), self._real, self._train)
        return {**figures, "class_agreement": float(np.mean(self._judges.classes(pictures) == self._classes))}


class _Contest:
    """The trainings in turns, with what was measured at every check."""

    def __init__(
        self, setting: Setting, training: Run, budget: Budget, competitors: Sequence[Competitor], measure: _Measure
    ) -> None:
        self._setting, self._run, self._budget = setting, training, budget
        self._competitors, self._measure = competitors, measure
        self._rows: list[dict[str, Any]] = []
        self._checks_done = 0
        self._saved = self._reported = -float("inf")
        state = training.load_checkpoint()
        if state is not None:
            self._rows, self._checks_done = state["rows"], state["checks_done"]
            for competitor in competitors:
                competitor.load(state[competitor.architecture.name])

    def run(self) -> list[dict[str, Any]]:
        """A row for every competitor and check, in the order of the checks."""
        while self._checks_done < self._budget.checks:
            target = self._checks_done + 1
            while any(self._budget.used(competitor) < target for competitor in self._competitors):
                for competitor in self._competitors:
                    self._take_turn(competitor, target)
                if time.monotonic() - self._saved > _CHECKPOINT_PERIOD_SEC:
                    self._save()
            for place, competitor in enumerate(self._competitors):
                self._setting.stage("Judging samples", place, len(self._competitors))
                self._rows.append(self._row(competitor, target))
                self._run.log(**self._rows[-1])
            self._checks_done = target
            self._save()
        return self._rows

    def _take_turn(self, competitor: Competitor, target: int) -> None:
        seconds, steps = competitor.processor_seconds, competitor.step_count
        by_steps = self._budget.steps is not None
        while self._budget.used(competitor) < target:
            turn_over = (
                competitor.step_count - steps >= _SLICE_STEPS
                if by_steps
                else competitor.processor_seconds - seconds >= _SLICE_SEC
            )
            if turn_over:
                return
            losses = competitor.step()
            self._report(competitor, losses["d"])
            if competitor.step_count % _LOG_STEPS == 0:
                self._run.log(architecture=competitor.architecture.name, step=competitor.step_count, **losses)

    def _report(self, competitor: Competitor, loss: float) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_PERIOD_SEC:
            self._reported = now
            name = f"Training {competitor.architecture.name}"
            elapsed = self._run.seconds
            self._setting.progress(Progress(name, competitor.step_count, self._budget.steps, elapsed, loss))

    def _row(self, competitor: Competitor, check: int) -> dict[str, Any]:
        return {
            "architecture": competitor.architecture.name,
            "check": check,
            "steps": competitor.step_count,
            "pictures_seen": competitor.pictures_seen,
            **self._measure(competitor),
            "processor_seconds": competitor.processor_seconds,
            "processor_seconds_per_step": competitor.processor_seconds / competitor.step_count,
        }

    def _save(self) -> None:
        self._saved = time.monotonic()
        states = {competitor.architecture.name: competitor.state() for competitor in self._competitors}
        self._run.save_checkpoint({"rows": self._rows, "checks_done": self._checks_done, **states})


def _competitors(setting: Setting, arguments: argparse.Namespace) -> list[Competitor]:
    pack, subjects = setting.pack, setting.subjects("train", arguments.pictures)
    config, judge = pack.generator.config, pack.discriminator.config
    labels = one_hot(subjects.classes, config.class_count)
    real = RealPictures(subjects.pictures, labels, data_set(setting.rendered).may_mirror)
    sizes = nearest_width(config.resolution, config.class_count, parameter_count(pack.generator))
    rows = [stylegan2(config), biggan_deep(sizes, rate=arguments.rate, loss=arguments.loss)]
    return [Competitor(row, judge, real, batch=arguments.batch, seed=arguments.seed) for row in rows]


def _budget(arguments: argparse.Namespace) -> Budget:
    """Raises OptionError for options that cannot be."""
    steps, minutes = arguments.steps, arguments.minutes
    if steps is not None and minutes is not None:
        raise OptionError("--steps and --minutes exclude each other.")
    if arguments.checks < 1:
        raise OptionError(f"--checks {arguments.checks}: at least one check is needed.")
    if steps is not None and steps < arguments.checks:
        raise OptionError(f"--steps {steps}: at least one step is needed for each of {arguments.checks} checks.")
    if minutes is not None and not minutes > 0:
        raise OptionError(f"--minutes {minutes:g}: give a number above 0.")
    if arguments.n < _LEAST_PICTURES:
        raise OptionError(f"--n {arguments.n}: at least {_LEAST_PICTURES} pictures are needed.")
    if arguments.batch < 2 or arguments.pictures < arguments.batch:
        raise OptionError("--batch must be at least 2, and --pictures at least as many.")
    if arguments.threads < 1:
        raise OptionError(f"--threads {arguments.threads}: at least one thread is needed.")
    if not arguments.rate > 0:
        raise OptionError(f"--rate {arguments.rate:g}: give a number above 0.")
    return Budget(steps, None if steps is not None else minutes or _DEFAULT_MINUTES, arguments.checks)


def _check_pack(pack: Pack) -> None:
    if not pack.manifest.classes:
        raise OptionError(f"Pack {pack.id} has no classes; this comparison is about class-conditional generators.")
