"""``train regions``: where in the frame attributes show, measured on renders and their true counterfactuals.

A counterfactual is the same scene with one attribute turned into its opposite: what differs is that attribute's, and nothing
else's. The mean over many pictures tells where an edit has any business (:mod:`engines.imaging.edit_region`). Written into the
manifest, since no network takes part.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.core.progress import Progress
from engines.data.dataset import DataSet
from engines.data.registry import data_set, set_with_attributes
from engines.data.workers import in_processes
from engines.imaging.edit_region import region_mask, region_rows
from engines.imaging.grids import picture_grid
from engines.packs.manifest import EditRegions
from engines.packs.registry import open_pack
from engines.packs.write import update_manifest
from engines.training.common import add_common_arguments, command_line, open_run, pack_folder

__all__ = ["HELP", "add_arguments", "changes_of", "run"]

HELP = "where in the frame attributes show, from true counterfactuals"

_GRID = 32
_SPLIT = "train"
_COLUMNS = 8
_DIMMED = 0.2
"""Of what lies outside of a region in the sample picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=None, train_pictures=100)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the regions of all plain attributes of the pack, and writes them into its manifest.

    Raises OptionError for a pack of which no rendered set knows the attributes, or whose pictures cannot be cut into cells.
    """
    pack = open_pack(arguments.pack)
    attributes = tuple(attribute.id for attribute in pack.manifest.attributes if not attribute.levels)
    if not attributes:
        raise OptionError(f"pack {pack.id} has no attributes but ordered ones, which may show anywhere.")
    data, side = set_with_attributes(attributes), pack.manifest.resolution
    if side % _GRID:
        raise OptionError(f"pack {pack.id} has pictures of {side} px: regions are measured in {_GRID} x {_GRID} cells.")
    training, _ = open_run(arguments, "regions", {})
    tasks = [(data.name, attributes, index, side) for index in range(arguments.pictures)]
    total = np.zeros((len(attributes), _GRID, _GRID))
    for done, changes in enumerate(in_processes(changes_of, tasks), 1):
        total += changes
        arguments.progress(Progress("Comparing counterfactuals", done, len(tasks), training.seconds))
    if data.may_mirror:
        total = total + total[:, :, ::-1]
    regions = {name: region_rows(change) for name, change in zip(attributes, total, strict=True)}
    written = EditRegions(regions, arguments.pictures, command_line(), arguments.seed)
    update_manifest(pack.folder, edit_regions=asdict(written))
    metrics = {name: float(region_mask([rows], _GRID).mean()) for name, rows in regions.items()}
    training.picture("regions", _sheet(data, list(regions.values()), side))
    training.log(**{f"share_of_frame_{name}": share for name, share in metrics.items()})
    training.finish()
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": {"share_of_frame": metrics}}


def _sheet(data: DataSet, regions: Sequence[Sequence[str]], side: int) -> np.ndarray:
    """The first picture with every region in turn in the light, uint8 [H, W, 3]."""
    picture = data.render(data.record(_SPLIT, 0), side).astype(np.float32)
    masks = [region_mask([rows], side)[..., None] for rows in regions]
    lit = [(picture * (_DIMMED + (1 - _DIMMED) * mask)).astype(np.uint8) for mask in masks]
    return picture_grid([lit[start : start + _COLUMNS] for start in range(0, len(lit), _COLUMNS)])


def changes_of(task: tuple[str, tuple[str, ...], int, int]) -> np.ndarray:
    """[K, g, g] mean absolute differences, in levels, of a picture and its counterfactuals in each of K attributes.

    task: the set's name, the attributes, the picture's place in the training split, and the side to render at.
    """
    name, attributes, index, side = task
    data = data_set(name)
    record = data.record(_SPLIT, index)
    labels, picture = data.labels(record), data.render(record, side).astype(np.float32)
    found = []
    for attribute in attributes:
        flipped = data.render(data.counterfactual(record, attribute, not labels[attribute]), side)
        change = np.abs(flipped - picture).mean(axis=2)
        found.append(change.reshape(_GRID, side // _GRID, _GRID, side // _GRID).mean(axis=(1, 3)))
    return np.stack(found)
