"""Where a generator paints its objects, as the pack's box detector sees them: what the search of a transform starts from.

Huh et al. 2020, section 3.4: a picture is first moved such that its object's box gets the mean centre and the modal size of
the objects that the generator makes, whose spread is narrower than that of the pictures it has learned from (section 3.3).
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from engines.imaging.convert import to_tensor, to_uint8
from engines.packs.load import Pack
from engines.packs.records import ObjectStatistics
from engines.packs.registry import open_pack
from engines.packs.samples import sampled_codes
from engines.packs.write import update_manifest

__all__ = ["mode_of", "object_statistics", "sampled_boxes", "write_object_statistics"]

_PICTURES = 2000
_BATCH = 50
_GRID = 1001
_DIGITS = 4


def write_object_statistics(pack_id: str, *, seed: int, pictures: int = _PICTURES) -> None:
    """Measures them and writes them, and the box they give, into the manifest; nothing where the pack lacks a part for it."""
    pack = open_pack(pack_id)
    if not all(pack.has(kind) for kind in ("generator", "statistics", "box_detector")):
        return
    found = object_statistics(sampled_boxes(pack, pictures, seed=seed).numpy())
    update_manifest(pack.folder, object_statistics=asdict(found), object_box=[round(side, _DIGITS) for side in found.box])


@torch.inference_mode()
def sampled_boxes(pack: Pack, n: int, *, seed: int) -> Tensor:
    """The detector's boxes [n, 4] on the rounded pictures of the seeds from `seed` on, classes as the seeds have them."""
    parts = []
    for start in range(seed, seed + n, _BATCH):
        codes = sampled_codes(pack, range(start, min(start + _BATCH, seed + n)))
        seen = to_tensor(to_uint8(pack.generator.synthesis(codes, noise_mode="const")))
        parts.append(pack.box_detector(seen.to(pack.device)).cpu())
    return torch.cat(parts)


def object_statistics(boxes: np.ndarray) -> ObjectStatistics:
    """The statistics of boxes [n, 4] in shares of a side; what reaches beyond the picture is cut off first."""
    inside = np.clip(boxes.astype(np.float64), 0, 1)
    low, high = inside[:, :2], inside[:, 2:]
    centres, sizes = (low + high) / 2, high - low

    def pair(values: np.ndarray) -> tuple[float, float]:
        return round(float(values[0]), _DIGITS), round(float(values[1]), _DIGITS)

    return ObjectStatistics(
        centre_mean=pair(centres.mean(0)),
        centre_deviation=pair(centres.std(0)),
        size_mode=pair(np.array([mode_of(sizes[:, axis]) for axis in (0, 1)])),
        size_mean=pair(sizes.mean(0)),
        size_deviation=pair(sizes.std(0)),
        pictures=len(boxes),
    )


def mode_of(values: np.ndarray) -> float:
    """The most frequent of values [n], above 0 and at most 1: where a Gaussian kernel density is highest.

    The bandwidth is Silverman's, h = 0.9 min(deviation, interquartile range / 1.34) n^(-1/5)  (Silverman 1986, Eq. 3.31)
    """
    low, high = np.quantile(values, [0.25, 0.75])
    spread = min(float(values.std()), (high - low) / 1.34)
    bandwidth = max(0.9 * spread * len(values) ** -0.2, 1 / (_GRID - 1))
    places = np.linspace(0, 1, _GRID)[1:]
    density = np.exp(-0.5 * np.square((places[:, None] - values) / bandwidth)).sum(1)
    return float(places[int(np.argmax(density))])
