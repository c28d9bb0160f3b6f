"""From latents to the codes of real pictures, in two steps: which labels a picture has, then a code of a picture with them.

    z = (x, u)  ->  c = gates(u)  ->  w = flow(x; class, c)

Of z's coordinates the last K, one a label, decide the labels (:mod:`engines.training.gate_fit`); the first ones are the noise
of a flow that is given them (:mod:`engines.training.code_flow`). The mapping network gets the same gates. Without labels
the teacher is a flow alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.generators.stylegan2.label_gates import LabelGates
from engines.training.code_flow import CodeFlow, train_flow
from engines.training.common import autocast
from engines.training.gate_fit import train_gates
from engines.training.schedule import Schedule

__all__ = ["CodeTeacher", "train_teacher"]

_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class CodeTeacher:
    """What the mapping network is taught."""

    flow: CodeFlow
    gates: LabelGates | None
    """None without labels."""

    @torch.no_grad()
    def codes(self, z: Tensor, classes: Tensor) -> Tensor:
        """The codes [N, D] of latents z [N, Z] with coordinates of variance 1, for classes [N, C]."""
        return torch.cat([self._codes(*part) for part in zip(z.split(_CHUNK), classes.split(_CHUNK), strict=True)])

    def _codes(self, z: Tensor, classes: Tensor) -> Tensor:
        labels = classes
        if self.gates is not None:
            labels = torch.cat([classes, self.gates(z[:, -self.gates.count :])], dim=1)
        with autocast():
            return self.flow.codes(z[:, : self.flow.dim], labels).float()


def train_teacher(
    codes: Tensor,
    classes: Tensor,
    labels: Tensor,
    *,
    z_dim: int,
    schedule: Schedule,
    clock: Callable[[], float],
    report: Callable[[int, float, float], None],
    seed: int,
) -> CodeTeacher:
    """The teacher of codes [N, D] with classes [N, C] and labels [N, K], 0 or 1; C and K may be 0.

    Raises ValueError where z_dim leaves the flow less than two thirds of the codes' dimensions.
    """
    label_count, dim = labels.shape[1], codes.shape[1]
    flow_dim = min(dim, z_dim - label_count)
    if 3 * flow_dim < 2 * dim:
        raise ValueError(f"latents of {z_dim} dimensions are too few for codes of {dim} and {label_count} labels")
    flow = train_flow(
        codes, torch.cat([classes, labels], dim=1), dim=flow_dim, schedule=schedule, clock=clock, report=report, seed=seed
    )
    return CodeTeacher(flow, train_gates(labels, seed=seed) if label_count else None)
