"""What an attribute adds to a code while the other attributes are held: the start of every edit map.

The difference of two class means also holds whatever else differs between the classes. Least squares of codes on all labels
at once is the same difference with the other labels held fixed; it is what weighting by all their combinations would give,
did every combination occur.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engines.training.sample_weights import implied_changes

__all__ = ["label_effect"]


def label_effect(codes: Tensor, labels: np.ndarray, k: int, direction: str, *, ridge: float = 10.0) -> Tensor:
    """The change [L, D] of codes [N, L, D] that goes with adding or removing attribute `k`.

    labels: bool [N, K]. Attributes whose change the edit implies are left out: they are to move along.
    ridge: samples' worth of doubt, which keeps rare attributes from being explained by a few codes.
    """
    keep = ~implied_changes(labels, k, direction)
    keep[k] = True
    columns = np.flatnonzero(keep)
    x = torch.from_numpy(labels[:, columns].astype(np.float64))
    x = x - x.mean(0)
    y = codes.flatten(1)
    moments = (x.float().T @ (y - y.mean(0))).double()  # [K', L*D]
    effects = torch.linalg.solve(x.T @ x + ridge * torch.eye(len(columns), dtype=torch.float64), moments)
    effect = effects[int(np.flatnonzero(columns == k)[0])].view(codes.shape[1:]).float()
    return effect if direction == "add" else -effect
