"""A discriminator on the features of a frozen network (Sauer et al. 2021, Projected GANs converge faster).

Every feature map but the finest gets a small convolutional head; fixed random 1x1 convolutions mix its channels first, so
that no head can win by a few of them (section 3.2, cross-channel mixing). It sees pictures blurred: what frozen features make
of the finest detail can be had more cheaply by a grain in hair and along outlines than by hair, so the finest detail is
left to the plain discriminator. It is a training aid: the pack keeps the plain one.

With classes every head adds the projection of its features on an embedding of the class (Miyato & Koyama 2018, Eq. 3):

    logit(x, c~) = mean over places of (v . h(x) + <E c~, h(x)> / sqrt(channels))
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from engines.core.rng import torch_generator
from engines.predictors.perceptual import PerceptualNetwork

__all__ = ["ProjectedDiscriminator"]

_HEAD_CHANNELS = 64
_FIRST_MAP = 1
_BLUR = (1.0, 4.0, 6.0, 4.0, 1.0)  # binomial: nothing of a pattern of single pixels is left


class ProjectedDiscriminator(nn.Module):
    """Image [N, 3, R, R] (and label [N, class_count] with classes) to one logit a head, [N, heads]; high for real.

    The network of features is not part of the state.
    """

    def __init__(self, perceptual: PerceptualNetwork, resolution: int, *, class_count: int = 0, seed: int = 0) -> None:
        super().__init__()
        self._features = [perceptual.trunk]  # in a list: neither a submodule nor saved
        draw = torch_generator(seed, 31)
        mixers, heads = [], []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for index, channels in enumerate(perceptual.channels[_FIRST_MAP:], start=_FIRST_MAP):
                mixers.append(torch.randn(channels, channels, 1, 1, generator=draw) / math.sqrt(channels))
                heads.append(_Head(channels, resolution >> (index + 1), class_count))
        self.heads = nn.ModuleList(heads)
        row = torch.tensor(_BLUR) / sum(_BLUR)
        self.register_buffer("blur", (row[:, None] * row).expand(3, 1, -1, -1).clone(), persistent=False)
        for index, mixer in enumerate(mixers, start=_FIRST_MAP):
            self.register_buffer(f"mixer{index}", mixer)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        blurred = F.conv2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), self.blur.to(image.dtype), groups=3)
        maps = list(self._features[0](blurred))[_FIRST_MAP:]
        logits = [
            head(F.conv2d(x, self.get_buffer(f"mixer{index}").to(x.dtype)), label).float()
            for index, (head, x) in enumerate(zip(self.heads, maps, strict=True), start=_FIRST_MAP)
        ]
        return torch.stack(logits, dim=1)


class _Head(nn.Module):
    """Halves the map down to 4x4, then one logit a place."""

    def __init__(self, channels: int, side: int, class_count: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while side > 4:
            layers += [spectral_norm(nn.Conv2d(channels, _HEAD_CHANNELS, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
            channels, side = _HEAD_CHANNELS, side // 2
        layers += [spectral_norm(nn.Conv2d(channels, _HEAD_CHANNELS, 3, padding=1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers)
        self.logit = spectral_norm(nn.Conv2d(_HEAD_CHANNELS, 1, 1))
        self.embed = spectral_norm(nn.Linear(class_count, _HEAD_CHANNELS, bias=False)) if class_count else None

    def forward(self, maps: Tensor, label: Tensor | None) -> Tensor:
        """[N, C, h, w] to logits [N]."""
        features = self.body(maps)
        logits = self.logit(features).mean((1, 2, 3))
        if self.embed is None:
            return logits
        if label is None:
            raise ValueError("a label [N, class_count] is needed: these heads are class-conditional")
        return logits + (features.mean((2, 3)) * self.embed(label)).sum(1) / math.sqrt(_HEAD_CHANNELS)
