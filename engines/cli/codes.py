"""``codes``: encodes labelled pictures once, into a file that ``train lw --codes`` takes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engines.cli.parsing import add_pack_option
from engines.core.arguments import new_file
from engines.core.device import resolve_device
from engines.core.errors import OptionError
from engines.data.label_table import LabelTable, read_label_table
from engines.packs.registry import open_pack
from engines.user_edits.codes_file import write_codes
from engines.user_edits.encoding import encode_pictures
from engines.user_edits.pictures import LabelledPictures, from_table

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    add_pack_option(parser)
    add = parser.add_argument
    add("--images", type=Path, required=True, metavar="DIR", help="folder of pictures")
    add("--labels", type=Path, metavar="CSV", help="file,A1,... with 0 and 1: only these pictures, and their labels too")
    add("--aligned", action="store_true", help="the pictures are aligned crops already, as `data` and `invert` write them")
    add("--out", type=new_file(".safetensors"), required=True, metavar="FILE.safetensors", help="the file to write")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    out: Path = arguments.out
    pack = open_pack(arguments.pack, device=resolve_device(arguments.device))
    table = _all_of(arguments.images) if arguments.labels is None else read_label_table(arguments.labels)
    pictures = _pictures(table, arguments.images)
    encoded = encode_pictures(pack, pictures, aligned=arguments.aligned, progress=arguments.progress)
    for _, sentence in encoded.skipped:
        print(f"skipped: {sentence}")
    labels = table.labels[encoded.places] if table.attributes else None
    files = [table.files[place] for place in encoded.places]
    write_codes(out, pack, encoded.codes, attributes=table.attributes, labels=labels, files=files)
    print(f"{len(files)} codes in {out}")
    skipped = [{"file": name, "why": sentence} for name, sentence in encoded.skipped]
    return {"out": str(out), "n": len(files), "attributes": list(table.attributes), "skipped": skipped}


def _all_of(folder: Path) -> LabelTable:
    """The pictures of a folder, without labels."""
    if not folder.is_dir():
        raise OptionError(f"--images {folder}: there is no such folder.")
    files = tuple(sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _ENDINGS and path.is_file()))
    if not files:
        raise OptionError(f"--images {folder}: there is no picture in it.")
    return LabelTable(files, (), np.zeros((len(files), 0), bool))


def _pictures(table: LabelTable, folder: Path) -> LabelledPictures:
    if table.attributes:
        return from_table(table, folder, table.attributes[0], ())
    return LabelledPictures(tuple(folder / file for file in table.files), table.files, np.zeros(len(table.files), bool))
