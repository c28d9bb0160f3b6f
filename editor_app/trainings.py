"""Trainings of users' own attributes, in threads of the server: one runs, the others wait, and each belongs to its user.

A page asks every second how far its training is. One that nobody has asked about for long is ended: its page is closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from editor_app import texts
from editor_app.turns import Turns
from engines.api import Cancelled, CancelToken, Progress, ProgressCallback

__all__ = ["Training", "Trainings"]

MAX_WAITING = 4
MAX_SILENT_SEC = 120.0
_MAX_REMEMBERED = 64

Work = Callable[[ProgressCallback, CancelToken], Any]
"""Does the training and returns what came of it; raises Cancelled once the token is set."""


@dataclass(eq=False)
class Training:
    """One training; read by any thread, written by its own."""

    name: str
    """What the attribute is called."""
    phase: str = "working"
    """working, done, failed or cancelled"""
    text: str = ""
    """For people: what is being done, or how it ended."""
    share: float | None = None
    """How much of the present stage is done, 0 to 1."""
    result: Any = None
    cancel: CancelToken = field(default_factory=CancelToken)
    asked_sec: float = 0.0


class Trainings:
    """All of them, by user."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_user: dict[str, Training] = {}
        self._turns = Turns(MAX_WAITING)

    def start(self, user: str, name: str, work: Work, *, ended: Callable[[], None] = lambda: None) -> Training | None:
        """Starts `work` in a thread, or in the queue; None where the user has one running already.

        ended: called once it has ended, or was stopped before its turn came.
        """
        with self._lock:
            running = self._by_user.get(user)
            if running is not None and running.phase == "working":
                return None
            training = Training(name, text=texts.TRAINING_STARTS, asked_sec=self._clock())
            self._by_user.pop(user, None)
            self._by_user[user] = training
            self._forget_old()
        threading.Thread(target=self._run, args=(training, work, ended), name="training", daemon=True).start()
        return training

    def look(self, user: str) -> Training | None:
        """The user's newest training; asking keeps it alive."""
        with self._lock:
            training = self._by_user.get(user)
            if training is not None:
                training.asked_sec = self._clock()
            return training

    def stop(self, user: str) -> None:
        """Asks the user's training to end."""
        with self._lock:
            training = self._by_user.get(user)
        if training is not None:
            training.cancel.cancel()

    def close(self) -> None:
        """Ends all."""
        with self._lock:
            for training in self._by_user.values():
                training.cancel.cancel()

    def _run(self, training: Training, work: Work, ended: Callable[[], None]) -> None:
        try:
            try:
                training.result = self._worked(training, work)
            finally:
                ended()
            training.share, training.phase = 1.0, "done"
        except Cancelled:
            training.text, training.phase = texts.TRAINING_CANCELLED, "cancelled"
        except Exception as error:
            training.text, training.phase = texts.error_text(error), "failed"

    def _worked(self, training: Training, work: Work) -> Any:
        """What came of the work, when its turn has come."""
        with self._turns.join() as turn:
            for ahead in turn.wait(training.cancel):
                training.text = texts.training_waits(ahead)
                self._end_if_alone(training)
            training.cancel.raise_if_cancelled()
            return work(lambda record: self._tell(training, record), training.cancel)

    def _tell(self, training: Training, record: Progress) -> None:
        training.text = texts.progress_text(record)
        training.share = record.step / record.total if record.total else None
        self._end_if_alone(training)

    def _end_if_alone(self, training: Training) -> None:
        if self._clock() - training.asked_sec > MAX_SILENT_SEC:
            training.cancel.cancel()

    def _forget_old(self) -> None:
        ended = [user for user, training in self._by_user.items() if training.phase != "working"]
        for user in ended[: max(0, len(self._by_user) - _MAX_REMEMBERED)]:
            del self._by_user[user]
