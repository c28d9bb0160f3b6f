"""Where edits lead from a code: what tuning must leave as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.inversion.prior import CodePrior
from engines.tuning.models import TuningModels

__all__ = ["Moves"]

_STRENGTHS = (0.3, 1.5)
"""Of one edit; 1 is calibrated to change most pictures."""
_TYPICAL_SHARE = 0.7
"""Of a typical difference between two people, in packs without edit maps."""


class Moves:
    """Changes of one code [1, L, D]: the pack's edits, or typical differences of codes where it has none."""

    def __init__(self, models: TuningModels, w_plus: Tensor) -> None:
        self._edits = self._prior = None
        self._shape = w_plus.shape[1:]
        with torch.no_grad():
            if models.has("edit_maps"):
                maps = models.edit_maps
                strengths = [{name: sign} for name in maps.attributes for sign in (1.0, -1.0)]
                # An edit is linear in its strength, so that each is computed once.
                self._edits = torch.cat([maps.edit(w_plus, strength) for strength in strengths]) - w_plus
            else:
                statistics = models.statistics
                self._prior = CodePrior(statistics["w_plus_mean"].clone(), statistics["w_plus_factors"].clone())

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Random moves [count, L, D]."""
        if self._edits is None:
            x = torch.randn(count, *self._shape, generator=generator).to(self._prior.mean.device)
            return _TYPICAL_SHARE * self._prior.unwhitened(x)
        chosen = torch.randint(0, len(self._edits), (count,), generator=generator)
        low, high = _STRENGTHS
        strength = low + (high - low) * torch.rand(count, 1, 1, generator=generator)
        return strength.to(self._edits.device) * self._edits[chosen.to(self._edits.device)]
