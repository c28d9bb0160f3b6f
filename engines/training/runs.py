"""A training run's folder: resolved configuration, JSON-lines log, checkpoint and sample pictures."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from engines.core.atomic import replacing, write_json
from engines.core.errors import RunError
from engines.core.paths import data_dir

__all__ = ["Run", "run_folder"]

_CHECKPOINT = "checkpoint.pt"


def run_folder(pack_id: str, what: str, folder: str | Path | None = None) -> Path:
    """Where a run lies: `folder`, or ``<data dir>/runs/<pack>/<what>``. Raises RunError for a pack id that is no plain name."""
    if Path(pack_id).name != pack_id or pack_id in ("", ".."):
        raise RunError(f"--pack {pack_id}: the id of a pack is one name, without folders.")
    return Path(folder) if folder else data_dir() / "runs" / pack_id / what


class Run:
    """One training run. All seconds count across resumed sessions, so that a budget means total training time."""

    def __init__(self, folder: Path, config: dict[str, Any], seconds_before: float) -> None:
        self.folder = folder
        self.config = config
        self._seconds_before = seconds_before
        self._started = time.monotonic()

    @classmethod
    def open(cls, folder: Path, config: dict[str, Any], *, resume: bool) -> Run:
        """Starts a run in `folder`, or goes on with the one that lies there.

        Raises RunError when there is a run and `resume` is false, or none and `resume` is true, or when the
        configuration that it was started with differs in anything but its time budget; or what lies there is damaged.
        """
        path = folder / "config.json"
        # As it will be read back: JSON knows no tuples.
        config = json.loads(json.dumps(config))
        checkpoint = folder / _CHECKPOINT
        if resume:
            if not checkpoint.exists():
                raise RunError(f"There is no checkpoint to resume from in {folder}; start without --resume.")
            before = _read_config(path)
            changed = sorted(k for k in before.keys() | config.keys() if k != "minutes" and before.get(k) != config.get(k))
            if changed:
                raise RunError(
                    f"The run in {folder} was started with another {', '.join(changed)}; use the same, or another --run."
                )
        elif checkpoint.exists():
            raise RunError(f"{folder} already holds a run; add --resume to go on with it, or name another folder with --run.")
        seconds_before = _read_checkpoint(checkpoint)["seconds"] if resume else 0.0
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, config)
        return cls(folder, config, seconds_before)

    def part(self, name: str) -> Run:
        """A stage of this run with a log and a checkpoint of its own, in a folder inside; goes on with what lies there."""
        folder = self.folder / name
        return Run.open(folder, {**self.config, "part": name}, resume=(folder / _CHECKPOINT).exists())

    def finish(self) -> None:
        """Removes the checkpoints, of parts too: the run is done, and its folder is free for another one. Its log stays."""
        for path in (*self.folder.glob(f"*/{_CHECKPOINT}"), self.folder / _CHECKPOINT):
            path.unlink(missing_ok=True)

    @property
    def seconds(self) -> float:
        """Training time so far, resumed sessions included."""
        return self._seconds_before + time.monotonic() - self._started

    def log(self, **numbers: float | int | str) -> None:
        """Appends one JSON line to ``log.jsonl``."""
        record = {"seconds": round(self.seconds, 1), **numbers}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in record.items()}) + "\n")

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint by nested dicts of tensors and numbers, atomically."""
        with replacing(self.folder / _CHECKPOINT) as temporary:
            torch.save({"seconds": self.seconds, "state": state}, temporary)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The state of the last checkpoint, or None in a fresh run. Only tensors and plain values are read."""
        path = self.folder / _CHECKPOINT
        return _read_checkpoint(path)["state"] if path.exists() else None

    def picture(self, name: str, pixels: np.ndarray) -> Path:
        """Saves uint8 RGB [H, W, 3] as ``<name>.png`` in the run's folder."""
        path = self.folder / f"{name}.png"
        with replacing(path) as temporary:
            Image.fromarray(pixels).save(temporary)
        return path


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    return config


def _read_checkpoint(path: Path) -> dict[str, Any]:
    """`seconds` and `state`. Only tensors and plain values are read."""
    try:
        found = torch.load(path, weights_only=True)
        kinds = {"seconds": float, "state": dict}
        if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
            raise ValueError("it is no checkpoint of a run")
    # A damaged archive fails wherever the damage lies: in zip, in the unpickler, in the tensors.
    except Exception as error:
        raise _damaged(path, error) from error
    return found


def _damaged(path: Path, error: Exception) -> RunError:
    reason = str(error) if type(error) is ValueError else type(error).__name__
    return RunError(f"{path} cannot be read ({reason}); remove the run's folder and start without --resume.")
