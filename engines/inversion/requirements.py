"""Which inversion methods there are, and which components of a pack each needs. Needs no torch: listing packs reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

__all__ = ["METHOD_COMPONENTS", "offered_methods"]

_LOOK = ("generator", "encoder", "perceptual")
_SEARCH = (*_LOOK, "statistics")

METHOD_COMPONENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "encoder": _LOOK,
        "iterated-encoder": _LOOK,
        "encoder-refine": _SEARCH,
        "adam": _SEARCH,
        "lbfgs": _SEARCH,
        "cma": _SEARCH,
        "cma-adam": _SEARCH,
        "basin-cma": _SEARCH,
        "fine-tune": _SEARCH,
        "clone": (*_SEARCH, "discriminator"),
    }
)
"""Method id -> kinds of components, in the order in which methods are listed; tuning.methods holds their runners."""


def offered_methods(components: Collection[str]) -> tuple[str, ...]:
    """The methods that a pack with these components can do."""
    return tuple(method for method, needed in METHOD_COMPONENTS.items() if set(needed) <= set(components))
