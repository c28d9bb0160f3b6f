"""Second stage of ``train gan``: the mapping network learns the distribution of the autoencoder's codes.

Minimises the debiased Sinkhorn divergence (GeomLoss, p = 2) between M(z), z ~ N(0, I), and the codes w of training
pictures, plus the squared distance of the covariances:

    S(M(z), w) + ||cov M(z) - cov w||_F^2

The second term is there because batches of a thousand in hundreds of dimensions pull every sample towards its
barycentre: the divergence alone is least for a cloud that is too small, whose pictures are all alike. The codes are
strongly correlated; they are not whitened, since their small directions are noise.
"""

from __future__ import annotations

import argparse

import torch
from geomloss import SamplesLoss
from torch import Tensor

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Generator
from engines.training.common import report_every, set_learning_rate
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["fit_mapping"]

_BATCH = 1024
# The mapping network's own learning-rate multiplier is .01.
_PEAK_RATE = 0.5


def fit_mapping(
    generator: Generator, codes: Tensor, *, schedule: Schedule, run: Run, arguments: argparse.Namespace
) -> dict[str, float]:
    """Trains ``generator.mapping`` in place on codes [N, D] and sets its w_avg.

    Returns the Sinkhorn divergence of mapped to real codes, beside that of two real batches.
    """
    divergence = SamplesLoss("sinkhorn", p=2, blur=0.5, scaling=0.7)
    parameters = list(generator.mapping.parameters())
    optimiser = torch.optim.Adam(parameters, lr=_PEAK_RATE, betas=(0.9, 0.99), fused=True)
    report = report_every(arguments, "Fitting the mapping network", schedule)
    covariance = torch.cov(codes.t())
    begun, step = run.seconds, 0
    while (fraction := schedule.fraction(step, run.seconds - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction))
        draw = torch_generator(arguments.seed, 13, step)
        real = codes[torch.randint(len(codes), (_BATCH,), generator=draw)]
        mapped = generator.mapping(torch.randn(_BATCH, generator.config.z_dim, generator=draw))
        loss = divergence(mapped, real) + (torch.cov(mapped.t()) - covariance).square().sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        report(step, run.seconds - begun, loss.item())
        if step % 20 == 0:
            run.log(stage="mapping", step=step, loss=loss.item())
    with torch.no_grad():
        draw = torch_generator(arguments.seed, 14)
        mapped = generator.mapping(torch.randn(20_000, generator.config.z_dim, generator=draw))
        generator.mapping.w_avg.copy_(mapped.mean(0))
        order = torch.randperm(len(codes), generator=draw)
        count = min(_BATCH, len(codes) // 2)
        first, second = codes[order[:count]], codes[order[count : 2 * count]]
        return {
            "sinkhorn_mapped_to_real": float(divergence(mapped[:count], first)),
            "sinkhorn_real_to_real": float(divergence(first, second)),
            "variance_ratio": float(mapped.var(0).sum() / codes.var(0).sum()),
        }
