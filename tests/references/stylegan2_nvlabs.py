"""StyleGAN2 in the slowest, most literal form: one sample, one layer at a time, from a state dict with NVlabs' names.

Weights are modulated and demodulated themselves, upsampling inserts zeros and convolves. float64 throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

State = Mapping[str, Tensor]


def modulated_weight(weight: Tensor, style: Tensor, *, demodulate: bool = True) -> Tensor:
    """Equations 1 and 3 of Karras et al. 2020 for one sample: weight [O, I, k, k], style [I]."""
    modulated = torch.stack([weight[:, i] * style[i] for i in range(len(style))], dim=1)
    if demodulate:
        modulated = torch.stack([kernel / math.sqrt(float(kernel.square().sum()) + 1e-8) for kernel in modulated])
    return modulated


def zero_inserted(x: Tensor) -> Tensor:
    """[C, H, W] to [C, 2H - 1, 2W - 1] with zeros between the pixels."""
    channels, height, width = x.shape
    spread = x.new_zeros(channels, 2 * height - 1, 2 * width - 1)
    spread[:, ::2, ::2] = x
    return spread


def full_convolution(x: Tensor, weight: Tensor) -> Tensor:
    """True convolution (the kernel is flipped) with every overlap kept: [I, H, W], [O, I, k, k] to [O, H+k-1, W+k-1]."""
    margin = weight.shape[-1] - 1
    return F.conv2d(F.pad(x, (margin,) * 4)[None], weight.flip(2, 3))[0]


def blurred(x: Tensor, *, gain: float) -> Tensor:
    """Every channel convolved with outer([1,3,3,1], [1,3,3,1]) / 64 times gain, every overlap kept."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype)
    kernel = torch.outer(taps, taps)[None, None] / 64 * gain
    return torch.stack([full_convolution(channel[None], kernel)[0] for channel in x])


def upsampled_image(image: Tensor) -> Tensor:
    """The RGB skip: zeros inserted, filtered with gain 4; 2H of the 2H + 2 rows are kept."""
    return blurred(zero_inserted(image), gain=4)[:, 1:-1, 1:-1]


def modulated_layer(x: Tensor, weight: Tensor, style: Tensor, *, upsamples: bool) -> Tensor:
    """One sample [I, H, W] through the modulated convolution, before noise, bias and activation."""
    modulated = modulated_weight(weight, style)
    if upsamples:
        return blurred(full_convolution(zero_inserted(x), modulated), gain=4)[:, 2:-2, 2:-2]
    return F.conv2d(x[None], modulated, padding=1)[0]


def synthesis(state: State, w_plus: Tensor, *, resolution: int, noise: bool = True, clamp: float | None = None) -> Tensor:
    """Images [N, 3, R, R] of w_plus [N, L, D] at `resolution`, which may be below the network's own."""
    state = {name: tensor.double() for name, tensor in state.items()}
    return torch.stack([_one(state, rows, resolution, noise, clamp) for rows in w_plus.double()])


def _one(state: State, rows: Tensor, resolution: int, noise: bool, clamp: float | None) -> Tensor:
    def affine(name: str, w: Tensor) -> Tensor:
        return state[f"{name}.affine.weight"] @ w / math.sqrt(len(w)) + state[f"{name}.affine.bias"]

    def bounded(x: Tensor) -> Tensor:
        return x if clamp is None else x.clamp(-clamp, clamp)

    def layer(name: str, x: Tensor, w: Tensor, upsamples: bool) -> Tensor:
        x = modulated_layer(x, state[f"{name}.weight"], affine(name, w), upsamples=upsamples)
        if noise:
            x = x + state[f"{name}.noise_strength"] * state[f"{name}.noise_const"]
        return bounded(math.sqrt(2) * F.leaky_relu(x + state[f"{name}.bias"][:, None, None], 0.2))

    def to_rgb(name: str, x: Tensor, w: Tensor) -> Tensor:
        weight = state[f"{name}.weight"]
        style = affine(name, w) / math.sqrt(weight.shape[1])
        rgb = F.conv2d(x[None], modulated_weight(weight, style, demodulate=False))[0]
        return bounded(rgb + state[f"{name}.bias"][:, None, None])

    x = layer("synthesis.b4.conv1", state["synthesis.b4.const"], rows[0], False)
    image = to_rgb("synthesis.b4.torgb", x, rows[1])
    level, row = 8, 1
    while level <= resolution:
        block = f"synthesis.b{level}"
        x = layer(f"{block}.conv0", x, rows[row], True)
        x = layer(f"{block}.conv1", x, rows[row + 1], False)
        image = upsampled_image(image) + to_rgb(f"{block}.torgb", x, rows[row + 2])
        level, row = level * 2, row + 2
    return image
