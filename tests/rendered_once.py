"""Pictures of rendered sets that tests share: one portrait takes a fifth of a second, and many tests ask for the same few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pytest

from engines.data.registry import DATA_SETS

__all__ = ["render_once"]

_MOST_PICTURES = 2000
"""Of 128 px they are 100 MB."""


def render_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendered sets draw a record, and a record's picture, the first time this process asks for it, and remember both.

    For tests of what is done with pictures. Records and renderers are tested without it.
    """
    for name in DATA_SETS:
        record, picture = _remembered(name)
        monkeypatch.setitem(DATA_SETS, name, replace(DATA_SETS[name], record=record, render=picture))


@cache
def _remembered(name: str) -> tuple[Callable[[str, int], Any], Callable[[Any, int], np.ndarray]]:
    record, render = DATA_SETS[name].record, DATA_SETS[name].render

    @lru_cache(maxsize=_MOST_PICTURES)
    def kept(line: str, size_px: int) -> np.ndarray:
        return render(DATA_SETS[name].read(line), size_px)

    return lru_cache(maxsize=_MOST_PICTURES)(record), lambda row, size_px: kept(row.to_json(), size_px).copy()
