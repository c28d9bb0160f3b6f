"""The part of the frame that the edits of a state may change when they go back into a photo."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from engines.imaging.edit_region import region_mask
from engines.packs.manifest import Manifest
from engines.session.state import EditState

__all__ = ["edited_region", "region_of"]


def edited_region(manifest: Manifest, state: EditState) -> np.ndarray | None:
    """float32 [R, R] in [0, 1], all regions of the state's edits together; None where one of them may show anywhere."""
    if state.object_edit.edited:
        return None
    return region_of(manifest, [*(name for name, _ in state.alphas), *(step.attribute for step in state.steps)])


def region_of(manifest: Manifest, attributes: Iterable[str]) -> np.ndarray | None:
    """float32 [R, R] in [0, 1]: the regions of attributes together; None where one has none, or there is no attribute."""
    names, known = set(attributes), manifest.edit_regions
    if known is None or not names or not names <= known.grids.keys():
        return None
    return _mask(tuple(known.grids[name] for name in sorted(names)), manifest.resolution)


@lru_cache(maxsize=64)
def _mask(regions: tuple[tuple[str, ...], ...], side: int) -> np.ndarray:
    mask = region_mask(regions, side)
    mask.flags.writeable = False
    return mask
