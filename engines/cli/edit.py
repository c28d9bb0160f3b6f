"""``edit``: attributes of a picture, or of a saved inversion, by given strengths."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from engines import api
from engines.cli.invert import SEARCH_OPTIONS, inversion_options, search_facts
from engines.cli.parsing import add_inversion_options, add_object_options, add_pack_option
from engines.core.arguments import new_file
from engines.core.atomic import replacing
from engines.core.errors import OptionError
from engines.imaging.grids import encode_jpeg, save_png

_JPEG = (".jpg", ".jpeg")
_INVERSION = ".safetensors"
_CLASSES_PRINTED = 3


def add_arguments(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    # Optional for argparse only: after --set A=1 it would take SOURCE for one more assignment, and run() sorts that out.
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="a picture file, or an inversion.safetensors")
    add_pack_option(parser)
    add_inversion_options(parser)
    parser.add_argument(
        "--set",
        dest="assignments",
        action="extend",
        nargs="+",
        default=[],
        metavar="A=ALPHA[@A-B]",
        help="strength of an attribute: positive adds, negative removes, 0 leaves as it is; @0-5: on the style layers 0 to 5 "
        "only; may be repeated",
    )
    parser.add_argument("--family", default="LW", metavar="F", help="edit family, like LW, LT, InterFaceGAN (default LW)")
    parser.add_argument(
        "--in-order",
        action="store_true",
        help="edit one after the other in the order given, each what those before have left; so it is with layers of their own",
    )
    parser.add_argument(
        "--as-needed",
        action="store_true",
        help="edit as far as the picture calls for, as the page does: hardly add to what is there already, remove nothing that "
        "is not there",
    )
    parser.add_argument("--layers", metavar="A-B", help="style layers that may change, both included (default all)")
    add_object_options(parser)
    parser.add_argument("--paste-back", action="store_true", help="write the whole photo instead of the aligned square")
    parser.add_argument(
        "--blend",
        choices=api.BLENDS,
        help="how to paste back: detail (default) adds what the edit changes to the photo; poisson (default where a transform "
        "was found) sets the generator's picture into it without a seam; mixed too, keeping the photo's texture",
    )
    parser.add_argument("--picture", metavar="IMAGE", help="the photo that an inversion was made from, for --paste-back")
    parser.add_argument(
        "--out", required=True, type=new_file(".png", *_JPEG), metavar="FILE.png", help="the picture to write (.png, .jpg)"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    started = time.perf_counter()
    source, assignments = _source_and_assignments(arguments)
    if arguments.blend and not arguments.paste_back:
        raise OptionError(f"--blend {arguments.blend} says how to paste back: add --paste-back.")
    out: Path = arguments.out
    pack = api.open_pack(arguments.pack, device=arguments.device)
    layers = _layers(arguments.layers, api.pack_info(pack).latent_shape[0])
    edits = _edits(assignments, layers, api.pack_info(pack).latent_shape[0], in_order=arguments.in_order)
    edits["family"] = arguments.family
    edits["object_edit"] = _object_edit(arguments)
    # Wrong names and strengths are told before minutes are spent on an inversion.
    api.check_edits(pack, **edits)
    if Path(source).suffix.lower() == _INVERSION:
        inversion, picture = _from_inversion(pack, source, arguments)
    else:
        if arguments.picture:
            raise OptionError("--picture is for a SOURCE that is an inversion; a picture is its own photo.")
        picture = api.read_image(source)
        for record in api.invert(pack, picture, **inversion_options(arguments)):
            arguments.progress(record)
        inversion = record.result
    before = api.render(pack, inversion, {})
    after = api.render(pack, inversion, **edits, as_needed=arguments.as_needed)
    _save(out, api.export(pack, inversion, after, picture, paste_back=arguments.paste_back, blend=arguments.blend))
    for reading in api.report(pack, inversion, after):
        mark = "  <- changed" if reading.changed else ""
        print(f"{reading.id:<20} {reading.before:.2f} -> {reading.after:.2f}{mark}")
    classes = api.report_classes(pack, inversion, after)
    for row in sorted(classes, key=lambda row: -row.after)[:_CLASSES_PRINTED]:
        print(f"class {row.id:<14} {row.before:.2f} -> {row.after:.2f}")
    if after.identity_similarity is not None:
        print(f"identity similarity {after.identity_similarity:.3f}")
    warnings = [*(picture.notes if picture else ()), *inversion.warnings]
    for warning in warnings:
        print(f"warning: {warning}")
    print(f"written to {out}")
    return {
        "out": str(out),
        "before": dict(before.attributes),
        "after": dict(after.attributes),
        "identity_similarity": after.identity_similarity,
        "seconds": time.perf_counter() - started,
        "alphas": dict(after.state.alphas),
        "family": arguments.family,
        "as_needed": after.state.as_needed,
        "steps": [asdict(step) for step in after.state.steps],
        "object": after.state.object_edit.canonical(),
        "classes_before": {row.id: row.before for row in classes},
        "classes_after": {row.id: row.after for row in classes},
        "mse": inversion.mse,
        **search_facts(inversion),
        "warnings": warnings,
    }


def _source_and_assignments(arguments: argparse.Namespace) -> tuple[str, list[tuple[str, float, str | None]]]:
    """SOURCE, and of every --set the attribute, the strength and the text of its layers (None: none given)."""
    source, words = arguments.source, list(arguments.assignments)
    if source is None:
        others = [word for word in words if "=" not in word]
        if len(others) != 1:
            raise OptionError("name the SOURCE to edit: a picture file or an inversion.safetensors.")
        source = others[0]
        words.remove(source)
    assignments: list[tuple[str, float, str | None]] = []
    for word in words:
        name, _, text = word.partition("=")
        number, at, layers = text.partition("@")
        try:
            alpha = float(number)
        except ValueError:
            raise OptionError(f"--set {word}: expected ATTRIBUTE=NUMBER, like Eyeglasses=1.0.") from None
        if any((name, layers if at else None) == (other, there) for other, _, there in assignments):
            raise OptionError(f"--set {word}: {name} is set twice.")
        assignments.append((name, alpha, layers if at else None))
    return source, assignments


def _edits(
    assignments: Sequence[tuple[str, float, str | None]], layers: tuple[int, int] | None, count: int, *, in_order: bool
) -> dict[str, Any]:
    """What `api.render` takes: all strengths together, or steps where an order or layers of their own are asked for.

    layers: those of --layers, for steps without their own; count: how many the pack has.
    """
    if not in_order and all(own is None for _, _, own in assignments):
        return {"alphas": {name: alpha for name, alpha, _ in assignments}, "layers": layers}
    steps = [
        api.EditStep(name, alpha, layers if own is None else _layers(own, count, f"--set {name}={alpha:g}@{own}"))
        for name, alpha, own in assignments
    ]
    return {"alphas": {}, "steps": steps}


def _object_edit(arguments: argparse.Namespace) -> api.ObjectEdit:
    """What --class, --shift, --zoom and --truncation ask for."""
    class_id, alpha = arguments.object_class or (None, 1.0)
    return api.ObjectEdit(class_id, alpha, arguments.shift, arguments.zoom, arguments.truncation)


def _from_inversion(pack: api.Pack, source: str, arguments: argparse.Namespace) -> tuple[api.Inversion, api.Picture | None]:
    for option in ("method", "face", *SEARCH_OPTIONS):
        if getattr(arguments, option) is not None:
            flag = "no-encoder-start" if option == "encoder_start" else option.replace("_", "-")
            raise OptionError(f"--{flag} is for a SOURCE that is a picture; {source} is an inversion already.")
    if arguments.paste_back and not arguments.picture:
        raise OptionError("--paste-back needs the photo that the inversion was made from: add --picture IMAGE.")
    return api.load_inversion(source, pack), api.read_image(arguments.picture) if arguments.picture else None


def _layers(text: str | None, count: int, option: str | None = None) -> tuple[int, int] | None:
    """``A-B`` (or ``A``), both included, as (first, end); `option` as errors name it, by default --layers."""
    if text is None:
        return None
    option = option or f"--layers {text}"
    first, dash, last = text.partition("-")
    try:
        layers = int(first), int(last if dash else first) + 1
    except ValueError:
        raise OptionError(f"{option}: expected two layer numbers, like 0-5.") from None
    if not 0 <= layers[0] < layers[1] <= count:
        raise OptionError(f"{option}: this pack has layers 0 to {count - 1}, and the first must not be above the last.")
    return layers


def _save(out: Path, pixels: np.ndarray) -> None:
    if out.suffix.lower() in _JPEG:
        with replacing(out) as temporary:
            temporary.write_bytes(encode_jpeg(pixels))
    else:
        save_png(out, pixels)
