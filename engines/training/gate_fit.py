"""The gates of a mapping network (:mod:`engines.generators.stylegan2.label_gates`), by maximum likelihood of real labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from engines.core.rng import torch_generator
from engines.generators.stylegan2.label_gates import LabelGates
from engines.training.common import set_learning_rate
from engines.training.schedule import learning_rate

__all__ = ["train_gates"]

_BATCH = 512
_STEPS = 1500
_PEAK_RATE = 3e-3


def train_gates(labels: Tensor, *, seed: int) -> LabelGates:
    """The gates of labels [N, K], 0 or 1."""
    gates = LabelGates(labels.shape[1], draw=torch_generator(seed, 23))
    optimiser = torch.optim.AdamW(gates.parameters(), lr=_PEAK_RATE, weight_decay=1e-2, fused=True)
    count = min(_BATCH, len(labels))
    for step in range(_STEPS):
        set_learning_rate(optimiser, learning_rate(_PEAK_RATE, step / _STEPS))
        chosen = labels[torch.randint(len(labels), (count,), generator=torch_generator(seed, 22, step))]
        loss = F.binary_cross_entropy_with_logits(gates.logits(chosen), chosen)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return gates.eval()
