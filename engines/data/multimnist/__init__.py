"""Pictures of one to four handwritten digits that do not overlap (after Sun 2019, Multi-digit MNIST), with exact counts.

>>> from engines.data import multimnist
>>> picture = multimnist.sample("train", 1, [7])
>>> multimnist.labels(picture)["Digits_1"]
True
>>> more = multimnist.counterfactual(picture, "Digits_2", True)       # the same picture with one digit more
"""

from __future__ import annotations

from engines.data.multimnist.counting import ATTRIBUTES, counterfactual, labels
from engines.data.multimnist.picture import MOST_DIGITS, DigitPicture, Place
from engines.data.multimnist.render import render
from engines.data.multimnist.sampling import sample

__all__ = ["ATTRIBUTES", "MOST_DIGITS", "DigitPicture", "Place", "counterfactual", "labels", "render", "sample"]
