"""Degradations stay pictures, are seeded, and do what their names say."""

from __future__ import annotations

import pytest
import torch

from engines.core.rng import torch_generator
from engines.training.augment import degrade, jitter_crop, recolour


def _images() -> torch.Tensor:
    return torch.rand(24, 3, 32, 32, generator=torch_generator(5)) * 2 - 1


@pytest.mark.parametrize("change", [degrade, jitter_crop, recolour])
def test_same_seed_same_pictures_in_range(change):
    images = _images()
    kept = images.clone()
    first, second = (change(images, torch_generator(1)) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(images, kept)
    assert first.shape == images.shape and float(first.abs().max()) <= 1 + 1e-6
    assert not torch.equal(first, change(images, torch_generator(2)))


def test_no_jitter_is_the_identity():
    images = _images()
    assert torch.allclose(jitter_crop(images, torch_generator(0), shift=0, scale=0, degrees=0), images, atol=1e-5)


def test_no_recolouring_strength_is_the_identity():
    images = _images()
    assert torch.allclose(recolour(images, torch_generator(0), strength=0), images, atol=1e-6)


def test_degrading_takes_detail_from_some_pictures_and_leaves_others():
    images = _images()
    changed = (degrade(images, torch_generator(3)) - images).abs().flatten(1).mean(1)
    assert 2 <= int((changed == 0).sum()) <= 20
