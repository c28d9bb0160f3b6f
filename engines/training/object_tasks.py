"""What the networks learn that tell a picture's object: of which class it is, and where.

Both see the pack's own renders and those of its set ``astray``, where objects lie anywhere, in any size and light: pictures
that are to be inverted do. Held-out figures are told apart by set.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.core.errors import OptionError
from engines.data.sets import RenderedSet, rendered_set
from engines.imaging.grids import picture_grid
from engines.predictors.boxes import BoxDetector, box_overlap
from engines.predictors.classes import ClassPredictor
from engines.training.augment import degrade, jitter_crop, recolour
from engines.training.batches import JoinedPictures, PictureBatches, over_pictures
from engines.training.common import autocast, held_out_count
from engines.training.pack_definitions import PackDefinition
from engines.training.predictor_tasks import Task
from engines.training.sheets import outlined, surest

__all__ = ["OBJECT_TASKS", "moved_with_boxes"]

_SHIFT, _SCALE = 0.08, 0.12
_CORNER_WEIGHT = 5.0
# Of held-out pictures, in sample pictures: of a set with boxes, and those among which the surest of a class are found.
_SHOWN, _SEARCHED = 12, 500


class _ObjectTask(Task):
    """The pictures: `train` and `validation` are those of the pack's set and, after them, of the set ``astray``."""

    def __init__(self, arguments: argparse.Namespace, row: PackDefinition, train: RenderedSet, validation: RenderedSet) -> None:
        if train.data.class_of is None or train.data.box_of is None:
            raise OptionError(f"The set {train.name} has no classes and boxes; --networks classes,boxes cannot learn from it.")
        self.train, self.validation = [train], [validation]
        if row.astray is not None:
            self.train.append(rendered_set(row.astray, "train", arguments.pictures, progress=arguments.progress))
            count = held_out_count(arguments)
            self.validation.append(rendered_set(row.astray, "validation", count, progress=arguments.progress))
        self.data = " and ".join(f"{part.name} {part.split}, {len(part.images)} renders" for part in self.train)
        self.head = nn.Identity()

    def _batches(self, seed: int, *, mirror: bool) -> PictureBatches:
        return PictureBatches(JoinedPictures([part.images for part in self.train]), seed=seed, mirror=mirror)

    def _figures(self, name: str, figure_of: Callable[[RenderedSet], float]) -> dict[str, float]:
        """A held-out figure of every set: ``class_accuracy``, ``class_accuracy_creatures-ood``."""
        names = [name, *(f"{name}_{part.name}" for part in self.validation[1:])]
        return {key: figure_of(part) for key, part in zip(names, self.validation, strict=True)}


class _Classes(_ObjectTask):
    kind = "class_predictor"

    def __init__(self, arguments: argparse.Namespace, row: PackDefinition, train: RenderedSet, validation: RenderedSet) -> None:
        super().__init__(arguments, row, train, validation)
        torch.manual_seed(arguments.seed + 3)
        self.model = ClassPredictor(train.data.classes, row.predictor_channels, row.predictor_hidden)
        self.continue_from_pack(arguments)
        self.batches = self._batches(arguments.seed + 3, mirror=train.data.may_mirror)
        self.classes = torch.from_numpy(np.concatenate([part.classes for part in self.train]))

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        indices, images = self.batches.batch(step, count)
        images = degrade(recolour(jitter_crop(images, generator), generator), generator)
        with autocast():
            logits = self.model(images)
        return F.cross_entropy(logits.float(), self.classes[indices])

    def finish(self) -> dict[str, Any]:
        said = {part.name: over_pictures(self.result, part.images) for part in self.validation}
        truth = {part.name: torch.from_numpy(part.classes) for part in self.validation}
        own = self.validation[0].name
        self.result.temperature.copy_(_temperature(said[own], truth[own]))
        return self._figures(
            "class_accuracy", lambda part: float((said[part.name].argmax(1) == truth[part.name]).float().mean())
        )

    def sheet(self) -> np.ndarray:
        images = self.validation[-1].images[:_SEARCHED]
        return surest(self.result.classes, over_pictures(self.result, images), lambda places: [images[i] for i in places])


class _Boxes(_ObjectTask):
    kind = "box_detector"

    def __init__(self, arguments: argparse.Namespace, row: PackDefinition, train: RenderedSet, validation: RenderedSet) -> None:
        super().__init__(arguments, row, train, validation)
        torch.manual_seed(arguments.seed + 4)
        self.model = BoxDetector(row.predictor_channels, row.predictor_hidden)
        self.continue_from_pack(arguments)
        # Boxes are mirrored with their pictures, below.
        self.batches = self._batches(arguments.seed + 4, mirror=False)
        self.mirror = train.data.may_mirror
        self.boxes = torch.cat([_boxes(part) for part in self.train])

    def loss(self, step: int, count: int, generator: torch.Generator) -> Tensor:
        indices, images = self.batches.batch(step, count)
        images, boxes = moved_with_boxes(images, self.boxes[indices], generator, mirror=self.mirror)
        images = degrade(recolour(images, generator), generator)
        with autocast():
            found = self.model(images)
        _, generalised = box_overlap(found, boxes)
        return _CORNER_WEIGHT * F.l1_loss(found, boxes) + (1 - generalised).mean()

    def finish(self) -> dict[str, Any]:
        return self._figures(
            "box_iou", lambda part: float(box_overlap(over_pictures(self.result, part.images), _boxes(part))[0].mean())
        )

    def sheet(self) -> np.ndarray:
        parts = [part.images[:_SHOWN] for part in self.validation]
        return picture_grid([list(map(outlined, images, over_pictures(self.result, images).tolist())) for images in parts])


OBJECT_TASKS: dict[str, type[Task]] = {"classes": _Classes, "boxes": _Boxes}


def moved_with_boxes(images: Tensor, boxes: Tensor, generator: torch.Generator, *, mirror: bool) -> tuple[Tensor, Tensor]:
    """Pictures [N, 3, R, R] mirrored (half of them, if they may be), shifted and scaled a little, and their boxes [N, 4]."""
    count = len(images)
    sign = torch.ones(count)
    if mirror:
        sign[torch.rand(count, generator=generator) < 0.5] = -1
    scale = 1 + _SCALE * (2 * torch.rand(count, 2, generator=generator) - 1)
    shift = 2 * _SHIFT * (2 * torch.rand(count, 2, generator=generator) - 1)
    # What is seen at p lies at a p + t in the picture, both in [-1, 1].
    along = scale * torch.stack([sign, torch.ones(count)], dim=1)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, :, 2] = along[:, 0], along[:, 1], shift
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    corners = (2 * boxes.view(count, 2, 2) - 1 - shift[:, None]) / along[:, None]
    low, high = corners.amin(1), corners.amax(1)
    return moved, (torch.cat([low, high], dim=1) + 1) / 2


def _boxes(rendered: RenderedSet) -> Tensor:
    """The objects' boxes [N, 4]."""
    return torch.tensor([rendered.data.box_of(record) for record in rendered.records], dtype=torch.float32)


def _temperature(logits: Tensor, classes: Tensor) -> Tensor:
    """The temperature of least cross-entropy on held-out pictures, by grid search, []."""
    grid = torch.logspace(-0.7, 0.9, 60)
    losses = torch.stack([F.cross_entropy(logits / temperature, classes) for temperature in grid])
    return grid[losses.argmin()]
