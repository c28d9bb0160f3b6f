"""Opens packs by id. Weights are shared by all who open the same pack, within a bound in bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from engines.core.cache import BoundedCache
from engines.core.errors import PackNotFoundError
from engines.core.paths import packs_dir
from engines.packs.load import Pack, WeightsCache
from engines.packs.manifest import MANIFEST_NAME, manifest_text, parse_manifest

__all__ = ["WEIGHTS_CACHE_BYTES", "open_pack"]

WEIGHTS_CACHE_BYTES = 1 << 30
"""Room for dozens of packs of the bundled size; the least recently used networks go first."""
_OPEN_PACKS = 64
_LONGEST_ID = 100

_weights: WeightsCache = BoundedCache(WEIGHTS_CACHE_BYTES)
_packs: BoundedCache[Pack] = BoundedCache(_OPEN_PACKS)


def open_pack(pack_id: str, folder: Path | None = None, *, device: torch.device | str = "cpu") -> Pack:
    """The pack `pack_id` in `folder` (None: where packs are installed); opening reads the manifest only.

    The same instance comes back until the manifest changes. Incomplete packs open too: what is missing is an error when
    it is asked for. Raises PackNotFoundError naming the packs there are, or another PackError for a bad manifest.
    """
    root = packs_dir() if folder is None else Path(folder)
    home = root / pack_id
    # An id is one short name: anything with a separator in it could reach other folders.
    path = home / MANIFEST_NAME
    if Path(pack_id).name != pack_id or len(pack_id) > _LONGEST_ID or not path.is_file():
        known = ", ".join(sorted(p.parent.name for p in root.glob(f"*/{MANIFEST_NAME}"))) or "none"
        raise PackNotFoundError(f"There is no pack {pack_id[:_LONGEST_ID]!r} in {root}. Packs there: {known}.")
    text = manifest_text(home)
    device = torch.device(device)
    key = (str(home.resolve()), hashlib.sha256(text.encode()).hexdigest(), str(device))
    return _packs.get(key, lambda: (Pack(home, parse_manifest(text, path), _weights, device=device), 1))
