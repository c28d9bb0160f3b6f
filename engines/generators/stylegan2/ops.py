"""The arithmetic of StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"), fast on CPUs.

All functions are pure and twice differentiable. Images and features are [N, C, H, W]; dtype follows the first argument.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

__all__ = [
    "ACTIVATION_GAIN",
    "ACTIVATION_SLOPE",
    "EqualisedLinear",
    "activate",
    "demodulation",
    "fir_blur",
    "fir_downsample",
    "fir_kernel",
    "fir_upsample",
    "minibatch_stddev",
    "modulated_conv",
    "modulated_projection",
    "normalise_second_moment",
]

ACTIVATION_SLOPE = 0.2
"""Slope of the leaky ReLU below zero."""
ACTIVATION_GAIN = math.sqrt(2)
"""Keeps the variance of a unit normal through the leaky ReLU, nearly (the published layout's constant)."""
DEMODULATION_EPSILON = 1e-8


# ----------------------------------------------------------------------------------------------------------------------
# Equalised learning rate and activation.


class EqualisedLinear(nn.Module):
    """y = x (W g)^T + b m with ``g = m / sqrt(fan_in)``: every stored weight has unit scale, so one learning rate fits all.

    `learning_rate_multiplier` m slows the layer down; weights start at 1 / m, so that the product starts at unit scale.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        draw: torch.Generator,
        activation: bool = False,
        learning_rate_multiplier: float = 1.0,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        weight = torch.randn(out_features, in_features, generator=draw) / learning_rate_multiplier
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.full((out_features,), bias / learning_rate_multiplier))
        self.activation = activation
        self.weight_gain = learning_rate_multiplier / math.sqrt(in_features)
        self.bias_gain = learning_rate_multiplier

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, in_features] to [N, out_features]."""
        y = torch.addmm(self.bias, x, self.weight.t(), beta=self.bias_gain, alpha=self.weight_gain)
        return activate(y) if self.activation else y


def activate(x: torch.Tensor) -> torch.Tensor:
    """``sqrt(2) * leaky_relu(x, 0.2)``."""
    return F.leaky_relu(x, ACTIVATION_SLOPE) * ACTIVATION_GAIN


def normalise_second_moment(x: torch.Tensor) -> torch.Tensor:
    """``x / sqrt(mean(x^2) + 1e-8)`` over the last axis."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-8)


# ----------------------------------------------------------------------------------------------------------------------
# FIR filtering with the 4x4 binomial kernel.


def fir_kernel() -> torch.Tensor:
    """The [4, 4] kernel ``outer([1,3,3,1], [1,3,3,1]) / 64``, which sums to 1."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def _depthwise(kernel: torch.Tensor, channels: int, gain: float, dtype: torch.dtype) -> torch.Tensor:
    return (kernel * gain).to(dtype).expand(channels, 1, *kernel.shape)


def fir_blur(x: torch.Tensor, kernel: torch.Tensor, *, padding: int, gain: float = 1.0, stride: int = 1) -> torch.Tensor:
    """Filters every channel with `kernel` times `gain`, zeros outside; keeps every `stride`-th row and column.

    The kernel is symmetric, so correlation and convolution agree.
    """
    channels = x.shape[1]
    return F.conv2d(x, _depthwise(kernel, channels, gain, x.dtype), padding=padding, stride=stride, groups=channels)


def fir_upsample(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """[N, C, H, W] to [N, C, 2H, 2W]: zeros are inserted between pixels, then filtered with gain 4 (the inserted zeros' share).

    A transposed convolution of stride 2 does both at once.
    """
    channels = x.shape[1]
    return F.conv_transpose2d(x, _depthwise(kernel, channels, 4.0, x.dtype), stride=2, padding=1, groups=channels)


def fir_downsample(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """[N, C, H, W] to [N, C, H/2, W/2]: filtered, then every second row and column."""
    if x.dtype == torch.bfloat16:
        # The strided filter is the faster one in float32 only: here it made a discriminator step a tenth slower.
        return fir_blur(x, kernel, padding=1)[:, :, ::2, ::2]
    return fir_blur(x, kernel, padding=1, stride=2)


# ----------------------------------------------------------------------------------------------------------------------
# Modulated convolution (section 2.2, equations 1 and 3).


def demodulation(weight: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
    """``d_no = 1 / sqrt(sum_ikk (s_ni w_oikk)^2 + 1e-8)``: weight [O, I, k, k], styles [N, I] to [N, O] (equation 3)."""
    # A product with ones sums the k * k taps about twice as fast as a reduction over two such short axes.
    taps = weight.flatten(2).square()  # [O, I, kk]
    squares = taps @ taps.new_ones(taps.shape[-1])  # [O, I]
    return torch.rsqrt(styles.square() @ squares.t() + DEMODULATION_EPSILON)


def modulated_conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    styles: torch.Tensor,
    bias: torch.Tensor,
    *,
    gain: float = 1.0,
    upsample_kernel: torch.Tensor | None = None,
) -> torch.Tensor:
    """``gain * (conv(x, w') + bias)`` with ``w'_noikk = d_no s_ni w_oikk`` (equations 1 and 3), zeros outside.

    x [N, I, H, W], weight [O, I, k, k], styles [N, I], bias [O]. With `upsample_kernel` [4, 4] the result is
    [N, O, 2H, 2W] (transposed convolution of stride 2, then the kernel with gain 4), else [N, O, H, W].

    A convolution is linear: scaling its input by s and its output by d equals scaling the weight, and lets the whole
    batch share one weight. Blurring acts on each channel alone, so d may wait until after it.
    """
    x = x * styles[:, :, None, None].to(x.dtype)
    if upsample_kernel is None:
        x = F.conv2d(x, weight.to(x.dtype), padding=weight.shape[-1] // 2)
    else:
        x = F.conv_transpose2d(x, weight.transpose(0, 1).to(x.dtype), stride=2)
        x = fir_blur(x, upsample_kernel, padding=1, gain=4.0)
    scale = demodulation(weight, styles) * gain
    offset = bias if gain == 1 else bias * gain
    return torch.addcmul(offset[:, None, None].to(x.dtype), x, scale[:, :, None, None].to(x.dtype))


def modulated_projection(x: torch.Tensor, weight: torch.Tensor, styles: torch.Tensor) -> torch.Tensor:
    """1x1 convolution with ``w'_noi = s_ni w_oi``, not demodulated: x [N, I, H, W], weight [O, I, 1, 1] to [N, O, H, W].

    With a handful of output channels, one small weight a sample times the features as a matrix is fastest.
    """
    matrices = weight.flatten(1) * styles[:, None, :]  # [N, O, I]
    return torch.bmm(matrices.to(x.dtype), x.flatten(2)).unflatten(2, x.shape[2:])


# ----------------------------------------------------------------------------------------------------------------------
# Minibatch standard deviation (Karras et al. 2018, section 3).


def minibatch_stddev(x: torch.Tensor, group: int) -> torch.Tensor:
    """Appends one constant channel per sample: the mean standard deviation over its group, [N, C+1, H, W].

    The batch is split in sets of the largest divisor of N that is at most `group`; set n of m holds samples n, n + m, ...
    """
    count, channels, height, width = x.shape
    size = next(size for size in range(min(group, count), 0, -1) if count % size == 0)
    sets = x.reshape(size, count // size, channels, height, width)  # [G, M, C, H, W]
    deviation = (sets.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))  # [M]
    plane = deviation.repeat(size)[:, None, None, None].expand(count, 1, height, width)
    return torch.cat([x, plane], dim=1)
