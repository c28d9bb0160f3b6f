"""``invert``: codes of pictures, one folder a picture. A picture that cannot be used does not stop the others."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engines import api
from engines.cli.output import complain, progress_printer
from engines.cli.parsing import add_inversion_options, add_pack_option
from engines.core.arguments import folder_problem, new_folder
from engines.core.atomic import write_json
from engines.imaging.grids import save_png

__all__ = ["SEARCH_OPTIONS", "inversion_options", "search_facts"]

SEARCH_OPTIONS = (
    "seconds",
    "steps",
    "evaluations",
    "space",
    "encoder_start",
    "class_search",
    "transform",
    "mask",
    "outside_weight",
    "pixel_loss",
    "global_loss",
)
"""Options of methods that search, by the names that :func:`engines.api.invert` gives them."""


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="picture files")
    add_pack_option(parser)
    add_inversion_options(parser)
    parser.add_argument(
        "--out", required=True, type=new_folder, metavar="DIR", help="gets a folder for each picture, named like it"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """`results` of the pictures that could be inverted, `errors` of the others."""
    pack = api.open_pack(arguments.pack, device=arguments.device)
    options = inversion_options(arguments)
    api.check_method(pack, options["method"])
    folders = _folders(arguments.images, arguments.out)
    results, errors = [], []
    for image, folder in zip(arguments.images, folders, strict=True):
        try:
            picture = api.read_image(image)
            show = progress_printer(f"{image}: ")
            for record in api.invert(pack, picture, **options):
                show(record)
            inversion = record.result
        except api.LweError as error:
            # Readers name the file already; what comes later may not.
            text = str(error) if str(image) in str(error) else f"{image}: {error}"
            complain(text)
            errors.append({"image": str(image), "error": text})
            continue
        result = _write(folder, image, inversion, picture.notes, from_store=record.from_store)
        print(f"{image}: mse {inversion.mse:.4f}, perceptual {inversion.perceptual:.4f}, {inversion.seconds:.1f} s; {folder}")
        for warning in result["warnings"]:
            print(f"  {warning}")
        results.append(result)
    return {"results": results, "errors": errors}


def inversion_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of :func:`engines.api.invert` that the command line asks for."""
    face = "largest" if arguments.face is None else arguments.face
    given = {name: getattr(arguments, name) for name in SEARCH_OPTIONS}
    return {
        "method": arguments.method or api.DEFAULT_METHOD,
        "face": None if face == "whole" else face,
        "seed": arguments.seed,
        **{name: value for name, value in given.items() if value is not None},
    }


def search_facts(inversion: api.Inversion) -> dict[str, Any]:
    """What commands tell of how an inversion was searched; `mask` is in pixels of the crop."""
    return {
        "perceptual_kind": inversion.perceptual_kind,
        "evaluations": inversion.evaluations,
        "transform": None if inversion.transform is None else dict(inversion.transform),
        "mask": None if inversion.mask is None else list(inversion.mask),
    }


def _folders(images: Sequence[str], out: Path) -> list[Path]:
    """DIR/<stem>; where stems repeat (whatever their case: some file systems ignore it) the later ones get -2, -3, ..."""
    taken: set[str] = set()
    folders = []
    for image in images:
        stem = Path(image).stem or "picture"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        folders.append(out / name)
        if problem := folder_problem(folders[-1]):
            raise api.OptionError(f"--out {out}: {problem}.")
    return folders


def _write(folder: Path, image: str, inversion: api.Inversion, notes: tuple[str, ...], *, from_store: bool) -> dict[str, Any]:
    names = {"aligned": "aligned.png", "reconstruction": "reconstruction.png", "inversion": "inversion.safetensors"}
    result = {
        "image": str(image),
        "pack": inversion.pack_id,
        "method": inversion.method,
        "mse": inversion.mse,
        "perceptual": inversion.perceptual,
        "seconds": inversion.seconds,
        "steps": inversion.steps,
        **search_facts(inversion),
        "seed": inversion.seed,
        "from_store": from_store,
        **{key: str(folder / name) for key, name in names.items()},
        "warnings": [*notes, *inversion.warnings],
    }
    with _whole_folder(folder) as temporary:
        save_png(temporary / names["aligned"], inversion.crop)
        save_png(temporary / names["reconstruction"], inversion.reconstruction)
        inversion.save(temporary / names["inversion"])
        write_json(temporary / "result.json", result)
    return result


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `folder`; on success its files are put in place, on any error none is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield temporary
        folder.mkdir(exist_ok=True)
        for path in sorted(temporary.iterdir()):
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
