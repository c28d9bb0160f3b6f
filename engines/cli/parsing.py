"""The options that commands share."""

from __future__ import annotations

import argparse
import re
from typing import get_args

from engines.core.arguments import bounded_float, bounded_int, new_folder
from engines.inversion.options import GlobalLoss, PixelLoss, Space, TransformSearch
from engines.session.state import unknown_name

__all__ = [
    "add_inversion_options",
    "add_object_options",
    "add_pack_option",
    "add_shared_options",
    "chosen",
]


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """--json, --seed, --device, --data-dir: every command has them."""
    group = parser.add_argument_group("options of all commands")
    group.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout, all else on stderr")
    group.add_argument("--seed", type=bounded_int(0, 2**63 - 1), default=0, help="where all randomness starts (default 0)")
    group.add_argument("--device", type=_device, default="cpu", help="cpu (default), cuda, or auto: cuda where there is one")
    group.add_argument(
        "--data-dir",
        type=new_folder,
        metavar="DIR",
        help="folder of caches, runs and renders (default: LWE_DATA_DIR, or the user's data folder)",
    )


def add_pack_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pack", default="faces", metavar="P", help="the pack's id (default faces)")


def add_inversion_options(parser: argparse.ArgumentParser) -> None:
    """--method, --face, and what :class:`InversionOptions` holds; those not given are None."""
    parser.add_argument("--method", metavar="M", help="how the codes are found (default encoder-refine; packs lists them)")
    parser.add_argument("--seconds", type=bounded_float(0, above=True), help="time budget of a method that optimises")
    parser.add_argument(
        "--steps", type=bounded_int(1), help="step budget; without --seconds the clock has no say in the result"
    )
    parser.add_argument("--evaluations", type=bounded_int(1), metavar="N", help="budget of pictures that the generator makes")
    parser.add_argument("--space", choices=get_args(Space), help="where codes are searched (default: the method's choice)")
    parser.add_argument(
        "--no-encoder-start",
        dest="encoder_start",
        action="store_const",
        const=False,
        help="begin a search around the mean latent instead of at the encoder's codes",
    )
    parser.add_argument(
        "--no-class-search",
        dest="class_search",
        action="store_const",
        const=False,
        help="in z of a class-conditional pack: keep the class vector of the predicted class (default: search it too)",
    )
    parser.add_argument(
        "--transform",
        choices=get_args(TransformSearch),
        help="which transform of the picture is searched first: its place and size, its brightness, or both (default none)",
    )
    parser.add_argument(
        "--mask",
        type=_mask,
        metavar="X0,Y0,X1,Y1",
        help="the object's rectangle in pixels of the picture, or auto: the detected one (default: everything counts alike)",
    )
    parser.add_argument(
        "--outside-weight", type=bounded_float(0, 1), metavar="W", help="what pixels outside the mask count (default 0.3)"
    )
    parser.add_argument("--pixel-loss", choices=get_args(PixelLoss), help="what a search compares beside features (default l1)")
    parser.add_argument(
        "--global-loss",
        choices=get_args(GlobalLoss),
        help="what clone keeps the generator with elsewhere: its own pictures (frozen, default), the GAN's loss, both or none",
    )
    parser.add_argument(
        "--face",
        type=_face,
        metavar="WHICH",
        help="largest (default), 0, 1, ... from the largest on, or whole: the middle of the picture (the object, where the "
        "pack finds one)",
    )


def add_object_options(parser: argparse.ArgumentParser) -> None:
    """--class, --shift, --zoom and --truncation, which edit the object as a whole."""
    parser.add_argument(
        "--class",
        dest="object_class",
        type=_class_and_alpha,
        metavar="NAME[@ALPHA]",
        help="of a class-conditional pack: the class that the object becomes, from 0 (its own) to 1 (default: wholly)",
    )
    parser.add_argument(
        "--shift",
        type=_pair,
        default=(0.0, 0.0),
        metavar="DX,DY",
        help="move the object to the right and down, in shares of the picture's side",
    )
    parser.add_argument("--zoom", type=bounded_float(0, above=True), default=1.0, metavar="F", help="show it F times as large")
    parser.add_argument(
        "--truncation",
        type=bounded_float(0, 1),
        default=1.0,
        metavar="T",
        help="1 (default) leaves codes where they are, 0 takes them to the mean of their class; the order of edits is: "
        "truncation, class, attributes, then shift and zoom",
    )


def chosen(what: str, name: str, known: list[str]) -> str:
    """`name` if it is one of `known`. Raises OptionError that lists the close ones, or all."""
    if name not in known:
        raise unknown_name(what, name, known)
    return name


def _device(text: str) -> str:
    if not re.fullmatch(r"cpu|auto|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no device; use cpu, cuda or auto")
    return text


def _face(text: str) -> str | int:
    if text in ("largest", "whole"):
        return text
    try:
        return bounded_int(0)(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither largest, whole nor a number from 0 on") from None


def _class_and_alpha(text: str) -> tuple[str, float]:
    name, at, alpha = text.partition("@")
    try:
        return name, bounded_float(0, 1)(alpha) if at else 1.0
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: the strength {error}") from None


def _pair(text: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected two numbers with a comma, like 0.1,0") from None
    return first, second


def _mask(text: str) -> str | tuple[float, ...]:
    if text == "auto":
        return text
    try:
        sides = tuple(float(part) for part in text.split(","))
    except ValueError:
        sides = ()
    if len(sides) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor four numbers with commas, like 40,30,210,260")
    return sides
