"""Files of codes: safetensors that ``codes`` writes and ``train lw --codes`` reads.

    codes     float [N, L, D]    W+ codes; or in its place
    w         float [N, D]       mapped codes, the same for every layer
    labels    [N] or [N, K]      0 and 1; may be missing where a table of labels comes along, one line a code

Metadata, all optional: ``attributes`` (names of the columns of labels, with commas), ``encoder`` (sha256 of the pack's encoder
that made the codes: codes of another one are refused), ``files`` (a JSON list of the pictures' names).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engines.core.atomic import replacing
from engines.core.errors import OptionError
from engines.packs.load import Pack

__all__ = ["CodesFile", "read_codes", "write_codes"]

MAX_BYTES = 8 << 30
_MAX_COLUMNS = 512


@dataclass(frozen=True, eq=False)
class CodesFile:
    """What a file of codes holds."""

    codes: Tensor
    """float32 [N, L, D]"""
    attributes: tuple[str, ...]
    labels: np.ndarray | None
    """bool [N, K]; None where the file has none."""


def write_codes(
    path: Path, pack: Pack, codes: Tensor, *, attributes: Sequence[str], labels: np.ndarray | None, files: Sequence[str]
) -> None:
    """Writes codes [N, L, D] of the pack's encoder, with labels bool [N, K] where there are any."""
    tensors = {"codes": codes.contiguous()}
    metadata = {"pack": pack.id, "encoder": pack.component_sha256("encoder"), "files": json.dumps(list(files))}
    if labels is not None:
        tensors["labels"] = torch.from_numpy(np.ascontiguousarray(labels, np.uint8))
        metadata["attributes"] = ",".join(attributes)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata)


def read_codes(path: Path, pack: Pack) -> CodesFile:
    """Reads and checks a file for a pack. Raises OptionError that names the file and what is wrong."""
    if not path.is_file():
        raise OptionError(f"--codes {path}: there is no such file; `python -m engines codes` writes one.")
    if path.stat().st_size > MAX_BYTES:
        raise OptionError(f"--codes {path}: files of more than {MAX_BYTES >> 30} GB are not read.")
    try:
        with safe_open(path, "pt") as file:
            facts, names = file.metadata() or {}, set(file.keys())
            tensors = {name: file.get_tensor(name) for name in ("codes", "w", "labels") if name in names}
    except (SafetensorError, OSError, ValueError) as error:
        raise OptionError(f"--codes {path}: this is no safetensors file ({str(error)[:100]}).") from None
    made_by = facts.get("encoder")
    if made_by is not None and made_by != pack.component_sha256("encoder"):
        raise OptionError(
            f"--codes {path}: these codes were made by another encoder than that of pack {pack.id}; make them anew."
        )
    codes = _codes(tensors, pack, path)
    labels = _labels(tensors["labels"], len(codes), path) if "labels" in tensors else None
    named = [name.strip() for name in facts.get("attributes", "").split(",") if name.strip()]
    if labels is not None and not named:
        named = ["label"] if labels.shape[1] == 1 else [f"label{k}" for k in range(labels.shape[1])]
    if labels is not None and (len(named) != labels.shape[1] or len(set(named)) != len(named)):
        raise OptionError(f"--codes {path}: its labels have {labels.shape[1]} columns, but {len(named)} different names.")
    return CodesFile(codes, tuple(named) if labels is not None else (), labels)


def _codes(tensors: dict[str, Tensor], pack: Pack, path: Path) -> Tensor:
    layers, dim = pack.manifest.latent.layers, pack.manifest.latent.dim
    found = tensors.get("codes", tensors.get("w"))
    shape = "none" if found is None else str(list(found.shape))
    single = found is not None and found.dim() == 2 and found.shape[1] == dim
    whole = found is not None and found.dim() == 3 and tuple(found.shape[1:]) == (layers, dim)
    if not (single or whole) or not len(found):
        raise OptionError(
            f"--codes {path}: expected a tensor codes of shape [N, {layers}, {dim}] or w of shape [N, {dim}], found {shape}."
        )
    if not found.is_floating_point() or not torch.isfinite(found).all():
        raise OptionError(f"--codes {path}: codes have to be finite floating-point numbers.")
    found = found.float()
    return found[:, None].expand(-1, layers, -1).contiguous() if single else found


def _labels(found: Tensor, count: int, path: Path) -> np.ndarray:
    found = found[:, None] if found.dim() == 1 else found
    if found.dim() != 2 or found.shape[0] != count or not 1 <= found.shape[1] <= _MAX_COLUMNS:
        raise OptionError(
            f"--codes {path}: labels of shape {list(found.shape)} do not fit {count} codes; expected [{count}, K]."
        )
    if not ((found == 0) | (found == 1)).all():
        raise OptionError(f"--codes {path}: labels have to be 0 or 1.")
    return found.bool().numpy()
