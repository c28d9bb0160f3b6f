"""``train lw``: the pack's own maps; with ``--labels`` or ``--codes`` an edit of a new attribute from a user's own pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from engines.core.arguments import bounded_int
from engines.core.errors import OptionError
from engines.data.label_table import LabelTable, read_label_table
from engines.packs.load import Pack
from engines.packs.registry import open_pack
from engines.packs.user_edits import LEAST, UserEdit
from engines.training import lw
from engines.training.lw_recipe import recipe_of
from engines.training.user_edit import Training
from engines.user_edits.codes_file import read_codes
from engines.user_edits.pictures import chosen_attribute, from_table
from engines.user_edits.train import NewEdit, train_from_codes, train_from_pictures

HELP = f"""edit maps by latent Wasserstein transport, calibrated.
Without --labels and --codes: those of the pack itself, on its rendered pictures. With them: an edit of a new attribute from
your own pictures or codes, at least {LEAST} with the attribute and {LEAST} without. It is kept in the data folder for
this pack, with its evaluation page, and is a slider of the page and an attribute of `edit --set` at once; the pack itself is
not changed."""

_OWN = ("images", "codes", "attribute", "id", "name")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    lw.add_arguments(parser)
    group = parser.add_argument_group("an attribute of your own")
    add = group.add_argument
    add(
        "--labels", type=Path, metavar="CSV", help="file,A1,... with 0 and 1, as `data` writes it; with --codes one line a code"
    )
    add("--images", type=Path, metavar="DIR", help="folder of the labelled pictures")
    add("--codes", type=Path, metavar="FILE", help="codes [N, L, D] or w [N, D] as safetensors, as `codes` writes them")
    add("--attribute", metavar="A", help="the column to learn (default: the only one that the pack does not know)")
    add("--id", metavar="ID", help="attribute id of the edit (default: made of its name)")
    add("--name", metavar="NAME", help="its name for people (default: the column's)")
    add("--aligned", action="store_true", help="the pictures are aligned crops already, as `data` and `invert` write them")
    steps = bounded_int(1, 100_000)
    add("--classifier-steps", type=steps, default=Training.classifier_steps, metavar="N", help="steps of the latent classifier")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.labels is None and arguments.codes is None:
        given = [f"--{name}" for name in _OWN if getattr(arguments, name) is not None]
        if given:
            raise OptionError(f"{given[0]} is for an attribute of your own: add --labels (with --images) or --codes.")
        return lw.run(arguments)
    _check(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    pack = open_pack(arguments.pack)
    table = None if arguments.labels is None else read_label_table(arguments.labels)
    edit, folder = _from_codes(pack, table, arguments) if arguments.codes else _from_pictures(pack, table, arguments)
    return {"run": str(folder), "best": str(edit.folder), "id": edit.id, "name": edit.name, "metrics": _metrics(edit)}


def _check(arguments: argparse.Namespace) -> None:
    if arguments.images is not None and arguments.codes is not None:
        raise OptionError("--images and --codes: give one of them.")
    if arguments.codes is None and arguments.images is None:
        raise OptionError("--labels: add --images DIR, the folder of the labelled pictures, or --codes FILE.")
    for name in ("star", "affine", "attributes"):
        if getattr(arguments, name):
            raise OptionError(f"--{name} is for the pack's own attributes, not for one of your own.")
    if arguments.preservation_of:
        raise OptionError("--preservation-of is for the pack's own attributes; use --preservation.")


def _new(arguments: argparse.Namespace, attribute: str, pack: Pack) -> NewEdit:
    recipe = recipe_of(arguments, pack.manifest.latent.dim)
    if not isinstance(recipe.weight_by, int):
        unknown = sorted(set(recipe.weight_by) - set(pack.attribute_predictor.attributes))
        if unknown:
            raise OptionError(
                f"--weight-by {','.join(unknown)}: the pack knows {', '.join(pack.attribute_predictor.attributes)}."
            )
    # Without folders: they say nothing to others, and a report should look the same wherever it is made.
    files = {name: Path(getattr(arguments, name)).name for name in ("labels", "images", "codes") if getattr(arguments, name)}
    options = {**files, "attribute": arguments.attribute, "id": arguments.id, "aligned": arguments.aligned or None}
    return NewEdit(
        arguments.name if arguments.name is not None else attribute.replace("_", " "),
        # A column's own spelling is the id, unless people's name for it is given.
        arguments.id if arguments.id is not None or arguments.name is not None else attribute,
        Training(recipe, arguments.classifier_steps),
        arguments.seed,
        arguments.minutes,
        None if arguments.run is None else Path(arguments.run),
        arguments.resume,
        options | {"steps": arguments.steps, "minutes": arguments.minutes},
    )


def _from_pictures(pack: Pack, table: LabelTable, arguments: argparse.Namespace) -> tuple[UserEdit, Path]:
    known = pack.attribute_predictor.attributes
    attribute = chosen_attribute(table.attributes, arguments.attribute, known)
    pictures = from_table(table, arguments.images, attribute, known)
    new = _new(arguments, attribute, pack)
    return train_from_pictures(pack, pictures, new, aligned=arguments.aligned, progress=arguments.progress)


def _from_codes(pack: Pack, table: LabelTable | None, arguments: argparse.Namespace) -> tuple[UserEdit, Path]:
    file = read_codes(arguments.codes, pack)
    attributes = file.attributes if table is None else table.attributes
    if not attributes:
        raise OptionError(f"--codes {arguments.codes}: the file has no labels; add --labels with one line a code.")
    attribute = chosen_attribute(attributes, arguments.attribute, pack.attribute_predictor.attributes)
    new = _new(arguments, attribute, pack)
    return train_from_codes(pack, file, attribute, new, progress=arguments.progress, table=table)


def _metrics(edit: UserEdit) -> dict[str, Any]:
    figures = edit.figures
    brief = {"classifier_balanced_accuracy": figures["classifier_balanced_accuracy"]}
    for direction in ("add", "remove"):
        for key in ("latent_change", "picture_change", "attribute_preservation", "identity", "n"):
            if key in figures[direction]:
                brief[f"{key}_{direction}"] = figures[direction][key]
    return brief | {"skipped": edit.provenance["skipped"]}
