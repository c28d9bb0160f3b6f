"""The inversion of an aligned picture: what is checked before, who makes it, and what the result warns of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from engines.core.errors import InversionFileError, OptionError
from engines.core.progress import CancelToken
from engines.inversion.deciding_options import unused_options
from engines.inversion.measure import generator_hash
from engines.inversion.options import InversionOptions
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.inversion.result import Inversion, InversionProgress
from engines.packs.load import Pack
from engines.session.aligned import AlignedPicture, MaskChoice, mask_in_crop
from engines.session.state import unknown_name
from engines.tuning.kept import invert_once
from engines.tuning.methods import METHODS, TUNING_METHODS
from engines.tuning.store import tuned_store

__all__ = ["POOR", "check_belongs", "check_method", "inverted"]

POOR = "The reconstruction is poor"
"""How the warning begins that another method may help against."""
POOR_FACTOR = 3.0
"""A reconstruction is said to be poor when its error is so many times the median of the encoder on held-out pictures."""


def check_method(pack: Pack, method: str) -> None:
    """Raises OptionError, listing those there are, unless the pack can do the inversion method."""
    offered = pack.manifest.methods
    if method in METHOD_COMPONENTS and method not in offered:
        missing = ", ".join(kind for kind in METHOD_COMPONENTS[method] if not pack.has(kind))
        raise OptionError(f"method {method!r} needs what the pack {pack.id} lacks ({missing}); it can do {', '.join(offered)}.")
    if method not in offered:
        raise unknown_name("method", method, offered)


def check_belongs(pack: Pack, inversion: Inversion, name: str) -> None:
    """Raises InversionFileError for codes of another pack, or of other weights of it."""
    if inversion.pack_id != pack.id:
        raise InversionFileError(f"{name} belongs to the pack {inversion.pack_id}, not to {pack.id}: name that pack.")
    if inversion.pack_hash != generator_hash(pack):
        raise InversionFileError(f"{name} was made with other weights of the pack {pack.id}: make it again (invert).")


def inverted(
    pack: Pack, aligned: AlignedPicture, method: str, options: InversionOptions, mask: MaskChoice, cancel: CancelToken
) -> Iterator[InversionProgress]:
    """The method's records; the result also knows how the crop lies in its picture, and all warnings.

    Raises OptionError, by the call, for a mask that cannot be used.
    """
    options = dataclasses.replace(options, mask=mask_in_crop(aligned, mask))
    warnings = (*aligned.warnings, *_without_effect(aligned, method, options, mask))
    alignment = {**aligned.alignment.to_json(), "picture_px": list(aligned.picture_px)}

    def complete(result: Inversion) -> Inversion:
        said = (*warnings, *result.warnings, *_poor(pack, result))
        return dataclasses.replace(result, alignment=alignment, warnings=said)

    records = _records(pack, aligned.crop, method, options, cancel)
    return (r if r.result is None else dataclasses.replace(r, result=complete(r.result)) for r in records)


def _records(
    pack: Pack, crop: np.ndarray, method: str, options: InversionOptions, cancel: CancelToken
) -> Iterator[InversionProgress]:
    """What a method yields; those that tune the generator keep their results for the next visit."""
    if method in TUNING_METHODS:
        return invert_once(pack, crop, options, cancel, method=method, store=tuned_store())
    return METHODS[method](pack, crop, options, cancel)


def _without_effect(aligned: AlignedPicture, method: str, options: InversionOptions, mask: MaskChoice) -> tuple[str, ...]:
    """Warnings of what was asked for and changes nothing."""
    # What was detected is no wish of the user's.
    unused = [name for name in unused_options(method, options) if name != "mask" or mask != "auto"]
    warnings = (f"The method {method} has no use for {', '.join(unused)}; the result is the same without.",) if unused else ()
    if mask == "auto" and aligned.object_box is None:
        warnings = (*warnings, "mask=auto: nothing was found in the picture, so all of it counts the same.")
    return warnings


def _poor(pack: Pack, inversion: Inversion) -> tuple[str, ...]:
    """A warning when the error is far above what the encoder makes of held-out pictures, as its training measured it."""
    usual = pack.manifest.components["encoder"].provenance.metrics.get("held_out_mse_median")
    if usual is None or inversion.mse <= POOR_FACTOR * usual:
        return ()
    return (
        f"{POOR}: its error is {inversion.mse:.3f}, {inversion.mse / usual:.0f} times the {usual:.3f} "
        "of pictures like those the pack was trained on. Edits may not look like the original.",
    )
