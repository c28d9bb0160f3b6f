"""The rendered data sets that there are."""

from __future__ import annotations

from collections.abc import Iterable

from engines.core.errors import OptionError
from engines.data.creatures.dataset import CREATURES, CREATURES_OOD
from engines.data.dataset import DataSet
from engines.data.faces.dataset import FACES, FACES_OOD
from engines.data.multimnist.dataset import MULTIMNIST

__all__ = ["DATA_SETS", "check_split", "data_set", "set_with_attributes"]

DATA_SETS: dict[str, DataSet] = {row.name: row for row in (FACES, FACES_OOD, MULTIMNIST, CREATURES, CREATURES_OOD)}
"""Name -> set; a set comes before those that are harder pictures of the same kind."""


def data_set(name: str) -> DataSet:
    """The set of that name. Raises OptionError naming those there are."""
    if name not in DATA_SETS:
        raise OptionError(f"There is no rendered set {name!r}; choose one of {', '.join(DATA_SETS)}.")
    return DATA_SETS[name]


def set_with_attributes(attributes: Iterable[str]) -> DataSet:
    """The first set with labels for all of `attributes`. Raises OptionError where there is none."""
    wanted = set(attributes)
    for row in DATA_SETS.values():
        if wanted <= set(row.attributes):
            return row
    raise OptionError(f"No rendered set has labels for all of {', '.join(sorted(wanted))}; sets: {', '.join(DATA_SETS)}.")


def check_split(row: DataSet, split: str) -> None:
    """Raises OptionError, naming the set's splits, for another one."""
    if split not in row.splits:
        raise OptionError(f"There is no split {split!r} of {row.name}; choose one of {', '.join(row.splits)}.")
