"""One shape check for every public tensor function."""

from __future__ import annotations

import torch

__all__ = ["check_shape"]


def check_shape(tensor: torch.Tensor, shape: tuple[int | None, ...], name: str) -> None:
    """Raises ValueError unless `tensor` has `shape`; None stands for any size of that axis."""
    got = tuple(tensor.shape)
    if len(got) != len(shape) or any(want is not None and want != have for want, have in zip(shape, got, strict=True)):
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} must have shape [{wanted}], got {list(got)}")
