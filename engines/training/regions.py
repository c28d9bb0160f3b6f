"""``train regions``: the network that tells where in a picture each attribute shows, from true counterfactuals.

A counterfactual is the same scene with one attribute turned into its opposite: what differs is that attribute's, and nothing
else's. Pictures are seen through the degradations of photographs, so that the network holds on these too.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.errors import OptionError
from engines.core.rng import torch_generator
from engines.data.changes import Changes, rendered_changes
from engines.data.registry import set_with_attributes
from engines.data.sets import RenderedSet, rendered_set
from engines.imaging.convert import to_tensor
from engines.imaging.edit_region import region_shares
from engines.imaging.grids import picture_grid
from engines.packs.load import Pack
from engines.packs.registry import open_pack
from engines.predictors.regions import RegionNetwork
from engines.training.augment import degrade, jitter_crop, recolour
from engines.training.batches import PictureBatches
from engines.training.common import add_common_arguments, autocast, held_out_count, open_run, pack_folder
from engines.training.predictor_tasks import Task
from engines.training.predictors import train_task

__all__ = ["HELP", "add_arguments", "run"]

HELP = "where in a picture attributes show: region network, from true counterfactuals"

_BATCH = 48
_FLIPPED = 4
"""Attributes that are turned over in each picture."""
# Changes in levels below and above which a place stays as it is and belongs to the attribute.
_SAME, _CHANGED = 3.0, 12.0
_MOST_HELD_OUT = 200
_SHOWN, _COLUMNS = 4, 12
_DIMMED = 0.2
"""Of what lies outside of a region in the sample picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=800, train_pictures=3000)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains on from the attribute predictor's trunk; writes ``region_network``.

    Raises OptionError for a pack of which no rendered set knows the attributes.
    """
    pack = open_pack(arguments.pack)
    attributes = tuple(attribute.id for attribute in pack.manifest.attributes if not attribute.levels)
    if not attributes:
        raise OptionError(f"pack {pack.id} has no attributes but ordered ones, which may show anywhere.")
    training, schedule = open_run(arguments, "regions", {})
    held_out = min(_MOST_HELD_OUT, held_out_count(arguments))
    name = set_with_attributes(attributes).name
    sets = [_Pairs.of(name, split, n, arguments) for split, n in (("train", arguments.pictures), ("validation", held_out))]
    task = _Regions(pack, *sets, seed=arguments.seed)
    state, licence = training.load_checkpoint() or {}, sets[0].rendered.licence
    figures = train_task(task, "regions", _BATCH, training, schedule, arguments, state, data_licence=licence)
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": figures}


class _Pairs:
    """Pictures and where each changes with some of its attributes."""

    def __init__(self, rendered: RenderedSet, changes: Changes) -> None:
        self.rendered, self.changes = rendered, changes

    @classmethod
    def of(cls, name: str, split: str, n: int, arguments: argparse.Namespace) -> _Pairs:
        rendered = rendered_set(name, split, n, progress=arguments.progress)
        return cls(rendered, rendered_changes(name, split, n, attributes=_FLIPPED, progress=arguments.progress))

    def wanted(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Which attributes, int64 [N, m], and where they change, [N, m, S/2, S/2] in [0, 1]."""
        levels = torch.from_numpy(self.changes.levels[indices].astype(np.float32))
        flipped = torch.from_numpy(self.changes.flipped[indices])
        return flipped, ((levels - _SAME) / (_CHANGED - _SAME)).clamp(0, 1)


class _Regions(Task):
    kind = "region_network"

    def __init__(self, pack: Pack, train: _Pairs, validation: _Pairs, *, seed: int) -> None:
        torch.manual_seed(seed + 5)
        predictor = pack.attribute_predictor
        self.model = RegionNetwork(train.rendered.attributes, predictor.channels)
        self.model.trunk.load_state_dict(predictor.trunk.state_dict())
        self.initialised_from = f"the trunk of the attribute predictor of the pack's weights {pack.weights_hash}"
        self.head = nn.Identity()
        self.train, self.validation = train, validation
        count = len(train.rendered.images)
        self.data = f"{train.rendered.name} {train.rendered.split}, {count} renders and {count * _FLIPPED} counterfactuals"
        # Regions are mirrored with their pictures, below.
        self.batches = PictureBatches(train.rendered.images, seed=seed + 5, mirror=False)
        self._mirror = train.rendered.data.may_mirror
        self._seed = seed

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        indices, images = self.batches.batch(step, count)
        flipped, wanted = self.train.wanted(indices)
        if self._mirror:
            flips = (torch.rand(count, generator=generator) < 0.5)[:, None, None, None]
            images, wanted = torch.where(flips, images.flip(3), images), torch.where(flips, wanted.flip(3), wanted)
        # The same draws: what moves is the picture with its regions.
        images, wanted = (jitter_crop(x, torch_generator(self._seed, 43, step)) for x in (images, wanted))
        with autocast():
            logits = self.model(degrade(recolour(images, generator), generator))
        return F.binary_cross_entropy_with_logits(_of(logits.float(), flipped), wanted)

    @torch.inference_mode()
    def finish(self) -> dict[str, float]:
        """Held-out cross-entropy, and the IoU of all places that probably change with those that do."""
        images = self.validation.rendered.images
        losses, both, either = [], 0, 0
        for start in range(0, len(images), _BATCH):
            indices = np.arange(start, min(start + _BATCH, len(images)))
            flipped, wanted = self.validation.wanted(indices)
            logits = _of(self.result(to_tensor(np.asarray(images[indices]))).float(), flipped)
            losses.append(F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").flatten(1).mean(1))
            found, true = logits > 0, wanted > 0.5
            both, either = both + int((found & true).sum()), either + int((found | true).sum())
        return {"region_cross_entropy": float(torch.cat(losses).mean()), "region_iou": both / max(1, either)}

    @torch.inference_mode()
    def sheet(self) -> np.ndarray:
        """Every region of the first held-out pictures in the light."""
        images = np.asarray(self.validation.rendered.images[:_SHOWN])
        shares = region_shares(self.result.probabilities(to_tensor(images)).numpy())
        lit = [
            [(picture * (_DIMMED + (1 - _DIMMED) * share[..., None])).astype(np.uint8) for share in of_picture]
            for picture, of_picture in zip(images.astype(np.float32), shares, strict=True)
        ]
        names = self.result.attributes
        rows = [(row[at : at + _COLUMNS], names[at : at + _COLUMNS]) for row in lit for at in range(0, len(names), _COLUMNS)]
        return picture_grid([pictures for pictures, _ in rows], labels=[list(labels) for _, labels in rows])


def _of(logits: Tensor, flipped: Tensor) -> Tensor:
    """Those [N, m, h, w] of some attributes [N, m] among logits [N, K, h, w]."""
    return torch.gather(logits, 1, flipped[:, :, None, None].expand(-1, -1, *logits.shape[2:]))
