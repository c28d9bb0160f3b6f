"""``train sample``: a few of the pictures that the generator learns from, kept in the pack.

Clone's global loss on training pictures (Feng et al. 2022, Eq. 3) draws from them; without them it takes pictures of the
untuned generator instead (:mod:`engines.tuning.cohesion`). No network is trained.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from engines.core.errors import OptionError
from engines.data.sets import rendered_set
from engines.imaging.grids import picture_grid
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.training.common import add_common_arguments, open_run, pack_folder, provenance
from engines.training.pack_definitions import definition

__all__ = ["HELP", "add_arguments", "run"]

HELP = "a few training pictures, for the global loss of Clone that compares with them"

_SHOWN, _COLUMNS = 48, 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, steps=None, train_pictures=128)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Renders the first pictures of the pack's training split and writes the component ``training_sample``.

    Raises OptionError for pictures of another size than the pack's.
    """
    side, row = open_pack(arguments.pack).manifest.resolution, definition(arguments.pack)
    training, _ = open_run(arguments, "sample", {})
    found = rendered_set(row.data, "train", arguments.pictures, progress=arguments.progress)
    images = torch.from_numpy(found.images[: arguments.pictures].copy()).permute(0, 3, 1, 2).contiguous()
    if images.shape[-1] != side:
        raise OptionError(f"pack {arguments.pack} has pictures of {side} px, its set {row.data} of {images.shape[-1]}.")
    source = provenance(
        arguments,
        images_seen=len(images),
        data=f"{row.data} train, the first {len(images)} renders",
        data_licence=found.licence,
        metrics={},
    )
    write_component(pack_folder(arguments), "training_sample", {"images": images}, {}, source, half=False)
    shown = list(found.images[: min(_SHOWN, arguments.pictures)])
    training.picture("pictures", picture_grid([shown[start : start + _COLUMNS] for start in range(0, len(shown), _COLUMNS)]))
    training.finish()
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": {"pictures": len(images)}}
