"""What an inversion needs of a pack; it is handed in, so that this layer knows no packs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engines.core.progress import CancelToken
from engines.imaging.convert import to_tensor
from engines.inversion.options import InversionOptions
from engines.inversion.result import InversionProgress

__all__ = ["InversionModels", "Runner", "as_target", "device_of"]


class InversionModels(Protocol):
    """The part of a pack that inversion uses. Modules are in eval mode and float32."""

    @property
    def id(self) -> str: ...
    @property
    def generator(self) -> nn.Module: ...
    @property
    def encoder(self) -> nn.Module: ...
    @property
    def perceptual(self) -> nn.Module: ...
    @property
    def statistics(self) -> Mapping[str, Tensor]: ...
    @property
    def object_box(self) -> tuple[float, float, float, float] | None:
        """Where the generator paints its objects (x0, y0, x1, y1), in shares of a side; None where it is not known."""
        ...

    @property
    def class_predictor(self) -> nn.Module: ...
    @property
    def box_detector(self) -> nn.Module: ...

    def has(self, kind: str) -> bool:
        """Whether there is a component of that kind."""
        ...

    def component_sha256(self, kind: str) -> str: ...


class Runner(Protocol):
    """Every method has this shape. The last record carries the result; the arguments are valid already."""

    def __call__(
        self,
        models: InversionModels,
        crop: np.ndarray,
        options: InversionOptions,
        cancel: CancelToken,
    ) -> Iterator[InversionProgress]: ...


def device_of(models: InversionModels) -> torch.device:
    return next(models.generator.parameters()).device


def as_target(models: InversionModels, crop: np.ndarray) -> Tensor:
    """The aligned crop as float [1, 3, R, R] in [-1, 1], where the generator is."""
    return to_tensor(np.array(crop)).to(device_of(models))
