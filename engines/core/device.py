"""The device is resolved once, at the border, and handed down; no module keeps one."""

from __future__ import annotations

import torch

from engines.core.errors import OptionError

__all__ = ["bfloat16_is_native", "resolve_device"]


def resolve_device(name: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device where there is one, else the CPU. Raises OptionError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name != "cpu" and not (name.startswith("cuda") and torch.cuda.is_available()):
        raise OptionError(f"--device {name} is not available here; use cpu or auto.")
    return torch.device(name)


def bfloat16_is_native(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself; where it only imitates it, float32 is faster."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and native is not None and bool(native())
