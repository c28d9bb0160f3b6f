"""The arithmetic against scipy, numpy loops, one-sample-at-a-time references and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import upfirdn

from engines.core.rng import torch_generator
from engines.generators.stylegan2.ops import (
    EqualisedLinear,
    activate,
    demodulation,
    fir_blur,
    fir_downsample,
    fir_kernel,
    fir_upsample,
    minibatch_stddev,
    modulated_conv,
    modulated_projection,
    normalise_second_moment,
)
from tests.generators.sizes import normal
from tests.references import stylegan2_nvlabs as slow
from tests.references.stylegan2_rosinality import with_deviation

TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


def _scipy(x: torch.Tensor, *, up: int, down: int, start: int, length: int, gain: float = 1.0) -> np.ndarray:
    """scipy's upfirdn keeps every overlap of filter and signal; `start` and `length` cut out what zero padding gives."""
    array = x.numpy()
    for axis in (2, 3):
        full = upfirdn(TAPS * math.sqrt(gain), array, up=up, axis=axis)
        array = np.take(full, range(start, start + length, down), axis=axis)
    return array


def test_kernel_sums_to_one_and_is_binomial():
    assert fir_kernel().sum() == 1
    np.testing.assert_array_equal(fir_kernel().numpy(), np.outer(TAPS, TAPS).astype(np.float32))


def test_upsampling_is_upfirdn_with_padding_2_1():
    x = normal(2, 3, 5, 5, dtype=torch.float64)
    # Padding (2, 1) drops one of the three leading overlaps.
    expected = _scipy(x, up=2, down=1, start=1, length=10, gain=4)
    np.testing.assert_allclose(fir_upsample(x, fir_kernel()).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.bfloat16, 2e-2)])
def test_downsampling_is_upfirdn_with_padding_1_1(dtype, tolerance):
    x = normal(2, 3, 6, 6, dtype=torch.float64)
    expected = _scipy(x, up=1, down=2, start=2, length=5)
    np.testing.assert_allclose(fir_downsample(x.to(dtype), fir_kernel()).double().numpy(), expected, atol=tolerance)


def test_blurring_is_upfirdn_with_padding_2_2():
    x = normal(1, 2, 6, 6, dtype=torch.float64)
    expected = _scipy(x, up=1, down=1, start=1, length=7, gain=3)
    np.testing.assert_allclose(fir_blur(x, fir_kernel(), padding=2, gain=3.0).numpy(), expected, atol=1e-12)


def test_upsampling_keeps_a_constant_inside():
    """The taps of each output phase sum to 1 per axis with gain 4, so away from the border nothing changes."""
    up = fir_upsample(torch.ones(1, 1, 8, 8), fir_kernel())
    assert torch.equal(up[..., 1:-1, 1:-1], torch.ones(1, 1, 14, 14))


def test_demodulation_is_equation_3():
    weight, styles = normal(4, 3, 3, 3, dtype=torch.float64), normal(2, 3, seed=4, dtype=torch.float64)
    for n in range(2):
        for o in range(4):
            total = sum(float((styles[n, i] * weight[o, i]).square().sum()) for i in range(3))
            assert demodulation(weight, styles)[n, o].item() == pytest.approx(1 / math.sqrt(total + 1e-8), rel=1e-12)


@pytest.mark.parametrize("upsamples", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_shared_weight_equals_one_modulated_weight_a_sample(upsamples, count):
    x, weight = normal(count, 5, 6, 6, dtype=torch.float64), normal(4, 5, 3, 3, seed=4, dtype=torch.float64)
    styles, bias = 1 + normal(count, 5, seed=5, dtype=torch.float64), normal(4, seed=6, dtype=torch.float64)
    kernel = fir_kernel().double() if upsamples else None
    y = modulated_conv(x, weight, styles, bias, gain=1.5, upsample_kernel=kernel)
    for n in range(count):
        expected = slow.modulated_layer(x[n], weight, styles[n], upsamples=upsamples) + bias[:, None, None]
        torch.testing.assert_close(y[n], 1.5 * expected, atol=1e-10, rtol=0)


def test_projection_equals_one_modulated_weight_a_sample():
    x, weight = normal(2, 5, 4, 6, dtype=torch.float64), normal(3, 5, 1, 1, seed=4, dtype=torch.float64)
    styles = normal(2, 5, seed=5, dtype=torch.float64)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        y = modulated_projection(x.contiguous(memory_format=memory_format), weight, styles)
        for n in range(2):
            modulated = slow.modulated_weight(weight, styles[n], demodulate=False)
            torch.testing.assert_close(y[n], torch.nn.functional.conv2d(x[n][None], modulated)[0])


@pytest.mark.parametrize("upsamples", [False, True])
def test_modulated_convolution_has_right_first_and_second_derivatives(upsamples):
    def function(x, weight, styles, bias):
        kernel = fir_kernel().double() if upsamples else None
        return modulated_conv(x, weight, styles, bias, gain=1.4, upsample_kernel=kernel)

    shapes = ((2, 2, 3, 3), (2, 2, 3, 3), (2, 2), (2,))
    inputs = [normal(*shape, seed=i, dtype=torch.float64).requires_grad_(True) for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize("count", [1, 2, 4, 6, 7, 8])
def test_minibatch_deviation_equals_loops(count):
    """Batches that the group does not divide fall back to the largest divisor below it (7: every sample alone)."""
    x = normal(count, 2, 2, 3, dtype=torch.float64)
    np.testing.assert_allclose(minibatch_stddev(x, 4).numpy(), with_deviation(x.numpy(), 4), atol=1e-12)


def test_equalised_linear_scales_weight_and_bias():
    layer = EqualisedLinear(5, 3, draw=torch_generator(0), learning_rate_multiplier=0.01, activation=True)
    with torch.no_grad():
        layer.bias.copy_(normal(3) * 100)
    x = normal(4, 5)
    y = x @ layer.weight.t() * 0.01 / math.sqrt(5) + layer.bias * 0.01
    expected = torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(activate(y), expected)


def test_equalised_linear_starts_at_unit_scale_and_its_bias():
    layer = EqualisedLinear(400, 400, draw=torch_generator(0), learning_rate_multiplier=0.01, bias=1.0)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.02)
    y = layer(normal(50, 400))
    assert y.mean().item() == pytest.approx(1, abs=0.05)
    assert y.std().item() == pytest.approx(1, rel=0.05)


def test_second_moment_becomes_one():
    y = normalise_second_moment(5 * normal(3, 64))
    torch.testing.assert_close(y.square().mean(1), torch.ones(3))
