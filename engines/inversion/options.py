"""What a user can ask of an inversion, checked once: budget, latent space, start, transform search and mask."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal, get_args

from engines.core.errors import OptionError, shown

__all__ = ["GlobalLoss", "InversionOptions", "PixelLoss", "Space", "TransformSearch"]

Space = Literal["z", "w", "w+"]
TransformSearch = Literal["none", "spatial", "colour", "both"]
PixelLoss = Literal["l1", "laplacian"]
GlobalLoss = Literal["frozen", "gan", "both", "none"]


@dataclass(frozen=True)
class InversionOptions:
    """Options of :func:`engines.api.invert` that every method receives; those that a method has no use for it ignores
    (:mod:`engines.inversion.deciding_options`).

    Raises OptionError, naming the option and its value, for what cannot be used.
    """

    seconds: float | None = None
    """Time budget > 0; with all three budgets None the method's own default holds, else whichever ends first."""
    steps: int | None = None
    """Budget of optimisation steps >= 1 (passes, rounds or updates; the method says which)."""
    evaluations: int | None = None
    """Budget of generator evaluations >= 1: one picture forward (and backward) is one."""
    seed: int = 0
    space: Space | None = None
    """Where latents are searched; None is the method's default."""
    encoder_start: bool = True
    """Start from the encoder's codes instead of the mean latent."""
    class_search: bool = True
    """Of a class-conditional pack searched in z: whether the class vector is searched too, or stays the predicted class's."""
    transform: TransformSearch = "none"
    """Which transforms of the picture are searched (Huh et al. 2020, section 3.3)."""
    mask: tuple[float, float, float, float] | None = None
    """The object's rectangle (x0, y0, x1, y1) in crop pixels; None is the whole crop."""
    outside_weight: float = 0.3
    """Weight 0..1 of pixels outside the mask."""
    pixel_loss: PixelLoss = "l1"
    """What is compared beside features: pixels, or the levels of a Laplacian pyramid."""

    global_loss: GlobalLoss = "frozen"
    """What keeps the rest of the generator while cloning: the untuned generator's pictures, or the GAN's own loss (paper)."""

    def __post_init__(self) -> None:
        for name, least in (("seconds", 0.0), ("steps", 1), ("evaluations", 1)):
            value = getattr(self, name)
            if value is not None and not _is_number(value, whole=least == 1):
                raise OptionError(f"{name}={shown(value)!r}: {'a whole number' if least == 1 else 'a number'} is needed.")
            if value is not None and not (_is_finite(value) and value >= least and value > 0):
                raise OptionError(f"{name}={shown(value)}: the budget must be above 0, and finite.")
        if self.space is not None and self.space not in get_args(Space):
            raise OptionError(f"space={self.space!r}: use one of {', '.join(get_args(Space))}.")
        if self.transform not in get_args(TransformSearch):
            raise OptionError(f"transform={self.transform!r}: use one of {', '.join(get_args(TransformSearch))}.")
        if self.pixel_loss not in get_args(PixelLoss):
            raise OptionError(f"pixel_loss={self.pixel_loss!r}: use one of {', '.join(get_args(PixelLoss))}.")
        if self.global_loss not in get_args(GlobalLoss):
            raise OptionError(f"global_loss={self.global_loss!r}: use one of {', '.join(get_args(GlobalLoss))}.")
        if not _is_number(self.seed, whole=True) or self.seed < 0:
            raise OptionError(f"seed={shown(self.seed)!r}: a whole number from 0 on is needed.")
        if not _is_number(self.outside_weight) or not 0 <= self.outside_weight <= 1:
            raise OptionError(f"outside_weight={shown(self.outside_weight)}: use 0 to 1.")
        if self.mask is not None:
            sides = tuple(self.mask) if isinstance(self.mask, Iterable) else ()
            if len(sides) != 4 or not all(_is_number(side) and _is_finite(side) for side in sides):
                raise OptionError(f"mask={shown(self.mask)}: four finite numbers x0, y0, x1, y1 are needed.")
            x0, y0, x1, y1 = sides
            if x1 <= x0 or y1 <= y0:
                raise OptionError(f"mask={self.mask}: a rectangle x0, y0, x1, y1 with x0 < x1 and y0 < y1 is needed.")
            if (x1 - x0) * (y1 - y0) < 1:
                raise OptionError(f"mask={self.mask}: the rectangle is smaller than a pixel of the crop that is inverted.")


def _is_finite(value: Real) -> bool:
    """Whether it is one as float64, in which all is computed: whole numbers may be too large for that."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _is_number(value: object, *, whole: bool = False) -> bool:
    return isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
