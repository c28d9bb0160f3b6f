"""Held-out codes on which edits are calibrated and shown, by the same rule for every family.

What strength 1 means depends on CHANGE and CERTAINTY, or on what a run was given instead of them: see
:mod:`engines.training.family_run`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.editing.family import DIRECTIONS, EditFamily
from engines.editing.painting import with_style_shifts
from engines.imaging.convert import to_uint8
from engines.imaging.grids import picture_grid
from engines.packs.load import Pack
from engines.training.calibration import Calibration, ImageResponse, answers, bar, calibrate
from engines.training.sample_weights import implied_changes

__all__ = ["CALIBRATION_SHARE", "CERTAINTY", "CHANGE", "Columns", "Joined", "Trial"]

CALIBRATION_SHARE = 0.35
"""Of the held-out codes so many are for calibration, the others for early stopping."""
CHANGE = 0.9
"""Share of codes that slider 1.0 has to change, where nothing else is asked for."""
CERTAINTY = 0.35
"""How sure the image predictor has to be of the typical edited picture: surer than of this share of unedited ones."""
_CALIBRATION_CODES = 48
_SHOWN = 6


class Columns:
    """A network's logits [N, K] in the order of `attributes`."""

    def __init__(self, network: Any, attributes: Sequence[str]) -> None:
        self._network = network
        self._order = [network.attributes.index(a) for a in attributes]

    def __call__(self, x: Tensor) -> Tensor:
        return self._network(x)[:, self._order]


class Joined:
    """Several networks of the same input as one, with the attributes of all: logits [N, K1 + K2 + ...]."""

    def __init__(self, *networks: Any) -> None:
        self._networks = networks
        self.attributes = tuple(attribute for network in networks for attribute in network.attributes)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.cat([network(x) for network in self._networks], 1)


class Trial:
    """What the image predictor says of held-out codes before and after an edit.

    codes: [n, L, D]; attributes: the columns of `labels` bool [N, K], the training labels, which tell what an edit implies;
    change, certainty: see :class:`engines.training.lw_recipe.Recipe`; predictor: from pictures to logits, by its `attributes`;
    None is the pack's. `before`: the logits [n, K] of the unedited codes.
    """

    def __init__(
        self,
        pack: Pack,
        codes: Tensor,
        attributes: Sequence[str],
        labels: np.ndarray,
        *,
        change: float,
        certainty: float,
        predictor: Any = None,
    ) -> None:
        self.codes, self.attributes = codes, tuple(attributes)
        self._labels, self._change, self._certainty = labels, change, certainty
        self._level_steps = pack.manifest.level_steps
        self._predict = Columns(predictor or pack.attribute_predictor, attributes)
        self._generator = pack.generator
        self._synthesis = pack.generator.synthesis
        self.before = answers(codes, self._synthesis, self._predict)

    def calibrate(self, family: EditFamily, attribute: str, direction: str, *, most: float = 4.0) -> Calibration:
        """Finds the strength, from a quarter of the family's own unit to `most` of them, and sets it as the family's scale."""
        place = family.attributes.index(attribute), DIRECTIONS.index(direction)
        family.scale[place] = 1.0
        k = self.attributes.index(attribute)
        chosen = self._to_change(attribute, direction)[:_CALIBRATION_CODES]
        others = ~implied_changes(self._labels, k, direction)
        others[k] = False
        reached, side = self._goal(attribute, direction)
        sign = 1.0 if direction == "add" else -1.0
        respond = ImageResponse(
            lambda strength: self._logits(self.codes[chosen], family, {attribute: sign * strength}),
            k=reached,
            others=others,
            before=self.before[chosen],
            bar=bar(self.before[:, reached], side, self._certainty),
        )
        calibration = calibrate(respond, target=self._change, most=most)
        family.scale[place] = calibration.scale
        return calibration

    def sheet(self, family: EditFamily, attribute: str) -> np.ndarray:
        """Rows of held-out reconstructions and their edits at strength 1: adding above, removing below; uint8 [H, W, 3]."""
        rows = []
        for direction, alpha in zip(DIRECTIONS, (1.0, -1.0), strict=True):
            codes = self.codes[self._to_change(attribute, direction)[:_SHOWN]]
            with torch.inference_mode():
                rows.append(list(to_uint8(self._synthesis(codes))))
                rows.append(list(to_uint8(self._painter(family, {attribute: alpha})(family.edit(codes, {attribute: alpha})))))
        return picture_grid(rows)

    def logits(self, codes: Tensor) -> np.ndarray:
        """What the image predictor says of the pictures of any codes, [n, K]."""
        return answers(codes, self._synthesis, self._predict)

    def _logits(self, codes: Tensor, family: EditFamily, alphas: Mapping[str, float]) -> np.ndarray:
        with torch.inference_mode():
            edited = family.edit(codes, alphas)
        return answers(edited, self._painter(family, alphas), self._predict)

    def _painter(self, family: EditFamily, alphas: Mapping[str, float]) -> Any:
        return with_style_shifts(self._generator, family.style_shifts(alphas)).synthesis

    def _goal(self, attribute: str, direction: str) -> tuple[int, str]:
        """Which answer the edit has to change, and to which side: a step down, of levels, has to give the lower one."""
        if direction == "remove" and attribute in self._level_steps:
            return self.attributes.index(self._level_steps[attribute]), "add"
        return self.attributes.index(attribute), direction

    def _to_change(self, attribute: str, direction: str) -> np.ndarray:
        """Held-out codes whose picture is predicted on the side that the edit leaves; any, should there be none.

        A step between two levels leaves the level at its other end, and no level beyond.
        """
        reached, side = self._goal(attribute, direction)
        leaves = (self.before[:, reached] > 0) == (side == "remove")
        if attribute in self._level_steps:
            left = attribute if direction == "remove" else self._level_steps[attribute]
            leaves &= self.before[:, self.attributes.index(left)] > 0
        found = np.flatnonzero(leaves)
        return found if len(found) else np.arange(len(self.before))
