"""The runs of ``evaluate editability``: the generator is tuned for one picture, and what it still does is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from engines.evaluation.judges import Judges
from engines.evaluation.metrics import squared_difference
from engines.evaluation.revisions import revised
from engines.evaluation.setting import Setting, Subjects
from engines.evaluation.tuned_edits import random_change, tallied
from engines.evaluation.ways import inverted
from engines.generators.weight_differences import tuned

__all__ = ["SHOWN_CODES", "Bench", "Outcome", "TunedRun", "strip_of"]

SHOWN_CODES = 6
"""Random codes whose pictures are kept."""
_PAIRS = 4  # pictures of the codes, and of an edit of them, by both generators


class TunedRun(NamedTuple):
    """One picture, tuned for in one way."""

    picture: int
    way: str

    @property
    def name(self) -> str:
        """What its result is kept as."""
        return revised(f"{self.picture:04d}-{self.way.replace(':', '-')}", self.way)


@dataclass(frozen=True)
class Outcome:
    """What came out, in JSON's types."""

    mse: float
    untuned_mse: float
    """Of the shared generator's picture of the same codes."""
    seconds: float
    on_tuned: list[list[float | None]]
    """:class:`engines.evaluation.tuned_edits.EditTally` of all edits."""
    on_shared: list[list[float | None]]
    random: dict[str, float]
    """Figures of :func:`random_change`."""


@dataclass(frozen=True, eq=False)
class Bench:
    """What every tuned generator is judged with."""

    setting: Setting
    judges: Judges
    subjects: Subjects
    attributes: Sequence[str]
    """K that are edited."""
    alpha: float
    budget: Mapping[str, float | None]
    codes: np.ndarray
    """float32 [n, L, D], random."""
    samples: np.ndarray
    """uint8 [n, R, R, 3]: the shared generator's pictures of them."""

    def wanted(self, picture: int) -> np.ndarray:
        """bool [K]: every edit turns what the portrait's exact label says into its opposite."""
        return ~self.subjects.labels[picture, [self.judges.attributes.index(name) for name in self.attributes]]

    def shown_edit(self, picture: int) -> int:
        """The edit that the sheet shows of a picture: each shows another."""
        return picture % len(self.attributes)

    def outcome(self, run: TunedRun) -> tuple[Outcome, np.ndarray]:
        """Tunes the generator for a picture, and judges it. With what :func:`strip_of` takes apart."""
        judges, wanted, pack = self.judges, self.wanted(run.picture), self.setting.pack
        crop = self.subjects.pictures[run.picture]
        inversion = inverted(pack, crop, run.way, seed=self.setting.provenance.seed, **self.budget)
        code, generator = inversion.w_plus, tuned(pack.generator, inversion.weight_differences)
        edited = _edited(judges, code, self.attributes, wanted, self.alpha)

        def paint_tuned(w_plus: np.ndarray) -> np.ndarray:
            return judges.pictures(w_plus, generator)

        pair = np.stack([code, edited[self.shown_edit(run.picture)]])
        shared_pair, tuned_pair = judges.pictures(pair), paint_tuned(pair)
        random_pictures = paint_tuned(self.codes)
        outcome = Outcome(
            inversion.mse,
            float(squared_difference(crop[None], shared_pair[:1])[0]),
            inversion.seconds,
            tallied(judges, paint_tuned, code, edited, self.attributes, wanted).to_json(),
            tallied(judges, judges.pictures, code, edited, self.attributes, wanted).to_json(),
            random_change(random_pictures, self.samples),
        )
        return outcome, np.concatenate([*shared_pair, *tuned_pair, *random_pictures[:SHOWN_CODES]], axis=1)


def strip_of(picture: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the picture [R, (4 + m) R, 3] of a run holds side by side, each uint8 [R, R, 3].

    The shared generator's picture of the codes and of one edit of them, and the tuned one's of both; then the tuned generator's
    of m random codes.
    """
    pictures = np.split(picture, picture.shape[1] // picture.shape[0], axis=1)
    return pictures[:_PAIRS], pictures[_PAIRS:]


@torch.no_grad()
def _edited(judges: Judges, code: np.ndarray, attributes: Sequence[str], wanted: np.ndarray, alpha: float) -> np.ndarray:
    """Codes float32 [K, L, D]: the code after an edit of each attribute, added where `wanted` and else removed."""
    w_plus = torch.from_numpy(code.copy())[None].to(judges.pack.device)
    strengths = np.where(wanted, alpha, -alpha).tolist()
    edits = [judges.pack.edit_maps.edit(w_plus, {name: a}) for name, a in zip(attributes, strengths, strict=True)]
    return torch.cat(edits).cpu().numpy()
