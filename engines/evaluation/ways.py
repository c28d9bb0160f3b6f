"""Ways of inverting that reports compare: a method as it is, or one that is told what it else chooses itself.

Written ``adam``; ``adam:w`` is adam searching w, and ``clone:none`` clone without a global loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import numpy as np

from engines.core.errors import OptionError
from engines.core.progress import CancelToken
from engines.evaluation.picture_sets import chosen_names
from engines.inversion.options import GlobalLoss, InversionOptions
from engines.inversion.project import SEARCHES
from engines.inversion.result import Inversion, InversionProgress
from engines.packs.load import Pack
from engines.tuning.methods import METHODS

__all__ = ["chosen_ways", "inverted", "result_of", "ways_of"]


def ways_of(pack: Pack) -> list[str]:
    """All ways that a pack offers, those of a method after the method."""
    ways = []
    for method in pack.manifest.methods:
        ways += [method, *(f"{method}:{variant}" for variant in _variants(method, pack)[1])]
    return ways


def chosen_ways(names: str, pack: Pack) -> list[str]:
    """The ways of a list with commas. Raises OptionError, listing what there is, for one that the pack does not offer."""
    offered = ways_of(pack)
    if any(name.strip() and name.strip() not in offered for name in names.split(",")):
        raise OptionError(f"--methods {names}: pack {pack.id} offers {', '.join(offered)}.")
    return chosen_names("methods", names, offered)


def inverted(
    pack: Pack,
    crop: np.ndarray,
    way: str,
    *,
    seed: int,
    seconds: float | None = None,
    steps: int | None = None,
    evaluations: int | None = None,
    encoder_start: bool = True,
) -> Inversion:
    """The result of one inversion of an aligned picture uint8 [R, R, 3]; see :class:`InversionOptions`."""
    method, _, variant = way.partition(":")
    told = {_variants(method, pack)[0]: variant} if variant else {}
    options = InversionOptions(
        seconds=seconds, steps=steps, evaluations=evaluations, seed=seed, encoder_start=encoder_start, **told
    )
    return result_of(METHODS[method](pack, np.array(crop), options, CancelToken()))


def result_of(records: Iterable[InversionProgress]) -> Inversion:
    """What a run comes to, by its records."""
    result = None
    for record in records:
        result = record.result or result
    if result is None:
        raise RuntimeError("an inversion ended without a result")
    return result


def _variants(method: str, pack: Pack) -> tuple[str, tuple[str, ...]]:
    """The option that a method can be told, and its values."""
    if method == "clone":
        return "global_loss", get_args(GlobalLoss)
    return "space", pack.manifest.latent.spaces if method in {search.id for search in SEARCHES} else ()
