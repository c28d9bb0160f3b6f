"""One projection of one picture whose object's place is known: how near the result comes.

A run is measured in the picture, not in the generator's frame: the rounded picture that the generator made goes back through
the inverse transform, is cut to the range of pictures, and is compared with the original inside the object's true rectangle;
what it does not cover counts as mid grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from engines.core.progress import CancelToken
from engines.evaluation.revisions import revised
from engines.evaluation.ways import result_of
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.options import InversionOptions, Space, TransformSearch
from engines.inversion.project import SEARCHES, Beginning, begin, run
from engines.inversion.result import Inversion
from engines.inversion.transforms import Transform, transform_images
from engines.losses.lpips_distance import perceptual_for
from engines.losses.masked import masked_distance, masked_l1, masked_mse, rectangle_mask
from engines.packs.load import Pack
from engines.predictors.boxes import box_overlap

__all__ = ["Beginnings", "Case", "Outcome", "Run", "Subject", "measured_outcome", "outcome_of", "put_back"]


_FOLLOWING_GRADIENTS = ("adam", "lbfgs")


@dataclass(frozen=True)
class Case:
    """A way of projecting: a row of the table."""

    method: str
    transform: TransformSearch
    encoder: bool
    """Whether the latent starts at the encoder's codes."""
    class_search: bool = True
    outside_weight: float = 0.3

    @property
    def draws(self) -> bool:
        """Whether the seed has a say: gradients from the encoder's code, with no transform to search, always end alike."""
        return self.method not in _FOLLOWING_GRADIENTS or self.transform != "none" or not self.encoder

    @property
    def key(self) -> str:
        """A name that no other case has, fit for files."""
        start = "encoder" if self.encoder else "mean"
        return f"{self.method}-{self.transform}-{start}-{'class' if self.class_search else 'fixed'}-{self.outside_weight:g}"


class Run(NamedTuple):
    """A case on one of the pictures with one seed."""

    picture: int
    seed: int
    case: Case

    @classmethod
    def of(cls, picture: int, case: Case, seed: int, first_seed: int) -> Run:
        """That of a seed; where seeds have no say, the one run of the first seed counts for all."""
        return cls(picture, seed if case.draws else first_seed, case)

    @property
    def name(self) -> str:
        """What its result is kept as."""
        return revised(f"{self.picture:04d}-{self.seed}-{self.case.key}", self.case.method)


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture and what is known about it."""

    crop: np.ndarray
    """uint8 [R, R, 3]."""
    box: tuple[float, float, float, float]
    """The object's true rectangle in pixels."""
    found: tuple[float, float, float, float]
    """The one that the pack's detector finds: what the search gets for a mask."""
    class_id: str
    """The true one."""


@dataclass(frozen=True)
class Outcome:
    """Figures of one run; distances are inside the true rectangle."""

    l1: float
    """Mean absolute difference in [-1, 1]."""
    l2: float
    """Mean squared difference in [-1, 1]."""
    perceptual: float
    box_iou: float
    """Of the object's rectangle in the generator's picture, brought back by the inverse transform, with the true one."""
    class_right: float
    """1 where the search began with the true class, else 0."""
    evaluations: int
    seconds: float


class Beginnings:
    """The beginning that several methods have in common, for the cases of a table that come one after the other: the last one.

    A search of the transform is nearly half of a run; its seconds count for each of the methods.
    """

    def __init__(self) -> None:
        self._of: tuple[Pack, Subject, InversionOptions] | None = None
        self._last: Beginning | None = None

    def of(self, pack: Pack, subject: Subject, options: InversionOptions) -> Beginning:
        """That of the options on the picture, as :func:`begin` makes it."""
        if self._last is None or (pack, subject, options) != self._of:
            self._of, self._last = (pack, subject, options), begin(pack, subject.crop, options)
        return self._last.again()


def outcome_of(
    pack: Pack,
    subject: Subject,
    case: Case,
    *,
    seed: int,
    evaluations: int | None,
    space: Space,
    steps: int | None = None,
    beginnings: Beginnings | None = None,
) -> tuple[Outcome, np.ndarray]:
    """One run, and the picture uint8 [R, R, 3] that it puts back.

    evaluations, steps: of :class:`InversionOptions`. beginnings: where this run's may be, and is kept for the next run.
    """
    options = InversionOptions(
        evaluations=evaluations,
        steps=steps,
        seed=seed,
        space=space,
        encoder_start=case.encoder,
        class_search=case.class_search,
        transform=case.transform,
        mask=subject.found,
        outside_weight=case.outside_weight,
    )
    method = next(method for method in SEARCHES if method.id == case.method)
    beginning = (beginnings or Beginnings()).of(pack, subject, options)
    records = run(pack, subject.crop, options, CancelToken(), method=method, beginning=beginning)
    return measured_outcome(pack, subject, result_of(records))


def measured_outcome(pack: Pack, subject: Subject, inversion: Inversion) -> tuple[Outcome, np.ndarray]:
    """The figures of a result, and the picture uint8 [R, R, 3] that it puts back."""
    picture, side = put_back(inversion), subject.crop.shape[0]
    perceptual, _ = perceptual_for(pack)
    with torch.inference_mode():
        image, target = (to_tensor(pixels).to(pack.device) for pixels in (picture, subject.crop))
        mask = rectangle_mask(subject.box, side, outside=0.0).to(pack.device)
        distances = (
            masked_l1(image, target, mask),
            masked_mse(image, target, mask),
            masked_distance(perceptual, image, perceptual.features(target), mask),
        )
        painted = pack.box_detector(to_tensor(inversion.reconstruction).to(pack.device))[0].double().cpu().numpy()
    there = _in_picture(painted, _transform_of(inversion))
    overlap, _ = box_overlap(torch.from_numpy(there)[None], torch.tensor([subject.box], dtype=torch.float64) / side)
    figures = [float(value) for value in (*distances, overlap)]
    right = float(inversion.settings.get("class") == subject.class_id)
    return Outcome(*figures, right, inversion.evaluations, inversion.seconds), picture


def put_back(inversion: Inversion) -> np.ndarray:
    """T^-1 of the generator's rounded picture, uint8 [R, R, 3]; mid grey where it does not reach."""
    back = [_transform_of(inversion).inverse()]
    return to_uint8(transform_images(to_tensor(inversion.reconstruction), back, beyond="grey"))[0]


def _transform_of(inversion: Inversion) -> Transform:
    return Transform() if inversion.transform is None else Transform.from_json(inversion.transform)


def _in_picture(box: np.ndarray, transform: Transform) -> np.ndarray:
    """A rectangle [4] of the generator's frame in the picture, both in shares of a side: p lies at S p + t."""
    scale, shift = np.tile(transform.scale, 2), np.tile(transform.shift, 2)
    return (scale * (2 * box - 1) + shift + 1) / 2
