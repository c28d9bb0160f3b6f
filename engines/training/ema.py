"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

__all__ = ["Ema"]


class Ema:
    """`model` follows the trained weights with a half-life in steps, shorter at first; buffers are copied."""

    def __init__(self, model: nn.Module, *, half_life_steps: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._half_life = half_life_steps
        self._step = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self._step += 1
        # A young average must not remember the random start.
        half_life = min(self._half_life, 0.1 * self._step + 1e-3)
        decay = 0.5 ** (1 / half_life)
        averages, currents = list(self.model.parameters()), list(model.parameters())
        torch._foreach_lerp_(averages, currents, 1 - decay)
        for average, current in zip(self.model.buffers(), model.buffers(), strict=True):
            average.copy_(current)

    def state_dict(self) -> dict[str, Any]:
        """Weights and age: a run that goes on with the weights alone would forget them within a few steps."""
        return {"weights": self.model.state_dict(), "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["weights"])
        self._step = int(state["step"])
