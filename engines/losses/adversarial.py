"""GAN losses: StyleGAN2's non-saturating logistic with R1 (Goodfellow et al. 2014; Mescheder et al. 2018), and the hinge."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["discriminator_loss", "generator_loss", "hinge_loss", "r1_penalty"]


def generator_loss(fake_logits: Tensor) -> Tensor:
    """softplus(-D(G(z))), [N]."""
    return F.softplus(-fake_logits)


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """softplus(D(G(z))) + softplus(-D(x)), each averaged over its batch, a scalar."""
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """||dD(x)/dx||^2 at real images, [N]; weighted by gamma / 2 by the caller."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def hinge_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))) of logits [N, heads], averaged over batches and summed over heads; a scalar."""
    return F.relu(1 - real_logits).sum(1).mean() + F.relu(1 + fake_logits).sum(1).mean()
