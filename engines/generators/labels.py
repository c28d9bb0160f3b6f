"""Class vectors c~ of class-conditional networks: one-hot rows, and rows of no width for networks without classes.

A network without classes takes a row of no width as well, so that whoever draws latents need not know whether there are any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engines.core.rng import torch_generator

__all__ = ["class_groups", "labels_for_seeds", "one_hot", "random_labels", "within_classes"]


def one_hot(classes: Sequence[int] | np.ndarray | Tensor, class_count: int) -> Tensor:
    """Rows [N, class_count] float32 of class numbers [N]; without classes (count 0) the numbers are not looked at."""
    numbers = torch.as_tensor(classes)
    if not class_count:
        return torch.zeros(len(numbers), 0)
    return F.one_hot(numbers.long(), class_count).float()


def random_labels(count: int, class_count: int, draw: torch.Generator) -> Tensor:
    """Rows [count, class_count] of classes drawn evenly; nothing is drawn without classes."""
    if not class_count:
        return torch.zeros(count, 0)
    return one_hot(torch.randint(class_count, (count,), generator=draw), class_count)


def labels_for_seeds(seeds: Sequence[int], class_count: int) -> Tensor:
    """Rows [len(seeds), class_count], one generator a seed: the class that a seed's picture has when none is asked for."""
    if not class_count:
        return torch.zeros(len(seeds), 0)
    return torch.cat([random_labels(1, class_count, torch_generator(seed, 1)) for seed in seeds])


def class_groups(labels: Tensor) -> Tensor:
    """The labels [N, C], or one column of ones where there are no classes: everything is of one kind."""
    return labels if labels.shape[1] else labels.new_ones(len(labels), 1)


def within_classes(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """x [N, D] without its classes' means, and these means [C, D]: (x_i - mean of x over i's class, means).

    Without classes there is one mean. The mean of a class without rows is 0.
    """
    groups = class_groups(labels)
    means = (groups.T @ x) / groups.sum(0)[:, None].clamp_min(1)
    return x - groups @ means, means
