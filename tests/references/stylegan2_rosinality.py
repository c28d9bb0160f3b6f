"""Forward passes of the rosinality layout, written from its published description, straight from its state dicts.

Modulation is the grouped convolution of that layout with scaled weights; filtering goes through scipy. Slow; float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from scipy.signal import upfirdn
from torch import Tensor

State = Mapping[str, Tensor]


def filtered(x: Tensor, kernel: Tensor, *, up: int = 1, down: int = 1, pad: tuple[int, int]) -> Tensor:
    """upfirdn in both directions: zeros inserted, padded, filtered with the (separable) [4, 4] kernel, thinned out."""
    # A separable kernel is the outer product of its row and column sums over the root of its total.
    columns, rows = kernel.sum(0).numpy(), kernel.sum(1).numpy()
    total = float(kernel.sum())
    array = x.numpy()
    for axis, taps in ((2, rows), (3, columns)):
        length = array.shape[axis]
        full = upfirdn(taps / math.sqrt(total), array, up=up, axis=axis)
        # full[3] is the first sample whose window lies inside the unpadded signal; padding moves the start back.
        wanted = length * up + sum(pad) - 3
        full = np.concatenate([full, np.zeros_like(np.take(full, range(4), axis=axis))], axis=axis)
        array = np.take(full, range(3 - pad[0], 3 - pad[0] + wanted, down), axis=axis)
    return torch.from_numpy(array)


def generator(state: State, latent_avg: Tensor, z: Tensor, *, truncation: float = 1.0) -> Tensor:
    """Images of z [N, z_dim], with the stored noise."""
    state = {name: tensor.double() for name, tensor in state.items()}
    w = z.double() / torch.sqrt(z.double().square().mean(1, keepdim=True) + 1e-8)
    number = 1
    while f"style.{number}.weight" in state:
        weight, bias = state[f"style.{number}.weight"], state[f"style.{number}.bias"]
        w = _lrelu(F.linear(w, weight * (0.01 / math.sqrt(weight.shape[1])), bias * 0.01))
        number += 1
    if truncation < 1:
        w = latent_avg.double() + truncation * (w - latent_avg.double())
    x = state["input.input"].repeat(len(w), 1, 1, 1)
    x = _styled(state, "conv1", x, w, "noises.noise_0")
    image = _modulated(state, "to_rgb1.conv", x, w, demodulate=False) + state["to_rgb1.bias"]
    j = 0
    while f"to_rgbs.{j}.bias" in state:
        x = _styled(state, f"convs.{2 * j}", x, w, f"noises.noise_{2 * j + 1}")
        x = _styled(state, f"convs.{2 * j + 1}", x, w, f"noises.noise_{2 * j + 2}")
        skip = filtered(image, state[f"to_rgbs.{j}.upsample.kernel"], up=2, pad=(2, 1))
        image = skip + _modulated(state, f"to_rgbs.{j}.conv", x, w, demodulate=False) + state[f"to_rgbs.{j}.bias"]
        j += 1
    return image


def _lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)


def _styled(state: State, name: str, x: Tensor, w: Tensor, noise: str) -> Tensor:
    x = _modulated(state, f"{name}.conv", x, w, demodulate=True)
    x = x + state[f"{name}.noise.weight"] * state[noise]
    return _lrelu(x + state[f"{name}.activate.bias"][:, None, None])


def _modulated(state: State, name: str, x: Tensor, w: Tensor, *, demodulate: bool) -> Tensor:
    weight = state[f"{name}.weight"]  # [1, O, I, k, k]
    _, outputs, inputs, size, _ = weight.shape
    modulation = state[f"{name}.modulation.weight"]
    style = F.linear(w, modulation / math.sqrt(modulation.shape[1]), state[f"{name}.modulation.bias"])
    kernels = weight / math.sqrt(inputs * size * size) * style[:, None, :, None, None]  # [N, O, I, k, k]
    if demodulate:
        kernels = kernels * torch.rsqrt(kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    count, height, width = len(x), x.shape[2], x.shape[3]
    grouped = x.reshape(1, count * inputs, height, width)
    blur = state.get(f"{name}.blur.kernel")
    if blur is None:
        y = F.conv2d(grouped, kernels.reshape(count * outputs, inputs, size, size), padding=size // 2, groups=count)
        return y.reshape(count, outputs, height, width)
    swapped = kernels.transpose(1, 2).reshape(count * inputs, outputs, size, size)
    y = F.conv_transpose2d(grouped, swapped, stride=2, groups=count)
    return filtered(y.reshape(count, outputs, 2 * height + 1, 2 * width + 1), blur, pad=(1, 1))


def discriminator(state: State, image: Tensor) -> Tensor:
    """Logits [N] of images [N, 3, R, R]."""
    state = {name: tensor.double() for name, tensor in state.items()}

    def conv(x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight / math.sqrt(weight[0].numel()), stride=stride, padding=padding)

    def activated(x: Tensor, name: str) -> Tensor:
        return _lrelu(x + state[f"{name}.bias"][:, None, None])

    x = activated(conv(image.double(), "convs.0.0"), "convs.0.1")
    j = 1
    while f"convs.{j}.conv1.0.weight" in state:
        block = f"convs.{j}"
        main = activated(conv(x, f"{block}.conv1.0", padding=1), f"{block}.conv1.1")
        main = filtered(main, state[f"{block}.conv2.0.kernel"], pad=(2, 2))
        main = activated(conv(main, f"{block}.conv2.1", stride=2), f"{block}.conv2.2")
        skip = conv(filtered(x, state[f"{block}.skip.0.kernel"], pad=(1, 1)), f"{block}.skip.1", stride=2)
        x = (main + skip) / math.sqrt(2)
        j += 1
    x = torch.from_numpy(with_deviation(x.numpy(), 4))
    x = activated(conv(x, "final_conv.0", padding=1), "final_conv.1").flatten(1)
    weight = state["final_linear.0.weight"]
    x = _lrelu(F.linear(x, weight / math.sqrt(weight.shape[1]), state["final_linear.0.bias"]))
    weight = state["final_linear.1.weight"]
    return F.linear(x, weight / math.sqrt(weight.shape[1]), state["final_linear.1.bias"])[:, 0]


def with_deviation(x: np.ndarray, group: int) -> np.ndarray:
    """Minibatch standard deviation as loops: set n of m = N / G holds samples n, n + m, n + 2m, ..."""
    count, channels, height, width = x.shape
    size = max(divisor for divisor in range(1, min(group, count) + 1) if count % divisor == 0)
    sets = count // size
    planes = np.zeros((count, 1, height, width))
    for n in range(sets):
        members = [n + k * sets for k in range(size)]
        deviations = [
            math.sqrt(np.var([x[member, c, i, j] for member in members]) + 1e-8)
            for c in range(channels)
            for i in range(height)
            for j in range(width)
        ]
        planes[members] = np.mean(deviations)
    return np.concatenate([x, planes], axis=1)
