"""Seeded batches of rendered pictures, mirrored at random where they may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from engines.core.rng import numpy_generator
from engines.data.sets import RenderedSet
from engines.generators.labels import one_hot
from engines.imaging.convert import to_tensor

__all__ = ["JoinedPictures", "PictureBatches", "class_labels", "over_pictures"]

_BATCH = 50


class JoinedPictures:
    """Several picture arrays behind one index."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(p) for p in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> np.ndarray:
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._parts[part][index - self._starts[part]]


class PictureBatches:
    """Random batches of uint8 pictures [N, S, S, 3]. Batch `step` depends on (seed, step) alone: a run resumes anywhere."""

    def __init__(self, images: np.ndarray, *, seed: int, mirror: bool) -> None:
        self.images = images
        self._seed = seed
        self._mirror = mirror
        self._orders: dict[int, np.ndarray] = {}

    def indices(self, step: int, count: int) -> np.ndarray:
        """`count` indices of step `step`, without repetition inside an epoch."""
        size = len(self.images)
        positions = np.arange(step * count, (step + 1) * count)
        epochs = positions // size
        needed = {int(e) for e in epochs}
        kept = {e: order for e, order in self._orders.items() if e in needed}
        self._orders = {e: kept[e] if e in kept else numpy_generator(self._seed, 1, e).permutation(size) for e in needed}
        return np.array([self._orders[int(e)][p % size] for e, p in zip(epochs, positions, strict=True)])

    def batch(self, step: int, count: int) -> tuple[np.ndarray, Tensor]:
        """Indices [count] and images [count, 3, S, S] in [-1, 1], half of them mirrored where asked for."""
        indices = self.indices(step, count)
        pictures = np.stack([self.images[i] for i in indices])
        images = to_tensor(pictures)
        if self._mirror:
            flips = torch.from_numpy(numpy_generator(self._seed, 2, step).random(count) < 0.5)
            images = torch.where(flips[:, None, None, None], images.flip(3), images)
        return indices, images


@torch.no_grad()
def over_pictures(
    network: Callable[[Tensor], Tensor],
    pictures: np.ndarray,
    *,
    mirrored: bool = False,
    report: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """`network` of uint8 pictures [N, H, W, 3] (or their mirror images), float32 [N, ...]; `report` hears how many are done."""
    parts = []
    for start in range(0, len(pictures), _BATCH):
        image = to_tensor(np.asarray(pictures[start : start + _BATCH]))
        parts.append(network(image.flip(3) if mirrored else image).float())
        report(min(start + _BATCH, len(pictures)))
    return torch.cat(parts)


def class_labels(rendered: RenderedSet) -> Tensor:
    """The labels [N, C] of a set's pictures; rows of no width where the set has no classes."""
    classes = np.zeros(len(rendered.images), np.int64) if rendered.classes is None else rendered.classes
    return one_hot(classes, len(rendered.data.classes))
