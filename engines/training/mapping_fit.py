"""Second stage of ``train gan``: the mapping network learns the distribution of the autoencoder's codes.

A teacher of codes is learned first (:mod:`engines.training.code_teacher`); the mapping network is then taught the
code that it gives for every z and class, with the means of the classes and the covariance around them kept, since a
regression shrinks:

    E |M(z, c) - teacher(z, c)|^2  +  a (||cov_in M - cov_in w||_F^2 + 20 E_c |mean M(., c) - mean w_c|^2)

cov_in is the covariance of what is left of a code when its class's mean is taken away; without classes all are of one kind.

Minimising the Sinkhorn divergence of batches instead gave samples that were all alike: in a hundred dimensions the
divergence of a batch is least for a cloud that is too small.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from geomloss import SamplesLoss
from torch import Tensor

from engines.core.rng import torch_generator
from engines.generators.labels import class_groups, within_classes
from engines.generators.stylegan2 import Generator
from engines.generators.stylegan2.mapping import MAPPING_LEARNING_RATE_MULTIPLIER, MappingNetwork
from engines.generators.stylegan2.ops import normalise_second_moment
from engines.training.code_teacher import CodeTeacher, train_teacher
from engines.training.common import autocast, report_every, set_learning_rate
from engines.training.runs import Run
from engines.training.schedule import Schedule, learning_rate

__all__ = ["fit_mapping"]

_BATCH = 1024
_TEACHER_SHARE = 0.65
# The mapping network's own learning-rate multiplier is .01.
_PEAK_RATE = 3.0
_PAIRS = 400_000
_CHUNK = 4096
_COVARIANCE_WEIGHT = 0.03
_MEAN_WEIGHT = 20 * _COVARIANCE_WEIGHT


def fit_mapping(
    generator: Generator,
    codes: Tensor,
    classes: Tensor,
    labels: Tensor,
    *,
    schedule: Schedule,
    run: Run,
    arguments: argparse.Namespace,
) -> dict[str, float]:
    """Trains ``generator.mapping`` in place on codes [N, D] with classes [N, C], and sets its w_avg.

    labels: [N, K], one for each of its gates.

    Returns the Sinkhorn divergence of mapped to real codes, beside that of two real batches, and the ratio of their variances
    (within classes).
    """
    teacher = train_teacher(
        codes,
        classes,
        labels,
        z_dim=generator.config.z_dim,
        schedule=schedule.share(_TEACHER_SHARE),
        clock=lambda: run.seconds,
        report=report_every(arguments, "Learning the flow of codes", schedule.share(_TEACHER_SHARE)),
        seed=arguments.seed,
    )
    _distil(generator, teacher, codes, classes, schedule=schedule.share(1 - _TEACHER_SHARE), run=run, arguments=arguments)
    with torch.no_grad():
        draw = torch_generator(arguments.seed, 14)
        z = torch.randn(20_000, generator.config.z_dim, generator=draw)
        drawn = _classes_like(classes, len(z), arguments.seed, 18)
        mapped = generator.mapping(z, drawn)
        generator.mapping.w_avg.copy_(mapped.mean(0))
        order = torch.randperm(len(codes), generator=draw)
        count = min(_BATCH, len(codes) // 2)
        first, second = codes[order[:count]], codes[order[count : 2 * count]]
        divergence = SamplesLoss("sinkhorn", p=2, blur=0.5, scaling=0.7)
        return {
            "sinkhorn_mapped_to_real": float(divergence(mapped[:count], first)),
            "sinkhorn_real_to_real": float(divergence(first, second)),
            "variance_ratio": float(_covariance(mapped, drawn)[0].trace() / _covariance(codes, classes)[0].trace()),
        }


def _distil(
    generator: Generator,
    teacher: CodeTeacher,
    codes: Tensor,
    classes: Tensor,
    *,
    schedule: Schedule,
    run: Run,
    arguments: argparse.Namespace,
) -> None:
    asked = _classes_like(classes, _pair_count(schedule), arguments.seed, 16)
    z, taught = _pairs(teacher, generator.config.z_dim, asked, seed=arguments.seed)
    # What was fitted to other codes before is no better start than fresh weights.
    generator.mapping.load_state_dict(Generator(generator.config, seed=arguments.seed).mapping.state_dict())
    if teacher.gates is not None:
        generator.mapping.gates.load_state_dict(teacher.gates.state_dict())
    with torch.no_grad():
        entering = torch.cat([generator.mapping.entering(part) for part in z.split(_CHUNK)])
    covariance, means = _covariance(codes, classes)
    # How far the teacher's own means are from those of the codes. Beside the teacher on the same z a batch tells how far the
    # mapping's are, without the chance of its draws, which a smaller cloud would make smaller.
    teacher_shift = within_classes(taught, asked)[1] - means
    optimiser = torch.optim.Adam(_parameter_groups(generator.mapping), lr=_PEAK_RATE, betas=(0.9, 0.99), fused=True)
    report = report_every(arguments, "Fitting the mapping network", schedule)
    begun, step = run.seconds, 0
    while (fraction := schedule.fraction(step, run.seconds - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction, floor=0.005))
        picks = torch.randint(len(entering), (_BATCH,), generator=torch_generator(arguments.seed, 13, step))
        with autocast():
            mapped = generator.mapping.layered(entering[picks], asked[picks])
        mapped = mapped.float()
        found_covariance, _ = _covariance(mapped, asked[picks])
        beside_teacher = mapped - taught[picks]
        shift = class_groups(asked[picks]) @ (within_classes(beside_teacher, asked[picks])[1] + teacher_shift)
        distance = beside_teacher.square().sum(1).mean()
        loss = distance + _COVARIANCE_WEIGHT * (found_covariance - covariance).square().sum()
        loss = loss + _MEAN_WEIGHT * shift.square().sum(1).mean()
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


def _parameter_groups(mapping: MappingNetwork) -> list[dict[str, Any]]:
    """The class embedding has no learning-rate multiplier of its own: it gets that of the other layers. Gates stay fixed."""
    embedding = [p for name, p in mapping.named_parameters() if name.startswith("embed.")]
    others = [p for name, p in mapping.named_parameters() if not name.startswith(("embed.", "gates."))]
    groups = [{"params": others}, {"params": embedding, "rate_share": MAPPING_LEARNING_RATE_MULTIPLIER}]
    return [group for group in groups if group["params"]]


def _covariance(codes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Covariance [D, D] of codes [N, D] within their classes, and the classes' means [C, D]."""
    centred, means = within_classes(codes, labels)
    return centred.T @ centred / max(1, len(codes) - len(means)), means


def _classes_like(classes: Tensor, count: int, *seed: int) -> Tensor:
    """`count` rows of the classes, drawn at random: they come as often as they do there."""
    return classes[torch.randint(len(classes), (count,), generator=torch_generator(*seed))]


def _pairs(teacher: CodeTeacher, z_dim: int, classes: Tensor, *, seed: int) -> tuple[Tensor, Tensor]:
    """Latents z [N, z_dim] for classes [N, C], and the codes [N, D] that they are taught to have.

    The mapping network sees z at unit length a dimension, so the teacher gets the same.
    """
    z = normalise_second_moment(torch.randn(len(classes), z_dim, generator=torch_generator(seed, 15)))
    return z, teacher.codes(z, classes)
