"""Second stage of ``train gan``: the mapping network learns the distribution of the autoencoder's codes.

A flow from noise to codes is learned first (:mod:`engines.training.code_flow`); the mapping network is then taught the
code that the flow gives for every z, with the covariance of the codes kept, since a regression shrinks:

    E |M(z) - flow(z)|^2  +  c (||cov M(z) - cov w||_F^2 + 20 |mean M(z) - mean w|^2)

Minimising the Sinkhorn divergence of batches instead gave samples that were all alike: in a hundred dimensions the
divergence of a batch is least for a cloud that is too small.
"""

from __future__ import annotations

import argparse

import torch
from geomloss import SamplesLoss
from torch import Tensor

from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Generator
from engines.generators.stylegan2.ops import normalise_second_moment
from engines.training.code_flow import CodeFlow, train_flow
from engines.training.common import autocast, report_every, set_learning_rate
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["fit_mapping"]

_BATCH = 1024
_FLOW_SHARE = 0.65
# The mapping network's own learning-rate multiplier is .01.
_PEAK_RATE = 3.0
_PAIRS = 400_000
_COVARIANCE_WEIGHT = 0.03
_MEAN_WEIGHT = 20 * _COVARIANCE_WEIGHT


def fit_mapping(
    generator: Generator, codes: Tensor, *, schedule: Schedule, run: Run, arguments: argparse.Namespace
) -> dict[str, float]:
    """Trains ``generator.mapping`` in place on codes [N, D] and sets its w_avg.

    Returns the Sinkhorn divergence of mapped to real codes, beside that of two real batches.
    """
    flow = train_flow(
        codes,
        schedule=schedule.share(_FLOW_SHARE),
        clock=lambda: run.seconds,
        report=report_every(arguments, "Learning the flow of codes", schedule.share(_FLOW_SHARE)),
        seed=arguments.seed,
    )
    _distil(generator, flow, codes, schedule=schedule.share(1 - _FLOW_SHARE), run=run, arguments=arguments)
    with torch.no_grad():
        draw = torch_generator(arguments.seed, 14)
        mapped = generator.mapping(torch.randn(20_000, generator.config.z_dim, generator=draw))
        generator.mapping.w_avg.copy_(mapped.mean(0))
        order = torch.randperm(len(codes), generator=draw)
        count = min(_BATCH, len(codes) // 2)
        first, second = codes[order[:count]], codes[order[count : 2 * count]]
        divergence = SamplesLoss("sinkhorn", p=2, blur=0.5, scaling=0.7)
        return {
            "sinkhorn_mapped_to_real": float(divergence(mapped[:count], first)),
            "sinkhorn_real_to_real": float(divergence(first, second)),
            "variance_ratio": float(mapped.var(0).sum() / codes.var(0).sum()),
        }


def _distil(
    generator: Generator, flow: CodeFlow, codes: Tensor, *, schedule: Schedule, run: Run, arguments: argparse.Namespace
) -> None:
    z, taught = _pairs(flow, generator.config.z_dim, seed=arguments.seed, count=_pair_count(schedule))
    # What was fitted to other codes before is no better start than fresh weights.
    generator.mapping.load_state_dict(Generator(generator.config, seed=arguments.seed).mapping.state_dict())
    covariance, mean = torch.cov(codes.t()), codes.mean(0)
    optimiser = torch.optim.Adam(generator.mapping.parameters(), lr=_PEAK_RATE, betas=(0.9, 0.99), fused=True)
    report = report_every(arguments, "Fitting the mapping network", schedule)
    begun, step = run.seconds, 0
    while (fraction := schedule.fraction(step, run.seconds - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction, floor=0.005))
        picks = torch.randint(len(z), (_BATCH,), generator=torch_generator(arguments.seed, 13, step))
        with autocast():
            mapped = generator.mapping(z[picks])
        mapped = mapped.float()
        distance = (mapped - taught[picks]).square().sum(1).mean()
        loss = distance + _COVARIANCE_WEIGHT * (torch.cov(mapped.t()) - covariance).square().sum()
        loss = loss + _MEAN_WEIGHT * (mapped.mean(0) - mean).square().sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        report(step, run.seconds - begun, loss.item())
        if step % 100 == 0:
            run.log(stage="mapping", step=step, loss=loss.item(), distance=distance.item())


def _pair_count(schedule: Schedule) -> int:
    """No more pairs than the steps can look at."""
    return _PAIRS if schedule.steps is None else min(_PAIRS, _BATCH * schedule.steps)


def _pairs(flow: CodeFlow, z_dim: int, *, seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Latents z [count, z_dim] and their codes by the flow [count, D].

    The mapping network sees z at unit length a dimension, so the flow gets the same; z beyond the codes' dimensions is idle.
    """
    z = normalise_second_moment(torch.randn(count, z_dim, generator=torch_generator(seed, 15)))
    dim = len(flow.mean)
    if z_dim < dim:
        raise ValueError(f"a mapping from {z_dim} to {dim} dimensions cannot follow a flow: z_dim must be at least w_dim")
    with autocast():
        return z, torch.cat([flow.codes(chunk[:, :dim]).float() for chunk in z.split(4096)])
