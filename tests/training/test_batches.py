"""Seeded batches."""

from __future__ import annotations

import numpy as np
import torch

from engines.imaging.convert import to_tensor
from engines.training.batches import PictureBatches


def _pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), np.uint8)


def test_an_epoch_sees_every_picture_once():
    batches = PictureBatches(_pictures(12), seed=3, mirror=True)
    seen = np.concatenate([batches.indices(step, 4) for step in range(6)])
    assert sorted(seen[:12]) == list(range(12)) == sorted(seen[12:])
    assert list(seen[:12]) != list(seen[12:])


def test_any_step_can_be_drawn_without_the_ones_before():
    first, second = PictureBatches(_pictures(10), seed=3, mirror=True), PictureBatches(_pictures(10), seed=3, mirror=True)
    for step in range(7):
        first.batch(step, 4)
    indices, images = first.batch(7, 4)
    again, same = second.batch(7, 4)
    assert np.array_equal(indices, again) and torch.equal(images, same)


def test_pictures_are_the_indexed_ones_or_their_mirror():
    pictures = _pictures(40)
    indices, images = PictureBatches(pictures, seed=1, mirror=True).batch(0, 40)
    plain = to_tensor(pictures[indices])
    same = (images == plain).flatten(1).all(1)
    mirrored = (images == plain.flip(3)).flatten(1).all(1)
    assert bool((same | mirrored).all()) and 5 < int(mirrored.sum()) < 35


def test_without_mirroring_pictures_are_the_indexed_ones():
    pictures = _pictures(40)
    indices, images = PictureBatches(pictures, seed=1, mirror=False).batch(0, 40)
    assert torch.equal(images, to_tensor(pictures[indices]))
