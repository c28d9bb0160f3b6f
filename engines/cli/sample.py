"""``sample``: unselected samples of a generator. Picture i is drawn from seed + i, with --classes of the classes in turn."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from engines import api
from engines.cli.parsing import add_pack_option
from engines.core.arguments import bounded_float, bounded_int, new_folder
from engines.imaging.grids import picture_grid, save_png

_GRID_PICTURES = 100
"""How many of the samples the grid shows at most."""


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    add_pack_option(parser)
    parser.add_argument("--n", type=bounded_int(1, 100_000), default=16, help="how many (default 16)")
    parser.add_argument(
        "--truncation", type=bounded_float(0, 2), default=1.0, help="1 (default) is the full variety, 0 the mean picture"
    )
    parser.add_argument(
        "--classes", metavar="A,B", help="of a class-conditional pack: draw these classes in turn (default: any, by the seed)"
    )
    parser.add_argument("--out", required=True, metavar="DIR", type=new_folder, help="folder for 000000.png ... and grid.png")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    pack = api.open_pack(arguments.pack, device=arguments.device)
    classes = None if arguments.classes is None else [name for name in arguments.classes.split(",") if name]
    if classes == []:
        raise api.OptionError("--classes: name at least one class.")
    files: list[str] = []
    shown: list[np.ndarray] = []
    for index in range(arguments.n):
        class_id = None if classes is None else classes[index % len(classes)]
        pixels = api.surprise(pack, arguments.seed + index, arguments.truncation, class_id).reconstruction
        path = arguments.out / f"{index:06d}.png"
        save_png(path, pixels)
        files.append(str(path))
        if index < _GRID_PICTURES:
            shown.append(pixels)
    grid = arguments.out / "grid.png"
    columns = math.ceil(len(shown) ** 0.5)
    rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    save_png(grid, picture_grid(rows))
    print(f"{len(files)} samples and {grid}")
    return {"files": files, "grid": str(grid)}
