"""The part of the frame that the edits of a state may change when they go back into a photo."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import torch

from engines.core.cache import BoundedCache
from engines.imaging.convert import to_tensor
from engines.imaging.edit_region import limited, region_shares
from engines.imaging.repaint import repainted
from engines.inversion.result import Inversion
from engines.packs.load import Pack
from engines.packs.user_edits import fitting_edits
from engines.session.export import framed_crop
from engines.session.live import painted
from engines.session.state import EditState, Frame

__all__ = ["region_network_name", "region_of", "within_regions"]

_KEPT: BoundedCache[np.ndarray] = BoundedCache(64 * 2**20)
"""Shares of all attributes by network and picture, in bytes: a slider asks for the same again with every move."""
_PAINTED: BoundedCache[np.ndarray] = BoundedCache(32 * 2**20)
"""Pictures of edits that lie below others, as they are and at strength 1."""


def within_regions(pack: Pack, inversion: Inversion, frame: Frame) -> np.ndarray:
    """The frame's picture, uint8 or float32 [R, R, 3] in levels, where every edit changes what is in its own region.

    Edits lie over one another, those with the smallest regions lowest. With p_i the generator's picture of the first i of them,
    and q_i what is kept of them,

        q_i = q_{i-1} + max(r_i(crop), m(p_0, q_{i-1}) r_i(p'_{i-1})) (p_i - q_{i-1}),   q_0 = p_0

    where r_i is the edit's region in a picture, m what has been painted anew (:mod:`engines.imaging.repaint`) and p' a picture
    with edits at strength 1, whose regions are known while a slider moves. So a hair colour leaves alone what only a smile
    may change, and yet colours the bangs that the photo has not. An edit whose region is not known may show anywhere, and so
    may all where the object as a whole is edited.
    """
    if not (frame.state.edited and pack.has("region_network")) or frame.state.object_edit.edited:
        return frame.image
    crop, before = framed_crop(inversion), inversion.reconstruction
    kept, below = before.astype(np.float32), None
    for attribute, region, state in _layers(pack, crop, frame.state):
        picture = frame.image if state == frame.state else _painted(pack, inversion, state)
        if region is not None and below is not None:
            in_full = _painted(pack, inversion, below.in_full())
            region = np.maximum(region, repainted(before, kept) * region_of(pack, in_full, attribute))
        kept, below = limited(picture, kept, region), state
    return kept


def _layers(pack: Pack, crop: np.ndarray, state: EditState) -> Iterator[tuple[str, np.ndarray | None, EditState]]:
    """For each edit, lowest first: its attribute, its region in the crop, and the state with it and those below."""
    regions = [region_of(pack, crop, attribute) for attribute in state.attributes]
    order = sorted(range(len(regions)), key=lambda place: np.inf if regions[place] is None else float(regions[place].sum()))
    for count, place in enumerate(order, start=1):
        yield state.attributes[place], regions[place], state.with_edits(order[:count])


def _painted(pack: Pack, inversion: Inversion, state: EditState) -> np.ndarray:
    own = tuple(edit.sha256 for edit in fitting_edits(pack.manifest, pack.user).values())

    def load() -> tuple[np.ndarray, int]:
        picture = painted(pack, inversion, state)
        return picture, picture.nbytes

    return _PAINTED.get((pack.weights_hash, str(pack.device), inversion.id, own, state), load)


def region_of(pack: Pack, picture: np.ndarray, attribute: str) -> np.ndarray | None:
    """float32 [R, R] in [0, 1]: where an attribute shows or would show in a picture uint8 [R, R, 3].

    None where the pack has no region network, or it does not know the attribute.
    """
    if not pack.has("region_network") or attribute not in pack.region_network.attributes:
        return None
    return _shares(pack, picture)[pack.region_network.attributes.index(attribute)].astype(np.float32)


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
