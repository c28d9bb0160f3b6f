"""A generator whose weights differ from another's: stored as differences, used beside the shared one.

A tuned generator is a module of its own whose tensors are the shared generator's own, but for those that differ: two users
with two tuned generators share all the rest in memory. torch.func.functional_call would share as much, but it swaps the
tensors inside the shared module while it runs, where another thread that renders with it would see them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from engines.core.errors import InversionFileError

__all__ = ["bytes_of", "differences_between", "halved", "separated", "tuned"]

Module = TypeVar("Module", bound=nn.Module)


def separated(module: Module, names: Iterable[str]) -> Module:
    """A module that shares every tensor with `module` but the parameters `names`, of which it has copies of its own."""
    shared = {id(tensor): tensor for tensor in chain(module.parameters(), module.buffers())}
    other = copy.deepcopy(module, shared)
    # The shared module's weights may have been read in inference mode; copies made outside of it may take part in gradients.
    with torch.inference_mode(False), torch.no_grad():
        for name in names:
            owner, _, own_name = name.rpartition(".")
            parameter = module.get_parameter(name)
            own = nn.Parameter(parameter.detach().clone(), requires_grad=parameter.requires_grad)
            setattr(other.get_submodule(owner), own_name, own)
    return other


def tuned(generator: Module, differences: Mapping[str, np.ndarray]) -> Module:
    """The generator with ``weight + difference`` for every name in `differences`; itself where there are none.

    Raises InversionFileError for a difference that fits no parameter.
    """
    if not differences:
        return generator
    parameters = dict(generator.named_parameters())
    for name, difference in differences.items():
        if name not in parameters or tuple(parameters[name].shape) != difference.shape:
            raise InversionFileError(
                f"The tuned weight {name} of shape {list(difference.shape)} fits no weight of this generator: "
                "make the inversion again (invert)."
            )
    other = separated(generator, differences)
    with torch.inference_mode(False), torch.no_grad():
        for name, difference in differences.items():
            weight = other.get_parameter(name)
            weight.add_(torch.from_numpy(difference.astype(np.float32)).to(weight.device))
    return other


def differences_between(other: nn.Module, module: nn.Module, names: Iterable[str]) -> dict[str, np.ndarray]:
    """``other - module`` of the parameters `names`, float32; those that are equal are left out."""
    with torch.no_grad():
        pairs = ((name, other.get_parameter(name) - module.get_parameter(name)) for name in names)
        return {name: difference.cpu().numpy() for name, difference in pairs if bool(difference.any())}


def halved(differences: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same in float16: half the bytes, with errors of 1/2048 of each difference."""
    return {name: difference.astype(np.float16) for name, difference in differences.items()}


def bytes_of(differences: Mapping[str, np.ndarray]) -> int:
    """What a tuned generator needs in memory beside the shared one: its own weights are float32."""
    return sum(4 * difference.size for difference in differences.values())
