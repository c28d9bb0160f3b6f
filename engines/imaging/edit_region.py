"""An edit that stays in a part of the frame, so that all else of a photo stays as it is.

An edit of codes moves pixels everywhere by a little, of pictures unlike the training's by more: a beard grows, and the hair
changes too. Where an attribute shows the pack's region network tells (:mod:`engines.predictors.regions`).
"""

from __future__ import annotations

import numpy as np
import torch

from engines.imaging.smooth_step import smooth_step

__all__ = ["limited", "region_shares"]

# Probabilities of a change below and above which a place is outside and inside of a region: where an attribute may well be,
# glasses of any shape, is inside.
_OUTSIDE, _INSIDE = 0.15, 0.5


def region_shares(probabilities: np.ndarray) -> np.ndarray:
    """float32 of any shape: the share of an edit's change that places take whose content changes so probably with it."""
    return smooth_step(torch.from_numpy((probabilities.astype(np.float32) - _OUTSIDE) / (_INSIDE - _OUTSIDE))).numpy()


def limited(edited: np.ndarray, reconstruction: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """float32 [R, R, 3] in levels: reconstruction + mask (edited - reconstruction), mask [R, R]; None is 1 everywhere."""
    if mask is None:
        return edited.astype(np.float32)
    before = reconstruction.astype(np.float32)
    return before + mask[..., None] * (edited.astype(np.float32) - before)
