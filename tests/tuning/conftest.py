"""A picture for the tiny pack that its generator cannot make, and inversions made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engines.inversion.result import Inversion


@pytest.fixture
def crop() -> np.ndarray:
    """Smooth stripes of colour, 32 px: far from what random weights paint."""
    x, y = np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 32))
    planes = (np.sin(7 * x + 2 * y), np.cos(5 * y), np.sin(3 * x - 6 * y))
    return np.stack([np.rint(127.5 + 90 * plane) for plane in planes], axis=-1).astype(np.uint8)


@pytest.fixture
def made():
    """made(crop, method=, number=): an inversion with `number` in its weights, as a tuning would leave it."""

    def make(crop: np.ndarray, *, method: str = "clone", number: float = 0.5, size: int = 8) -> Inversion:
        return Inversion(
            pack_id="tiny",
            pack_hash="0123456789abcdef",
            method=method,
            w_plus=np.full((8, 16), number, np.float32),
            crop=crop,
            reconstruction=crop,
            mse=0.25 * number,
            perceptual=0.125,
            perceptual_kind="pack",
            seconds=1.5,
            steps=7,
            warnings=(),
            alignment=None,
            seed=3,
            settings={"global_loss": "frozen"},
            weight_differences={"synthesis.b8.conv0.weight": np.full((size, 4), number, np.float16)},
        )

    return make
