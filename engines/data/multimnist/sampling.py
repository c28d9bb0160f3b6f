"""Drawing pictures of digits: which digits, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.core.rng import numpy_generator
from engines.data.multimnist.digits import CLASSES, digits
from engines.data.multimnist.picture import CANVAS_PX, MOST_DIGITS, DigitPicture, Place

__all__ = ["GAP_PX", "MARGIN_PX", "sample"]

GAP_PX = 2
"""Between the boxes around two digits' ink, at least."""
MARGIN_PX = 2
"""Between ink and border, at least."""
_TRIES = 40


def sample(split: str, number: int, seed: Sequence[int]) -> DigitPicture:
    """A picture of `number` digits that belong to a split of DIGIT_SPLITS.

    Where the digits lie does not depend on how many are shown: four are placed, then `number` of them, in random order.
    """
    rng = numpy_generator(*seed)
    known = digits()
    sources = [int(rng.choice(known.of(split, int(rng.integers(CLASSES))))) for _ in range(MOST_DIGITS)]
    places = None
    while places is None:
        places = _placed(sources, rng)
    order = rng.permutation(MOST_DIGITS)
    return DigitPicture(number, tuple(places[i] for i in order))


def _placed(sources: Sequence[int], rng: np.random.Generator) -> list[Place] | None:
    """Places without overlap, one after the other; None where one finds none in a number of tries."""
    known = digits()
    places: list[Place] = []
    for source in sources:
        height, width = known.ink[source].shape
        for _ in range(_TRIES):
            x, y = (int(rng.integers(MARGIN_PX, CANVAS_PX - MARGIN_PX - side + 1)) for side in (width, height))
            place = Place(source, int(known.labels[source]), x, y, width, height)
            if all(_apart(place, other) for other in places):
                places.append(place)
                break
        else:
            return None
    return places


def _apart(a: Place, b: Place) -> bool:
    beside = a.x + a.width + GAP_PX <= b.x or b.x + b.width + GAP_PX <= a.x
    return beside or a.y + a.height + GAP_PX <= b.y or b.y + b.height + GAP_PX <= a.y
