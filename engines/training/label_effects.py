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

_BLOCK = 1024


def label_effect(codes: Tensor, labels: np.ndarray, k: int, direction: str, *, ridge: float = 10.0) -> Tensor:
    """The change [L, D], float32, of codes [N, L, D] that goes with adding or removing attribute `k`.

    labels: bool [N, K]. Attributes whose change the edit implies are left out: they are to move along.
    ridge: samples' worth of doubt, which keeps rare attributes from being explained by a few codes.
    """
    keep = ~implied_changes(labels, k, direction)
    keep[k] = True
    columns = np.flatnonzero(keep)
    x = torch.from_numpy(labels[:, columns].astype(np.float64))
    x = x - x.mean(0)
    # Block by block: a centred copy of all codes would be as large as they are, and centred labels need none.
    moments = torch.zeros(len(columns), codes[0].numel(), dtype=torch.float64)  # [K', L*D]
    for rows, part in zip(x.split(_BLOCK), codes.split(_BLOCK), strict=True):
        moments += rows.float().T @ part.flatten(1).float()
    effects = torch.linalg.solve(x.T @ x + ridge * torch.eye(len(columns), dtype=torch.float64), moments)
    effect = effects[int(np.flatnonzero(columns == k)[0])].view(codes.shape[1:]).float()
    return effect if direction == "add" else -effect
