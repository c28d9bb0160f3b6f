"""The sets ``faces`` and ``faces-ood``: which portrait is picture i of which split, a table of seeds, disjoint for ever."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from engines.data.dataset import DataSet, Factor
from engines.data.faces.attributes import ATTRIBUTES, attributes
from engines.data.faces.counterfactual import counterfactual
from engines.data.faces.portrait import Portrait
from engines.data.faces.render import LARGEST_PX, SMALLEST_PX, render
from engines.data.faces.sampling import reshoot, sample
from engines.data.faces.unseen import UNSEEN_KINDS, sample_unseen

__all__ = ["FACES", "FACES_OOD"]

_TRAIN_SEED, _VALIDATION_SEED, _TEST_SEED, _OOD_SEED, _RESHOOT_SEED, _EXPORT_SEED = 1, 2, 3, 4, 5, 6
_SPLIT_SEEDS = {"train": _TRAIN_SEED, "validation": _VALIDATION_SEED, "test": _TEST_SEED}
_OOD_SPLIT_SEEDS = {"train": 41, "validation": 42, "test": _OOD_SEED, "reshoots": 43}
"""Pictures out of distribution are for testing; the other splits exist so that both sets have all of them."""

# Age, pose and light teach more than whether they are below a bound.
_FACTORS = (
    "gender", "age", "weight", "smile", "teeth_smile", "mouth_open", "eyes_closed", "squint", "brow_up", "frown", "sad",
    "melanin", "redness", "undereye", "makeup", "wrinkles", "brow_thick", "brow_dark", "length", "volume", "recede",
    "beard_len", "glasses_size", "yaw", "pitch", "roll", "zoom", "light_az", "light_el", "light_int", "warm", "ambient",
    "fill", "exposure", "contrast",
)  # fmt: skip
_SIDED_FACTORS = ("yaw", "roll", "light_az")


def _face(split: str, index: int) -> Portrait:
    if split == "reshoots":
        return reshoot(sample([_TRAIN_SEED, index]), [_RESHOOT_SEED, index])
    return sample([_SPLIT_SEEDS[split], index])


def _exported_face(seed: int, index: int) -> Portrait:
    """Never one of a set: the seed path is longer."""
    return sample([_EXPORT_SEED, seed, index])


def _face_out_of_distribution(split: str, index: int) -> Portrait:
    if split == "reshoots":
        first = sample_unseen(_kind(index), [_OOD_SPLIT_SEEDS["train"], index])
        return reshoot(first, [_OOD_SPLIT_SEEDS["reshoots"], index])
    return sample_unseen(_kind(index), [_OOD_SPLIT_SEEDS[split], index])


def _exported_out_of_distribution(seed: int, index: int) -> Portrait:
    return sample_unseen(_kind(index), [_EXPORT_SEED, seed, index])


def _kind(index: int) -> str:
    return UNSEEN_KINDS[index % len(UNSEEN_KINDS)]


FACES = DataSet(
    name="faces",
    size_px=128,
    sizes_px=(SMALLEST_PX, LARGEST_PX),
    renderer=1,
    licence="CC0-1.0 geometry (MakeHuman/MPFB2 head, Face Units by Mika Suominen); pictures rendered by this project",
    splits=("train", "validation", "test", "reshoots"),
    attributes=ATTRIBUTES,
    factors=tuple(Factor(name, attrgetter(name), name not in _SIDED_FACTORS) for name in _FACTORS),
    may_mirror=True,
    record=_face,
    exported=_exported_face,
    read=Portrait.from_json,
    render=render,
    labels=attributes,
    counterfactual=counterfactual,
)
"""Row i of "reshoots" shows the person of training row i on another day."""

FACES_OOD = replace(FACES, name="faces-ood", record=_face_out_of_distribution, exported=_exported_out_of_distribution)
"""What training never shows: hats, scarves, dyed hair, strong poses, hard light."""
