"""The Laplacian pyramid against a slow reference, and its own algebra."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from engines.core.rng import torch_generator
from engines.losses.laplacian import laplacian_pyramid, laplacian_pyramid_l1

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def _pair(*size: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (2, 3, *size)
    return tuple(torch.rand(shape, generator=torch_generator(seed), dtype=torch.float64) for seed in (0, 1))


def _normalised(image: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The binomial average of the pixels that are present, at every position."""
    return convolve(image * present, KERNEL, mode="constant") / convolve(present, KERNEL, mode="constant")


def _expanded(small: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Filled in again from the even pixels."""
    even, large = np.zeros(shape), np.zeros(shape)
    even[::2, ::2], large[::2, ::2] = 1, small
    return _normalised(large, even)


def _slow_l1(a: np.ndarray, b: np.ndarray, levels: int, weights: np.ndarray) -> float:
    """One channel, with scipy: g_{l+1} is the filtered image's even pixels."""
    total = 0.0
    for level in range(levels):
        if level == levels - 1:
            difference = a - b
        else:
            coarse = [_normalised(x, np.ones_like(x))[::2, ::2] for x in (a, b)]
            filled = [_expanded(small, a.shape) for small in coarse]
            difference = (a - filled[0]) - (b - filled[1])
            a, b = coarse
        total += float((np.abs(difference) * weights).sum() / weights.sum())
        weights = _normalised(weights, np.ones_like(weights))[::2, ::2]
    return total


@pytest.mark.parametrize("size", [(32, 32), (20, 27)])
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_the_distance_is_that_of_a_slow_pyramid_built_with_scipy(size, levels):
    a, b = _pair(*size)
    expected = [
        np.mean([_slow_l1(x[c].numpy(), y[c].numpy(), levels, np.ones(size)) for c in range(3)])
        for x, y in zip(a, b, strict=True)
    ]
    assert np.allclose(laplacian_pyramid_l1(a, b, levels=levels).numpy(), expected, rtol=1e-10)


def test_a_weight_map_weights_every_level():
    a, b = _pair(16, 16)
    weights = torch.rand(1, 1, 16, 16, generator=torch_generator(2), dtype=torch.float64)
    expected = [
        np.mean([_slow_l1(x[c].numpy(), y[c].numpy(), 3, weights[0, 0].numpy()) for c in range(3)])
        for x, y in zip(a, b, strict=True)
    ]
    assert np.allclose(laplacian_pyramid_l1(a, b, levels=3, weight_map=weights).numpy(), expected, rtol=1e-10)
    plain, ones = (laplacian_pyramid_l1(a, b, weight_map=m) for m in (None, torch.ones_like(weights)))
    assert torch.allclose(plain, ones)


def test_equal_pictures_have_distance_zero_and_the_distance_is_symmetric():
    a, b = _pair(16, 16)
    assert laplacian_pyramid_l1(a, a).tolist() == [0.0, 0.0]
    assert torch.allclose(laplacian_pyramid_l1(a, b), laplacian_pyramid_l1(b, a))


@pytest.mark.parametrize("size", [(32, 32), (13, 8), (3, 1)])
def test_the_pyramid_gives_back_its_picture(size):
    """Each level is what its picture has beyond the next one, expanded: g_l = L_l + expand(g_{l+1})."""
    a, _ = _pair(*size)
    pyramid = laplacian_pyramid(a, 5)
    for i, j in np.ndindex(a.shape[:2]):
        whole = pyramid[-1][i, j].numpy()
        for level in reversed(pyramid[:-1]):
            whole = level[i, j].numpy() + _expanded(whole, tuple(level.shape[2:]))
        assert np.allclose(whole, a[i, j].numpy(), atol=1e-12)
    assert all(level.shape[2] == -(-pyramid[i].shape[2] // 2) for i, level in enumerate(pyramid[1:]))


def test_a_constant_shift_lies_in_the_low_pass_alone():
    a, _ = _pair(32, 32)
    difference = laplacian_pyramid(a + 0.25, 5), laplacian_pyramid(a, 5)
    levels = [float((x - y).abs().mean()) for x, y in zip(*difference, strict=True)]
    assert np.allclose(levels, [0, 0, 0, 0, 0.25], atol=1e-12)


def test_gradients_are_exact():
    a, b = _pair(8, 8)
    a = a[:1].requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: laplacian_pyramid_l1(x, b[:1], levels=3), (a,))


def test_no_levels_are_refused():
    a, b = _pair(8, 8)
    with pytest.raises(ValueError, match="levels"):
        laplacian_pyramid_l1(a, b, levels=0)
