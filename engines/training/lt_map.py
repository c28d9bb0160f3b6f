"""One map of a Latent Transformer (Yao et al. 2021), as Doubinsky et al. 2023 compare with it.

    T(z, alpha) = z + alpha f(z),    alpha = 1 - p where p <= 1/2, else -p,    p = sigmoid(F_k(z))
    L = BCE(F_k(z'), 1 - round(p)) + a MSE(z', z) + b MSE((1 - gamma) F(z'), (1 - gamma) F(z)),    z' = T(z, alpha)

F is the latent classifier, gamma the absolute correlation of the labels with attribute k, and the cross-entropy is weighed so
that both answers count alike. LT* has a = b = 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from engines.core.rng import numpy_generator, torch_generator
from engines.editing.shared_maps import SharedMaps

__all__ = ["FittedTransformer", "LtOptions", "class_weights", "coefficients", "fit_transformer", "lt_loss"]


@dataclass(frozen=True)
class LtOptions:
    """How a map is trained; rates and weights are the papers'."""

    steps: int = 1000
    batch: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    rank: int | None = 32
    """Inner size of the map's layers; None for full matrices, as in the papers."""
    code_weight: float = 10.0
    """a, of the codes' regularisation."""
    attribute_weight: float = 1.0
    """b, of the other attributes' regularisation."""
    check_codes: int = 512
    """Codes on which the first and the last loss are measured."""


@dataclass(frozen=True)
class FittedTransformer:
    """What the training of one map did to the loss on a fixed set of codes."""

    steps: int
    loss_first: float
    loss_last: float


def coefficients(probabilities: Tensor) -> Tensor:
    """alpha [n] of codes that have the attribute with probability p [n]: ``1 - p`` up to 1/2, ``-p`` above."""
    return torch.where(probabilities > 0.5, -probabilities, 1 - probabilities)


def class_weights(probabilities: Tensor) -> tuple[float, float]:
    """Weights (of target 0, of target 1) by which both targets ``1 - round(p)`` have half of the loss over p [n].

    A target that does not occur has weight 0.
    """
    share = float((probabilities <= 0.5).float().mean())  # of target 1: what lacks the attribute gets it
    return (0.5 / (1 - share) if share < 1 else 0.0), (0.5 / share if share > 0 else 0.0)


def lt_loss(
    moved: Tensor,
    codes: Tensor,
    logits_moved: Tensor,
    logits: Tensor,
    *,
    k: int,
    relevance: Tensor,
    weights: tuple[float, float],
    code_weight: float,
    attribute_weight: float,
) -> Tensor:
    """The loss of codes [n, L, D] moved to `moved`, a scalar.

    logits_moved, logits: F of both, [n, K]. relevance: ``1 - gamma`` [K]. weights: see :func:`class_weights`.
    """
    targets = (logits[:, k] <= 0).to(logits_moved.dtype)
    weight = torch.where(targets > 0, weights[1], weights[0])
    loss = F.binary_cross_entropy_with_logits(logits_moved[:, k], targets, weight=weight)
    if code_weight:
        loss = loss + code_weight * F.mse_loss(moved, codes)
    if attribute_weight:
        loss = loss + attribute_weight * F.mse_loss(relevance * logits_moved, relevance * logits)
    return loss


def fit_transformer(
    maps: SharedMaps,
    attribute: str,
    codes: Tensor,
    classifier: Callable[[Tensor], Tensor],
    *,
    k: int,
    relevance: Tensor,
    options: LtOptions,
    seed: int,
    deadline: float | None = None,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> FittedTransformer:
    """Trains f of one attribute and leaves it in `maps`.

    maps: their `mean` is set. codes [n, L, D] of training pictures; classifier: codes to logits [n, K]; k: the attribute's
    column; relevance: ``1 - gamma`` [K]. deadline: by time.monotonic(), beside the steps. The same seed gives the same map.
    """
    single = SharedMaps((attribute,), maps.layers, maps.dim, maps.rank)
    single.mean.copy_(maps.mean)
    if maps.rank:
        # A zero factor on one side alone: the map starts as nothing and still has a gradient.
        single.left.data.copy_(torch.randn(single.left.shape, generator=torch_generator(seed, 51, k)) / maps.dim**0.5)
    optimiser = torch.optim.Adam(single.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    with torch.no_grad():
        logits = torch.cat([classifier(part) for part in codes.split(4096)])
    probabilities = torch.sigmoid(logits[:, k])
    weights = class_weights(probabilities)

    def loss_of(indices: Tensor) -> Tensor:
        part, alpha = codes[indices], coefficients(probabilities[indices])
        moved = part + alpha[:, None, None] * single.map(part, attribute)
        return lt_loss(
            moved,
            part,
            classifier(moved),
            logits[indices],
            k=k,
            relevance=relevance,
            weights=weights,
            code_weight=options.code_weight,
            attribute_weight=options.attribute_weight,
        )

    shown = torch.linspace(0, len(codes) - 1, min(options.check_codes, len(codes))).long()
    with torch.no_grad():
        first = float(loss_of(shown))
    step = 0
    while step < options.steps and (deadline is None or time.monotonic() < deadline):
        draw = numpy_generator(seed, 52, k, step)
        loss = loss_of(torch.from_numpy(draw.integers(len(codes), size=options.batch)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            report(step, float(loss.detach()))
    with torch.no_grad():
        last = float(loss_of(shown))
        place = maps.attributes.index(attribute)
        for name, parameter in single.named_parameters():
            maps.get_parameter(name).data[place] = parameter[0]
    return FittedTransformer(step, first, last)
