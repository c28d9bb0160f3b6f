"""Coordinates of weights in which a step paints one picture and moves all others little.

A weight W answers its inputs p (the patch of features under a convolution's kernel, or a style layer's w) with W p. A change D
of it moves the answers at other codes by

    E |D p|^2 = tr(D C D^T),    C = E[p p^T] over the codes M(z)

In coordinates V with D = V P, P = (C / c + EPSILON)^-POWER, c the mean of C's eigenvalues, descent goes where the picture's own
inputs are unlike the usual ones. At a power of 1/2 every direction moves other pictures alike; beyond it those that all
pictures share are held back further. The same covariance decides where a rule is written in "Rewriting a Deep Generative
Model" (Bau et al. 2020, Eq. 14).

On two portraits, 200 steps from the same codes without a global loss: plain weights end at a mean squared error of .0015, and
other pictures have changed by 5.1 % of the squared distance between them; at a power of 1/2 it is .0012 and 2.4 %. With the
global loss, 300 steps: .0006 and 1.0 % at 1/2, .0007 and .8 % at 3/4.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.progress import CancelToken
from engines.core.rng import torch_generator
from engines.generators.stylegan2.synthesis import SynthesisLayer, ToRGB
from engines.generators.weight_differences import separated
from engines.tuning.random_codes import random_codes

__all__ = ["input_moments", "whitening", "whitening_of"]

EPSILON, POWER = 0.003, 0.75
_CODES, _BATCH = 48, 8
_PATCHES = 600
"""Of a picture: neighbouring patches say much the same."""

_known: weakref.WeakKeyDictionary[nn.Module, Mapping[str, Tensor]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()
_LOOKS_SEC = 0.1


def whitening_of(generator: nn.Module, names: Sequence[str], cancel: CancelToken) -> Mapping[str, Tensor]:
    """P of the parameters `names` that are matrices or kernels; found once for a generator, in some seconds.

    Raises Cancelled, between two of its steps or while another thread is at it.
    """
    while not _lock.acquire(timeout=_LOOKS_SEC):
        cancel.raise_if_cancelled()
    try:
        if generator not in _known:
            codes = random_codes(generator, _CODES, torch_generator(0, 41))
            moments = input_moments(generator, codes, cancel)
            found = {}
            for name in names:
                cancel.raise_if_cancelled()
                if name in moments:
                    found[name] = whitening(moments[name])
            _known[generator] = found
        return _known[generator]
    finally:
        _lock.release()


def whitening(moments: Tensor) -> Tensor:
    """P [n, n] of second moments C [n, n], symmetric, scaled so that the mean of its squared eigenvalues is 1."""
    values, axes = torch.linalg.eigh(moments.double())
    values = values.clamp_min(0)
    gains = (values / values.mean().clamp_min(1e-12) + EPSILON).pow(-POWER)
    return ((axes * (gains / gains.square().mean().sqrt())) @ axes.T).float()


@torch.no_grad()
def input_moments(generator: nn.Module, codes: Tensor, cancel: CancelToken) -> dict[str, Tensor]:
    """C [n, n] of what every weight of the synthesis network multiplies, by the weight's name; codes [N, L, D].

    n: I k k for the weight [O, I, k, k] of a convolution, its patches ordered as the weight's last three axes; D for a style
    layer's. Raises Cancelled between two batches.
    """
    # Hooks go into a copy that shares all tensors: other threads paint with the generator itself.
    synthesis = separated(generator, ()).synthesis
    draw = torch_generator(0, 43)
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}

    def add(name: str, inputs: Tensor) -> None:
        """inputs: [n, m]."""
        sums[name] = sums.get(name, 0) + inputs @ inputs.T
        counts[name] = counts.get(name, 0) + inputs.shape[1]

    def listen(name: str, layer: SynthesisLayer | ToRGB) -> None:
        def hear(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            features, w = arguments[:2]
            add(f"{name}.affine.weight", w.float().T)
            styled = features.float() * layer.affine(w)[:, :, None, None]
            side = layer.weight.shape[-1]
            patches = F.unfold(styled, side, padding=side // 2)  # [N, I k k, places]
            chosen = torch.randperm(patches.shape[2], generator=draw)[:_PATCHES].to(patches.device)
            add(f"{name}.weight", patches[:, :, chosen].transpose(0, 1).flatten(1))

        layer.register_forward_pre_hook(hear)

    for name, layer in synthesis.named_modules():
        if isinstance(layer, SynthesisLayer | ToRGB):
            listen(f"synthesis.{name}", layer)
    for part in codes.split(_BATCH):
        cancel.raise_if_cancelled()
        synthesis(part, noise_mode="const")
    return {name: total / counts[name] for name, total in sums.items()}
