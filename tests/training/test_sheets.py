"""Sample pictures of networks that paint none, on pictures of one grey each."""

from __future__ import annotations

import numpy as np
import torch

from engines.training.sheets import nearest, outlined, surest

_SIDE = 24


def _greys(count: int) -> np.ndarray:
    return np.stack([np.full((_SIDE, _SIDE, 3), 10 * place, np.uint8) for place in range(count)])


def _cells(sheet: np.ndarray, rows: int) -> list[list[int]]:
    """The grey in the middle of every cell."""
    step = _SIDE + 2
    height = (len(sheet) + 2) // rows
    return [[int(v) for v in sheet[row * height + _SIDE // 2, _SIDE // 2 :: step, 0]] for row in range(rows)]


def test_the_surest_stand_at_both_ends_of_a_row():
    images = _greys(12)
    logits = torch.stack([torch.arange(12.0), -torch.arange(12.0)], 1)
    sheet = surest(("Up", "Down"), logits, lambda places: [images[place] for place in places])
    up = [0, 10, 20, 30, 80, 90, 100, 110]
    assert _cells(sheet, 2) == [up, up[::-1]]


def test_a_query_stands_beside_its_nearest_and_its_farthest():
    images = _greys(8)
    distances = (torch.tensor([[0.0], [70.0]]) - 10 * torch.arange(8.0)).abs()
    sheet = nearest(images[[0, 7]], images, distances)
    assert _cells(sheet, 2) == [[0, 0, 10, 20, 30, 70], [70, 70, 60, 50, 40, 0]]


def test_a_box_is_outlined_and_the_rest_stays():
    picture = _greys(2)[1]
    shown = outlined(picture, (0.25, 0.5, 0.75, 1.0))
    changed = (shown != picture).any(2)
    assert changed[12:, 6].all() and changed[12:, 18].all() and changed[12, 6:19].all() and changed[23, 6:19].all()
    assert changed.sum() == 2 * 12 + 2 * 13 - 4
    assert (picture == 10).all()
