"""The part of the frame that the edits of a state may change when they go back into a photo."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import torch

from engines.core.cache import BoundedCache
from engines.imaging.convert import to_tensor
from engines.imaging.edit_region import region_shares
from engines.inversion.result import Inversion
from engines.packs.load import Pack
from engines.session.export import framed_crop
from engines.session.state import EditState

__all__ = ["edited_region", "region_network_name", "region_of"]

_KEPT: BoundedCache[np.ndarray] = BoundedCache(64 * 2**20)
"""Shares of all attributes by network and picture, in bytes: a slider asks for the same again with every move."""


def edited_region(pack: Pack, inversion: Inversion, state: EditState) -> np.ndarray | None:
    """float32 [R, R] in [0, 1], all regions of the state's edits together; None where one of them may show anywhere."""
    if state.object_edit.edited:
        return None
    names = [*(name for name, _ in state.alphas), *(step.attribute for step in state.steps)]
    return region_of(pack, framed_crop(inversion), names)


def region_of(pack: Pack, picture: np.ndarray, attributes: Iterable[str]) -> np.ndarray | None:
    """float32 [R, R] in [0, 1]: where attributes show or would show in a picture uint8 [R, R, 3], together.

    None where the pack has no region network, or it does not know one of them, or there is no attribute.
    """
    names = set(attributes)
    if not names or not pack.has("region_network"):
        return None
    known = pack.region_network.attributes
    if not names <= set(known):
        return None
    shares = _shares(pack, picture)
    return shares[[known.index(name) for name in sorted(names)]].max(axis=0).astype(np.float32)


def region_network_name(pack: Pack) -> str:
    """For reports, whose hash of the pack's weights leaves the network out."""
    return (
        f"region network {pack.component_sha256('region_network')[:16]}" if pack.has("region_network") else "no region network"
    )


def _shares(pack: Pack, picture: np.ndarray) -> np.ndarray:
    """float16 [K, R, R]."""

    def load() -> tuple[np.ndarray, int]:
        with torch.inference_mode():
            image = to_tensor(np.array(picture)).to(pack.device)
            probabilities = pack.region_network.probabilities(image)[0].cpu().numpy()
        shares = region_shares(probabilities).astype(np.float16)
        return shares, shares.nbytes

    key = (pack.component_sha256("region_network"), hashlib.sha256(np.ascontiguousarray(picture)).digest())
    return _KEPT.get(key, load)
