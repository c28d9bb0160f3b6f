"""BigGAN-deep's generator (Brock et al. 2019, appendix B, figure 16 and table 8), for smaller pictures and widths.

It is here to be compared with StyleGAN2 (``evaluate architectures``): no pack has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.rng import torch_generator
from engines.core.shapes import check_shape

__all__ = ["BigGANDeep", "BigGANDeepConfig", "ConditionalBatchNorm", "SpectralConv", "SpectralLinear", "standing_statistics"]

_LOWEST_PX = 4
_WIDEST = 16  # widths are 16, 8, 4, ... times the multiplier, as in table 8
_BOTTLENECK = 4
_EPSILON = 1e-4  # of batch norms; as of the published generator
_MOMENTUM = 0.1


@dataclass(frozen=True)
class BigGANDeepConfig:
    """The sizes of a generator. Raises ValueError, naming the field, for values that cannot be built.

    z and embedding are narrower than the published 128 each: every batch norm has two matrices as wide as both together, and
    next to few channels these would take most of the parameters.
    """

    resolution: int
    """Height and width of the image in pixels: a power of two from 8 to 128, beyond which no channel is left."""
    class_count: int
    """Width of the class vector."""
    width: int
    """Channels of the narrowest block for 128 px, ``ch`` in the paper (there 128)."""
    z_dim: int = 64
    """Width of the latent z."""
    embedding_dim: int = 32
    """Width of the class embedding that all layers share."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{entry.name} must be a whole number of at least 1, got {value!r}")
        if not 2 * _LOWEST_PX <= self.resolution <= _WIDEST * 2 * _LOWEST_PX or self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution must be a power of two from 8 to 128, got {self.resolution}")

    @property
    def condition_dim(self) -> int:
        """Width of z and embedding together, which every batch norm sees."""
        return self.z_dim + self.embedding_dim

    @property
    def channels(self) -> tuple[int, ...]:
        """Widths at 4, 8, ..., resolution px: 16, 16, 8, 4, ... times `width`; what upsamples to 2R ends with that of 2R."""
        doublings = (self.resolution // _LOWEST_PX).bit_length() - 1
        return (_WIDEST * self.width, *(_WIDEST * self.width >> place for place in range(doublings)))


# ----------------------------------------------------------------------------------------------------------------------
# Spectral norm (Miyato et al. 2018, algorithm 1).


class _SpectralWeight(nn.Module):
    """An orthogonal start, and ``W / sigma(W)`` with the largest singular value sigma as ``|W^T u|``.

    In training mode every use first takes one step of the power method: ``u <- W W^T u / |W W^T u|``.
    """

    def __init__(self, *shape: int, draw: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        nn.init.orthogonal_(self.weight, generator=draw)
        self.register_buffer("u", F.normalize(torch.randn(shape[0], generator=draw), dim=0))

    def normed(self) -> Tensor:
        """The weight in its own shape, with a spectral norm of about 1."""
        matrix = self.weight.flatten(1)
        u = self.u
        if self.training:
            with torch.no_grad():
                u = F.normalize(matrix @ (u @ matrix), dim=0)
                self.u.copy_(u)
        # |W^T u| has the gradient u v^T that the algorithm gives to u^T W v.
        return self.weight / (u @ matrix).norm().clamp_min(1e-12)


class SpectralConv(_SpectralWeight):
    """Convolution with a spectrally normed weight; stride 1, zeros outside."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, bias: bool = True, draw: torch.Generator
    ) -> None:
        super().__init__(out_channels, in_channels, kernel_size, kernel_size, draw=draw)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I, H, W] to [N, O, H, W]."""
        return F.conv2d(x, self.normed(), self.bias, padding=self.weight.shape[-1] // 2)


class SpectralLinear(_SpectralWeight):
    """Fully connected layer with a spectrally normed weight."""

    def __init__(self, in_features: int, out_features: int, *, bias: bool = False, draw: torch.Generator) -> None:
        super().__init__(out_features, in_features, draw=draw)
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """x [N, I] to [N, O]."""
        return F.linear(x, self.normed(), self.bias)


# ----------------------------------------------------------------------------------------------------------------------
# Blocks (figure 16).


class ConditionalBatchNorm(nn.Module):
    """``(1 + W_g c) * (x - mean) / sqrt(var + 1e-4) + W_b c`` with the condition c of each picture.

    mean and var are those of the batch in training mode, the running ones in evaluation mode.
    """

    def __init__(self, channels: int, condition_dim: int, *, draw: torch.Generator) -> None:
        super().__init__()
        self.gain = SpectralLinear(condition_dim, channels, draw=draw)
        self.bias = SpectralLinear(condition_dim, channels, draw=draw)
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.momentum = _MOMENTUM

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x [N, C, H, W], condition [N, D] to [N, C, H, W]."""
        x = F.batch_norm(x, self.running_mean, self.running_var, training=self.training, momentum=self.momentum, eps=_EPSILON)
        gain, bias = 1 + self.gain(condition), self.bias(condition)
        return torch.addcmul(bias[:, :, None, None], x, gain[:, :, None, None])


class _Block(nn.Module):
    """1x1, 3x3, 3x3, 1x1 convolutions at a quarter of the width, conditional batch norm and ReLU before each.

    The skip path drops the channels that are too many and repeats pixels (figure 16, left), so that it needs no weights.
    """

    def __init__(self, in_channels: int, out_channels: int, condition_dim: int, *, draw: torch.Generator) -> None:
        super().__init__()
        inner = in_channels // _BOTTLENECK
        sizes = [(in_channels, inner, 1), (inner, inner, 3), (inner, inner, 3), (inner, out_channels, 1)]
        self.norms = nn.ModuleList([ConditionalBatchNorm(size[0], condition_dim, draw=draw) for size in sizes])
        self.convs = nn.ModuleList([SpectralConv(*size, draw=draw) for size in sizes])
        self.out_channels = out_channels

    def forward(self, x: Tensor, condition: Tensor, *, upsamples: bool) -> Tensor:
        """x [N, I, H, W], condition [N, D] to [N, O, H, W], or twice the height and width."""
        skip = x[:, : self.out_channels]
        for place, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            x = F.relu(norm(x, condition))
            if upsamples and place == 1:  # before the first 3x3
                x = F.interpolate(x, scale_factor=2)
            x = conv(x)
        return x + (F.interpolate(skip, scale_factor=2) if upsamples else skip)


class _SelfAttention(nn.Module):
    """``x + gamma * W_o softmax(q^T k) v`` over positions, keys and values pooled to a quarter of them; gamma starts at 0.

    Zhang et al. 2019, section 3: queries and keys at an eighth of the channels, values at half of them.
    """

    def __init__(self, channels: int, *, draw: torch.Generator) -> None:
        super().__init__()
        inner, half = max(1, channels // 8), max(1, channels // 2)
        self.query = SpectralConv(channels, inner, 1, bias=False, draw=draw)
        self.key = SpectralConv(channels, inner, 1, bias=False, draw=draw)
        self.value = SpectralConv(channels, half, 1, bias=False, draw=draw)
        self.out = SpectralConv(half, channels, 1, bias=False, draw=draw)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape; H and W even."""
        query = self.query(x).flatten(2)  # [N, C/8, HW]
        key = F.max_pool2d(self.key(x), 2).flatten(2)  # [N, C/8, HW/4]
        value = F.max_pool2d(self.value(x), 2).flatten(2)  # [N, C/2, HW/4]
        attention = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # [N, HW, HW/4]
        gathered = (value @ attention.transpose(1, 2)).unflatten(2, x.shape[2:])  # [N, C/2, H, W]
        return x + self.gamma * self.out(gathered)


# ----------------------------------------------------------------------------------------------------------------------
# The generator (table 8).


class BigGANDeep(nn.Module):
    """z and class -> image: a linear layer, two blocks a resolution, self-attention at half the final resolution.

    `seed` decides the starting weights.
    """

    def __init__(self, config: BigGANDeepConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        draw = torch_generator(seed)
        self.embed = nn.Linear(config.class_count, config.embedding_dim, bias=False)
        nn.init.orthogonal_(self.embed.weight, generator=draw)
        channels, condition = config.channels, config.condition_dim
        self.start = SpectralLinear(condition, channels[0] * _LOWEST_PX**2, bias=True, draw=draw)
        self.blocks = nn.ModuleList()
        for narrower, wider in zip(channels[1:], channels, strict=False):
            self.blocks.append(_Block(wider, wider, condition, draw=draw))
            self.blocks.append(_Block(wider, narrower, condition, draw=draw))
        self.attention = _SelfAttention(channels[-2], draw=draw)
        self.norm = nn.BatchNorm2d(channels[-1], eps=_EPSILON, momentum=_MOMENTUM)
        self.to_rgb = SpectralConv(channels[-1], 3, 3, draw=draw)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """z [N, z_dim] and label [N, class_count], one-hot, to image [N, 3, R, R] in [-1, 1].

        In training mode a picture depends on the others of its batch, and running statistics and spectral norms move on.
        """
        check_shape(z, (None, self.config.z_dim), "z")
        check_shape(label, (len(z), self.config.class_count), "label")
        condition = torch.cat([z, self.embed(label)], dim=1)
        x = self.start(condition).unflatten(1, (-1, _LOWEST_PX, _LOWEST_PX))
        x = x.contiguous(memory_format=torch.channels_last)
        for place, block in enumerate(self.blocks):
            if place == len(self.blocks) - 2:
                x = self.attention(x)
            x = block(x, condition, upsamples=place % 2 == 1)
        return torch.tanh(self.to_rgb(F.relu(self.norm(x))).float())


@torch.no_grad()
def standing_statistics(generator: BigGANDeep, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Sets the running statistics to the means of those of `batches` (z [N, z_dim], label [N, C]), in place.

    Brock et al. 2019, section 3.1: averaged weights have other activations than the trained ones, whose statistics were
    followed; and pictures no longer depend on their batch.
    """
    norms = [module for module in generator.modules() if isinstance(module, (ConditionalBatchNorm, nn.BatchNorm2d))]
    was_training = generator.training
    generator.train()
    try:
        for number, batch in enumerate(batches, start=1):
            for norm in norms:
                norm.momentum = 1 / number  # the running figures become the mean over all batches so far
            generator(*batch)
    finally:
        for norm in norms:
            norm.momentum = _MOMENTUM
        generator.train(was_training)
