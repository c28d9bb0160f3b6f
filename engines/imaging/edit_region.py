"""Where in the frame an edit may show, so that all else of a photo stays as it is.

An edit of codes moves pixels everywhere by a little, of pictures unlike the training's by more: a beard grows, and the hair
changes too. Where an attribute shows is known from true counterfactuals, whose pictures differ nowhere else. A region is
written as g rows of g hexadecimal digits over the frame: the share, in 15ths, of an edit's change that belongs to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from engines.imaging.smooth_step import smooth_step

__all__ = ["limited", "region_mask", "region_rows"]

# Shares of the largest mean change of an attribute below and above which a place is outside and inside of its region.
_OUTSIDE, _INSIDE = 0.02, 0.3
_MOST = 15


def region_rows(change: np.ndarray) -> tuple[str, ...]:
    """The region of an attribute whose counterfactuals differ, on average, by `change` [g, g] >= 0, in any unit.

    Raises ValueError where nothing changes.
    """
    largest = float(change.max())
    if not largest > 0:
        raise ValueError("the counterfactuals differ nowhere")
    # What is true of a cell may begin in the one beside it for somebody else.
    reach = F.max_pool2d(torch.from_numpy(np.float32(change / largest))[None], 3, stride=1, padding=1)[0]
    shares = smooth_step((reach - _OUTSIDE) / (_INSIDE - _OUTSIDE))
    return tuple("".join(f"{digit:x}" for digit in row) for row in (_MOST * shares).round().int().tolist())


def region_mask(regions: Sequence[Sequence[str]], side: int) -> np.ndarray:
    """float32 [side, side] in [0, 1]: the share of a change that is kept where edits of these regions are made together."""
    grids = [torch.tensor([[int(digit, 16) for digit in row] for row in rows]) / _MOST for rows in regions]
    shares = [F.interpolate(g[None, None], size=side, mode="bilinear", align_corners=False)[0, 0] for g in grids]
    return torch.stack(shares).amax(dim=0).numpy()


def limited(edited: np.ndarray, reconstruction: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 [R, R, 3] in levels: reconstruction + mask (edited - reconstruction), mask [R, R]."""
    before = reconstruction.astype(np.float32)
    return before + mask[..., None] * (edited.astype(np.float32) - before)
