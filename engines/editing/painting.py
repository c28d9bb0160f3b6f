"""From styles that a family shifts to a generator that paints them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor, nn

from engines.generators.weight_differences import tuned

__all__ = ["with_style_shifts"]

Generator = TypeVar("Generator", bound=nn.Module)


def with_style_shifts(generator: Generator, shifts: Mapping[str, Tensor]) -> Generator:
    """The generator with ``s + shift`` for the styles named in `shifts`; itself where there are none.

    shifts: {name of an affine bias in `generator.synthesis`: shift [width]}. The given generator is not touched; the returned
    one shares every weight with it but the shifted biases.
    """
    return tuned(generator, {f"synthesis.{name}": shift.detach().float().cpu().numpy() for name, shift in shifts.items()})
