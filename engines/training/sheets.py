"""Sample pictures of networks that paint none: held-out pictures beside what the network says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from engines.imaging.grids import picture_grid

__all__ = ["nearest", "outlined", "surest"]

_OF_A_SIDE = 4
_LINE_COLOUR = (255, 0, 0)


def surest(names: Sequence[str], logits: Tensor, pictures: Callable[[Sequence[int]], Sequence[np.ndarray]]) -> np.ndarray:
    """A row for each column of logits [N, K]: the pictures said surest not to have it, then those surest to have it.

    pictures: from places among the N to uint8 [H, W, 3] each. Returns uint8 [height, width, 3].
    """
    rows, labels = [], []
    for name, said in zip(names, logits.T, strict=True):
        order = torch.argsort(said, stable=True).tolist()
        lacking, having = order[:_OF_A_SIDE], order[-_OF_A_SIDE:]
        rows.append(list(pictures([*lacking, *having])))
        labels.append([*(f"no {name}" for _ in lacking), *(name for _ in having)])
    return picture_grid(rows, labels=labels)


def nearest(queries: np.ndarray, others: np.ndarray, distances: Tensor) -> np.ndarray:
    """A row for each of the queries [n, H, W, 3]: itself, the nearest of `others` [m, H, W, 3], and the farthest.

    distances: [n, m]. Returns uint8 [height, width, 3].
    """
    order = torch.argsort(distances, dim=1, stable=True).tolist()
    chosen = ([*places[:_OF_A_SIDE], places[-1]] for places in order)
    return picture_grid([[query, *(others[place] for place in row)] for query, row in zip(queries, chosen, strict=True)])


def outlined(picture: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """A copy of uint8 [H, W, 3] with the outline of a rectangle (x0, y0, x1, y1) in shares of the sides."""
    shown, (height, width) = picture.copy(), picture.shape[:2]
    # Of the pixels that the sides lie in; a side on the picture's border is drawn on its last pixel.
    x0, y0, x1, y1 = (min(max(int(share * size), 0), size - 1) for share, size in zip(box, (width, height) * 2, strict=True))
    shown[y0 : y1 + 1, (x0, x1)] = _LINE_COLOUR
    shown[(y0, y1), x0 : x1 + 1] = _LINE_COLOUR
    return shown
