"""Which part of a table is whole, when time ended before all runs were made."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from engines.core.errors import OptionError

__all__ = ["whole_runs"]


def whole_runs(
    places: Collection[tuple[int, int]], pictures: int, seeds: Sequence[int], fewer: str
) -> tuple[list[int], list[int]]:
    """Pictures and seeds of which every combination is there, as many runs as possible.

    places: (picture, seed) that are there for all that is compared. fewer: what to ask less of, for the message.
    Raises OptionError where no picture is there.
    """
    # Of the first k seeds all pictures that have them, for the best k; then all seeds that these pictures have.
    firsts = [[i for i in range(pictures) if all((i, s) in places for s in seeds[:k])] for k in range(1, len(seeds) + 1)]
    most = max(range(len(seeds)), key=lambda k: (k + 1) * len(firsts[k]))
    chosen = firsts[most]
    if not chosen:
        raise OptionError(f"No picture has all its runs yet: give more --minutes, or fewer {fewer}.")
    return chosen, [seed for seed in seeds if all((i, seed) in places for i in chosen)]
