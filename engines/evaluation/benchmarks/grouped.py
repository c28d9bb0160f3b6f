"""The usual way to run StyleGAN2's synthesis, as the baseline of the benchmarks: a weight of its own for every sample.

Karras et al. 2020, Eq. 1 and 3, taken literally: ``w'_noikk = s_ni w_oikk / sqrt(sum_ikk (s_ni w_oikk)^2 + 1e-8)``, and one
grouped convolution, a group a sample. Of the pack's network only the weights are used; pictures are the same up to rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from engines.generators.stylegan2 import StyleGAN2Config
from engines.generators.stylegan2.synthesis import SynthesisLayer, SynthesisNetwork, ToRGB

__all__ = ["grouped_synthesis"]


def grouped_synthesis(network: SynthesisNetwork, w_plus: Tensor) -> Tensor:
    """w_plus [N, L, D] to image [N, 3, R, R], with the constant noise, in float32."""
    config = network.config
    x = image = None
    for index, resolution in enumerate(config.resolutions):
        block = network.get_submodule(f"b{resolution}")
        rows = w_plus[:, max(2 * index - 1, 0) : 2 * index + 2]  # [N, 2 or 3, D]
        if x is None:
            x = block.const[None].expand(len(w_plus), -1, -1, -1)
        else:
            x = _layer(block.conv0, x, rows[:, 0], config, upsample=True)
        x = _layer(block.conv1, x, rows[:, -2], config, upsample=False)
        rgb = _to_rgb(block.torgb, x, rows[:, -1], config)
        image = rgb if image is None else _upsampled(image) + rgb
    return image


def _layer(layer: SynthesisLayer, x: Tensor, w: Tensor, config: StyleGAN2Config, *, upsample: bool) -> Tensor:
    weight = _modulated(layer.weight, layer.affine(w))
    weight = weight * torch.rsqrt(weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
    x = _grouped_conv(x, weight, upsample=upsample)
    x = x + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
    return _clamped(F.leaky_relu(x, 0.2) * math.sqrt(2), config)


def _to_rgb(layer: ToRGB, x: Tensor, w: Tensor, config: StyleGAN2Config) -> Tensor:
    weight = _modulated(layer.weight, layer.affine(w) / math.sqrt(layer.weight.shape[1]))
    return _clamped(_grouped_conv(x, weight, upsample=False) + layer.bias[:, None, None], config)


def _clamped(x: Tensor, config: StyleGAN2Config) -> Tensor:
    return x if config.conv_clamp is None else x.clamp(-config.conv_clamp, config.conv_clamp)


def _modulated(weight: Tensor, styles: Tensor) -> Tensor:
    """weight [O, I, k, k], styles [N, I] to [N, O, I, k, k]."""
    return weight[None] * styles[:, None, :, None, None]


def _grouped_conv(x: Tensor, weight: Tensor, *, upsample: bool) -> Tensor:
    """x [N, I, H, W], weight [N, O, I, k, k] to [N, O, H, W], or [N, O, 2H, 2W]."""
    n, outputs, inputs, k, _ = weight.shape
    joined = x.reshape(1, n * inputs, *x.shape[2:])
    if not upsample:
        y = F.conv2d(joined, weight.reshape(n * outputs, inputs, k, k), padding=k // 2, groups=n)
        return y.view(n, outputs, *y.shape[2:])
    transposed = weight.transpose(1, 2).reshape(n * inputs, outputs, k, k)
    y = F.conv_transpose2d(joined, transposed, stride=2, groups=n)
    y = y.view(n, outputs, *y.shape[2:])
    return F.conv2d(y, _binomial(outputs), padding=1, groups=outputs)


def _upsampled(image: Tensor) -> Tensor:
    return F.conv_transpose2d(image, _binomial(image.shape[1]), stride=2, padding=1, groups=image.shape[1])


def _binomial(channels: int) -> Tensor:
    """The [1, 3, 3, 1] filter in both directions, for every channel, with the gain of 4 that inserted zeros ask for."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return (torch.outer(taps, taps) / 16).expand(channels, 1, 4, 4)
