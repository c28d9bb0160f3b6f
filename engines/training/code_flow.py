"""A flow from normal noise to the codes of real pictures (Lipman et al. 2023, flow matching with straight paths).

    x_t = (1 - t) z + t y,    minimise E |v(x_t, t, c) - (y - z)|^2,    z ~ N(0, I), y a code of class c, t uniform in [0, 1]

Following dx/dt = v(x, t, c) from t = 0 to 1 turns noise into codes, of the class c where there are classes. It is the teacher
of the mapping network (:mod:`engines.training.mapping_fit`): unlike a divergence between batches it does not pull samples to
the middle.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.rng import torch_generator
from engines.training.common import autocast, set_learning_rate
from engines.training.ema import Ema
from engines.training.schedule import Schedule, learning_rate

__all__ = ["CodeFlow", "train_flow"]

_BATCH = 1024
_PEAK_RATE = 1e-3
_FREQUENCIES = 8
_LEAST_DEVIATION = 0.1  # of a principal axis, as a share of the largest: thinner axes are noise and stay small


class CodeFlow(nn.Module):
    """The velocity field in whitened coordinates of codes [N, D], and the way from noise to codes.

    Axes are the principal ones of the codes that it is built from: all D, or the `dim` of largest variance, the others staying
    at their mean. label_count: width of the labels, 0 without any.
    """

    def __init__(
        self, codes: Tensor, *, label_count: int = 0, dim: int | None = None, width: int = 512, blocks: int = 4
    ) -> None:
        super().__init__()
        self.dim = dim = codes.shape[1] if dim is None else dim
        variances, axes = torch.linalg.eigh(torch.cov(codes.t()))
        axes, deviations = axes[:, -dim:], variances[-dim:].clamp_min(0).sqrt()
        self.register_buffer("mean", codes.mean(0))
        self.register_buffer("axes", axes)
        self.register_buffer("deviations", deviations.clamp_min(_LEAST_DEVIATION * float(deviations.max())))
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, 4, _FREQUENCIES)))
        self.enter = nn.Linear(dim + 2 * _FREQUENCIES + label_count, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(blocks)
        )
        self.leave = nn.Linear(width, dim)

    def whitened(self, codes: Tensor) -> Tensor:
        """Codes [N, D] in the `dim` coordinates of the field."""
        return (codes - self.mean) @ self.axes / self.deviations

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """Velocities [N, dim] at x [N, dim] and times t [N, 1], for labels [N, C]."""
        phase = t * self.frequencies
        x = self.enter(torch.cat([x, phase.sin(), phase.cos(), labels], dim=1))
        for block in self.blocks:
            x = x + block(x)
        return self.leave(F.silu(x))

    @torch.no_grad()
    def codes(self, z: Tensor, labels: Tensor, *, steps: int = 10) -> Tensor:
        """The codes [N, D] of noise z [N, dim] and labels [N, C], by Heun's method."""
        x = z
        for index in range(steps):
            t = z.new_full((len(z), 1), index / steps)
            slope = self(x, t, labels)
            x = x + (slope + self(x + slope / steps, t + 1 / steps, labels)) / (2 * steps)
        return (x * self.deviations) @ self.axes.t() + self.mean


def train_flow(
    codes: Tensor,
    labels: Tensor,
    *,
    schedule: Schedule,
    clock: Callable[[], float],
    report: Callable[[int, float, float], None],
    seed: int,
    dim: int | None = None,
) -> CodeFlow:
    """The flow of codes [N, D] with labels [N, C], averaged over training. dim: see CodeFlow.

    `clock` gives seconds; `report` hears (step, seconds, loss).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        flow = CodeFlow(codes, label_count=labels.shape[1], dim=dim)
    optimiser = torch.optim.AdamW(flow.parameters(), lr=_PEAK_RATE, weight_decay=1e-2, fused=True)
    average = Ema(flow, half_life_steps=350)
    targets = flow.whitened(codes)
    begun, step = clock(), 0
    while (fraction := schedule.fraction(step, clock() - begun)) < 1:
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, fraction))
        draw = torch_generator(seed, 21, step)
        chosen = torch.randint(len(targets), (_BATCH,), generator=draw)
        y = targets[chosen]
        z, t = torch.randn(y.shape, generator=draw), torch.rand(_BATCH, 1, generator=draw)
        with autocast():
            velocity = flow((1 - t) * z + t * y, t, labels[chosen])
        loss = F.mse_loss(velocity.float(), y - z)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimiser.step()
        average.update(flow)
        step += 1
        report(step, clock() - begun, loss.item())
    return average.model.eval()
