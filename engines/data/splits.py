"""Which portrait is picture i of which split: a table of seeds, disjoint for ever."""

from __future__ import annotations

from collections.abc import Callable

from engines.core.errors import OptionError
from engines.data.faces.portrait import Portrait
from engines.data.faces.sampling import reshoot, sample
from engines.data.faces.unseen import UNSEEN_KINDS, sample_unseen

__all__ = ["SET_NAMES", "SPLITS", "check_names", "exported_portrait", "portrait_of"]

_TRAIN_SEED, _VALIDATION_SEED, _TEST_SEED, _OOD_SEED, _RESHOOT_SEED, _EXPORT_SEED = 1, 2, 3, 4, 5, 6
_OOD_SPLIT_SEEDS = {"train": 41, "validation": 42, "test": _OOD_SEED, "reshoots": 43}
"""Pictures out of distribution are for testing; the other splits exist so that every name has all of them."""

SET_NAMES = ("faces", "faces-ood")
SPLITS = ("train", "validation", "test", "reshoots")


def portrait_of(name: str, split: str, index: int) -> Portrait:
    """Picture `index` of a set; in the split "reshoots" the person of training picture `index` on another day."""
    check_names(name, split)
    return _MAKERS[name](split, index)


def exported_portrait(name: str, seed: int, index: int) -> Portrait:
    """Picture `index` of an export, never one of a set: the seed path is longer."""
    check_names(name, "train")
    path = [_EXPORT_SEED, seed, index]
    return sample_unseen(_kind(index), path) if name == "faces-ood" else sample(path)


def check_names(name: str, split: str) -> None:
    if name not in SET_NAMES:
        raise OptionError(f"There is no rendered set {name!r}; choose one of {', '.join(SET_NAMES)}.")
    if split not in SPLITS:
        raise OptionError(f"There is no split {split!r}; choose one of {', '.join(SPLITS)}.")


def _face(split: str, index: int) -> Portrait:
    if split == "reshoots":
        return reshoot(sample([_TRAIN_SEED, index]), [_RESHOOT_SEED, index])
    seed = {"train": _TRAIN_SEED, "validation": _VALIDATION_SEED, "test": _TEST_SEED}[split]
    return sample([seed, index])


def _face_out_of_distribution(split: str, index: int) -> Portrait:
    if split == "reshoots":
        first = sample_unseen(_kind(index), [_OOD_SPLIT_SEEDS["train"], index])
        return reshoot(first, [_OOD_SPLIT_SEEDS["reshoots"], index])
    return sample_unseen(_kind(index), [_OOD_SPLIT_SEEDS[split], index])


def _kind(index: int) -> str:
    return UNSEEN_KINDS[index % len(UNSEEN_KINDS)]


_MAKERS: dict[str, Callable[[str, int], Portrait]] = {"faces": _face, "faces-ood": _face_out_of_distribution}
"""One row per rendered set."""
