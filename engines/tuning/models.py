"""What tuning needs of a pack; it is handed in, so that this layer knows no packs."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from engines.inversion.models import InversionModels

__all__ = ["TuningModels"]


class TuningModels(InversionModels, Protocol):
    """The part of a pack that tuning uses. Modules are shared with others: they are never changed, only copied."""

    @property
    def discriminator(self) -> nn.Module: ...
    @property
    def edit_maps(self) -> nn.Module: ...
    @property
    def training_sample(self) -> Tensor | None:
        """A few of the pictures that the generator was trained on, uint8 [N, 3, R, R]; None where the pack ships none."""
        ...
