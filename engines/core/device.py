"""The device is resolved once, at the border, and handed down; no module keeps one."""

from __future__ import annotations

import torch

from engines.core.errors import OptionError

__all__ = ["resolve_device", "rough_dtype"]


def resolve_device(name: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device where there is one, else the CPU. Raises OptionError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name != "cpu" and not _is_here(name):
        raise OptionError(f"--device {name} is not available here; use cpu or auto.")
    return torch.device(name)


def _is_here(name: str) -> bool:
    """Whether ``cuda`` or ``cuda:N`` names a CUDA device of this machine."""
    kind, colon, number = name.partition(":")
    if kind != "cuda" or not torch.cuda.is_available():
        return False
    return int(number) < torch.cuda.device_count() if number.isdecimal() else not colon


def rough_dtype(device: torch.device | str = "cpu") -> torch.dtype:
    """What networks compute in where speed matters more than the last digits.

    bfloat16 on a device that has it, float32 on one that only imitates it: processors without AVX-512 take ten times longer
    in bfloat16 than in float32.
    """
    device = torch.device(device)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported()
    else:
        asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
        native = device.type == "cpu" and asked is not None and bool(asked())
    return torch.bfloat16 if native else torch.float32
