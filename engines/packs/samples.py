"""Codes of a pack's samples: the same seed gives the same code in every command, batch and page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.core.rng import z_for_seeds
from engines.generators.labels import labels_for_seeds
from engines.packs.load import Pack

__all__ = ["decided_labels", "label_of", "sampled_codes", "truncated"]


def label_of(pack: Pack, classes: str | Mapping[str, float]) -> Tensor:
    """The label [C] of a class, or of a mixture of classes by weights, which are brought to the sum 1.

    Raises OptionError for a pack without classes, an unknown class, or weights that are not at least 0 with one above.
    """
    known = [row.id for row in pack.manifest.classes]
    if not known:
        raise OptionError(f"pack {pack.id} has no classes to choose from.")
    weights = {classes: 1.0} if isinstance(classes, str) else dict(classes)
    unknown = sorted(set(weights) - set(known))
    if unknown:
        raise OptionError(f"pack {pack.id} has no class {', '.join(map(repr, unknown))}; its classes are {', '.join(known)}.")
    label = torch.tensor([float(weights.get(name, 0.0)) for name in known])
    if not torch.isfinite(label).all() or (label < 0).any() or not label.sum() > 0:
        raise OptionError(f"classes {weights}: weights of at least 0 are needed, and one above 0.")
    return label / label.sum()


@torch.no_grad()
def sampled_codes(pack: Pack, seeds: Sequence[int], *, labels: Tensor | None = None, truncation: float = 1.0) -> Tensor:
    """W+ codes [N, L, D] of the samples of `seeds`, where the pack's weights are.

    labels: [N, C] of a class-conditional pack; None for the class that each seed has.
    truncation: see :func:`truncated`.
    """
    generator = pack.generator
    config = generator.config
    if labels is None:
        labels = labels_for_seeds(seeds, config.class_count)
    z, labels = z_for_seeds(list(seeds), config.z_dim).to(pack.device), labels.to(pack.device)
    return generator.broadcast(truncated(pack, generator.mapping(z, labels), labels, truncation))


@torch.no_grad()
def decided_labels(pack: Pack, n: int, *, seed: int) -> dict[str, np.ndarray]:
    """Label -> bool [n], which of the samples of seeds ``seed, seed + 1, ...`` their latents decided to have.

    Empty for a pack whose mapping network decides nothing.
    """
    config = pack.generator.config
    z = z_for_seeds(list(range(seed, seed + n)), config.z_dim).to(pack.device)
    decisions = pack.generator.mapping.entering(z)[:, config.z_dim - len(config.gates) :] > 0
    return dict(zip(config.gates, decisions.T.cpu().numpy(), strict=True))


def truncated(pack: Pack, w: Tensor, labels: Tensor, truncation: float) -> Tensor:
    """``centre + truncation (w - centre)`` of w [N, D]: 1 is the full distribution, 0 the mean picture.

    The centre is w_avg or, of a class-conditional pack, the mean w of the label's classes: towards the mean of all classes a
    picture would lose its own.
    """
    if not pack.manifest.classes:
        return pack.generator.truncate(w, truncation)
    return pack.generator.truncate(w, truncation, centre=labels @ pack.statistics["w_class_avg"])
