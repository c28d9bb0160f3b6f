"""W+ codes of rendered pictures, encoded once by a pack's encoder and kept in the data folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engines.core.atomic import replacing
from engines.core.paths import data_dir
from engines.core.progress import Progress, ProgressCallback
from engines.data.sets import rendered_set
from engines.packs.load import Pack
from engines.training.batches import over_pictures
from engines.training.pack_definitions import definition

__all__ = ["CodeSet", "code_set"]


@dataclass(frozen=True)
class CodeSet:
    """Codes of pictures with their labels."""

    codes: Tensor
    """float32 [N, L, D]"""
    labels: np.ndarray
    """bool [N, K]"""
    attributes: tuple[str, ...]
    """The K columns of `labels`."""
    data_licence: str
    mirrored: bool = False
    """Whether the second half are the codes of the first half's mirror images."""
    classes: np.ndarray | None = None
    """int64 [N], what the pictures show; None where the set has no classes."""

    @property
    def origin(self) -> str:
        """What the codes are, in words."""
        if self.mirrored:
            return f"encoder codes of {len(self) // 2} renders and their mirror images"
        return f"encoder codes of {len(self)} renders"

    def __len__(self) -> int:
        return len(self.codes)

    def for_edit(self, attribute: str, level_steps: Mapping[str, str]) -> CodeSet:
        """The codes that an edit of `attribute` may start from or lead to.

        level_steps: upper level -> the one below it, see :attr:`engines.packs.manifest.Manifest.level_steps`. A step between
        two levels of an ordered attribute has the codes of these two, any other attribute has all.
        """
        if attribute not in level_steps:
            return self
        return self.part(self.column(attribute) | self.column(level_steps[attribute]))

    def part(self, chosen: np.ndarray | slice) -> CodeSet:
        """The codes of a mask bool [N] or of a slice, with their labels and classes."""
        codes = self.codes[chosen if isinstance(chosen, slice) else torch.from_numpy(chosen)]
        classes = None if self.classes is None else self.classes[chosen]
        return replace(self, codes=codes, labels=self.labels[chosen], classes=classes)

    def column(self, attribute: str) -> np.ndarray:
        """The labels bool [N] of one attribute."""
        return self.labels[:, self.attributes.index(attribute)]


def code_set(
    pack: Pack, split: str, n: int, *, mirrored: bool = False, progress: ProgressCallback, data: str | None = None
) -> CodeSet:
    """Codes of the first `n` pictures of a split of the rendered set `data` (by default the one that the pack learns from).

    mirrored: adds the mirrored pictures, N = 2 n, where they belong to the set too.
    The codes are kept under ``<data dir>/codes``, named by the encoder's hash and what the pictures are: another encoder
    or other pictures make another file.
    """
    data = data or definition(pack.id).data
    rendered = rendered_set(data, split, n, progress=progress)
    mirrored = mirrored and rendered.data.may_mirror
    count = min(n, len(rendered.images))
    images, labels = rendered.images[:count], np.asarray(rendered.labels[:count], bool)
    passes = [_cached(pack, images, f"{data}-{split}", flip, progress) for flip in ((False, True) if mirrored else (False,))]
    every = np.concatenate([labels] * len(passes))
    classes = None if rendered.classes is None else np.concatenate([np.asarray(rendered.classes[:count])] * len(passes))
    return CodeSet(torch.cat(passes), every, rendered.attributes, rendered.licence, mirrored, classes)


def _cached(pack: Pack, images: np.ndarray, name: str, mirrored: bool, progress: ProgressCallback) -> Tensor:
    path = _cache_path(pack, images, name, mirrored)
    if path.exists():
        return load_file(path)["codes"]
    started = time.monotonic()

    def report(done: int) -> None:
        progress(Progress("Encoding the pictures", done, len(images), time.monotonic() - started))

    codes = over_pictures(pack.encoder, images, mirrored=mirrored, report=report)
    with replacing(path) as temporary:
        save_file({"codes": codes}, temporary)
    return codes


def _cache_path(pack: Pack, images: np.ndarray, name: str, mirrored: bool) -> Path:
    """Pictures are told apart by their number and by samples of their pixels: to read all would take as long as encoding."""
    digest = hashlib.sha256(pack.component_sha256("encoder").encode())
    for index in np.linspace(0, len(images) - 1, 32).astype(int):
        digest.update(np.ascontiguousarray(images[index]).tobytes())
    side = "-mirrored" if mirrored else ""
    return data_dir() / "codes" / f"{name}-{len(images)}{side}-{digest.hexdigest()[:16]}.safetensors"
