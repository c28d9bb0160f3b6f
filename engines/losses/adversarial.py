"""GAN losses: StyleGAN2's non-saturating logistic with R1 (Goodfellow et al. 2014; Mescheder et al. 2018), and the hinge."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["discriminator_loss", "generator_loss", "hinge_loss", "judged_apart", "r1_penalty"]


def generator_loss(fake_logits: Tensor) -> Tensor:
    """softplus(-D(G(z))), [N]."""
    return F.softplus(-fake_logits)


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """softplus(D(G(z))) + softplus(-D(x)), each averaged over its batch, a scalar."""
    return F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean()


def judged_apart(
    discriminator: Callable[..., Tensor], real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor], *, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Logits [N] float32 of real and of fake pictures, each a pair of pictures [N, 3, R, R] and labels [N, C].

    Each is a batch of its own: over a mixed one the minibatch standard deviation is the same for both, and cannot give away
    fakes that are all alike (Karras et al. 2018, section 3).
    """
    first, second = (discriminator(pictures, labels, dtype=dtype).float() for pictures, labels in (real, fake))
    return first, second


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """||dD(x)/dx||^2 at real images, [N]; weighted by gamma / 2 by the caller."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def hinge_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))) of logits [N, heads], averaged over batches and summed over heads; a scalar."""
    return F.relu(1 - real_logits).sum(1).mean() + F.relu(1 + fake_logits).sum(1).mean()
