"""``train interfacegan``: one direction an attribute, the normal of a linear classifier of codes (Shen et al. 2020).

A linear support vector machine separates the codes with the attribute from those without; its unit normal n_k is the edit
direction. Conditional manipulation takes out what would change other attributes: n_k less its projection on the span of
their normals.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from engines.core.arguments import bounded_float, bounded_int, count_or_names
from engines.core.errors import MissingExtraError, OptionError
from engines.core.rng import numpy_generator
from engines.editing.shared_maps import SharedMaps
from engines.packs.registry import open_pack
from engines.training.family_run import Material, add_family_arguments, labelled_attributes, run_family
from engines.training.sample_weights import implied_changes, weight_attributes

__all__ = ["HELP", "InterFaceGanFit", "add_arguments", "hyperplane_normal", "projected_out", "run"]

HELP = "edit family InterFaceGAN: normals of linear classifiers of the codes"

_ITERATIONS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_family_arguments(parser, steps=_ITERATIONS)
    add = parser.add_argument
    condition = "keep the N most confounded attributes by projection, or these, 0: none (default 4)"
    add("--condition", type=count_or_names, default=4, metavar="N|A,B", help=condition)
    add(
        "--cost",
        type=bounded_float(0, above=True),
        default=1e-2,
        metavar="C",
        help="the classifier's cost of an error (default 0.01)",
    )
    add(
        "--codes",
        type=bounded_int(2),
        default=6000,
        metavar="N",
        help="most codes for a classifier, of each side half (default 6000)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fits one classifier an attribute; writes the family InterFaceGAN."""
    # Here already, and not after hours of rendering and encoding.
    _check_names(arguments.condition, labelled_attributes(open_pack(arguments.pack)))
    options = {"condition": arguments.condition, "cost": arguments.cost, "codes": arguments.codes}
    iterations = arguments.steps or _ITERATIONS

    def fit(material: Material) -> InterFaceGanFit:
        return InterFaceGanFit(material, arguments.condition, cost=arguments.cost, codes=arguments.codes, iterations=iterations)

    return run_family(arguments, "InterFaceGAN", options, fit)


class InterFaceGanFit:
    """The normals of all attributes, each computed once, and their projections."""

    most = 8.0

    def __init__(
        self, material: Material, condition: int | Sequence[str], *, cost: float, codes: int, iterations: int = _ITERATIONS
    ) -> None:
        self._material, self._condition = material, condition
        train = material.train
        _check_names(condition, train.attributes)
        self._flat = train.codes.flatten(1).numpy()
        # One number for all coordinates, as the latent classifier has it: the small ones are noise that must not be blown up.
        self._mean, self._deviation = self._flat.mean(0), float(self._flat.std(0).mean())

        @cache
        def normal(k: int) -> np.ndarray:
            chosen = _both_sides(train.labels[:, k], codes, train.attributes[k], material.seed)
            standard = (self._flat[chosen] - self._mean) / self._deviation
            return hyperplane_normal(standard, train.labels[chosen, k], cost=cost, iterations=iterations, seed=material.seed)

        self._normal = normal

    def start(self) -> SharedMaps:
        return SharedMaps(self._material.attributes, *self._material.train.codes.shape[1:])

    def fit(
        self, family: SharedMaps, attribute: str, deadline: float | None, report: Callable[[int, float], None]
    ) -> dict[str, Any]:
        """The unit of strength is the distance of the class means along the direction."""
        train = self._material.train
        k = train.attributes.index(attribute)
        conditions = self._conditions(k)
        direction = projected_out(self._normal(k), np.array([self._normal(other) for other in conditions]))
        has = train.labels[:, k]
        along = self._flat @ direction
        gap = float(along[has].mean() - along[~has].mean())
        step = torch.from_numpy(direction * gap).float().view(family.layers, family.dim)
        family.bias.data[family.attributes.index(attribute)] = step
        return {"separation": gap / self._deviation, "conditions": [train.attributes[other] for other in conditions]}

    def _conditions(self, k: int) -> list[int]:
        """Columns of the attributes that the edit of column k keeps; what it implies either way is left out."""
        train = self._material.train
        if isinstance(self._condition, int):
            return [int(c) for c in weight_attributes(train.labels, k, "add", self._condition)]
        implied = implied_changes(train.labels, k, "add") | implied_changes(train.labels, k, "remove")
        columns = [train.attributes.index(name) for name in self._condition]
        return [c for c in columns if c != k and not implied[c]]


def _check_names(condition: int | Sequence[str], known: Sequence[str]) -> None:
    if not isinstance(condition, int) and (unknown := sorted(set(condition) - set(known))):
        raise OptionError(f"--condition {','.join(unknown)}: known are {', '.join(known)}.")


def hyperplane_normal(codes: np.ndarray, labels: np.ndarray, *, cost: float, iterations: int, seed: int) -> np.ndarray:
    """Unit normal [d] of a linear support vector machine between codes [n, d] of both classes, towards `labels` true.

    Raises MissingExtraError without scikit-learn.
    """
    try:
        from sklearn.svm import LinearSVC
    except ImportError as error:
        raise MissingExtraError("Linear classifiers need scikit-learn: pip install -r requirements-train.txt") from error
    machine = LinearSVC(
        C=cost, class_weight="balanced", dual=len(codes) < codes.shape[1], max_iter=iterations, random_state=seed
    )
    normal = machine.fit(codes, labels).coef_[0]
    return normal / np.linalg.norm(normal)


def projected_out(normal: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """The unit vector of ``n - P n``, with P the orthogonal projection on the span of the rows of `conditions` [m, d].

    Raises OptionError where nothing is left: the attribute is a combination of the conditions.
    """
    if not len(conditions):
        return normal / np.linalg.norm(normal)
    share = np.linalg.lstsq(conditions.T, normal, rcond=None)[0]
    left = normal - conditions.T @ share
    length = np.linalg.norm(left)
    if length < 1e-6 * np.linalg.norm(normal):
        raise OptionError(
            "A direction lies in the span of its conditions, so nothing is left of it; name fewer with --condition."
        )
    return left / length


def _both_sides(has: np.ndarray, most: int, attribute: str, seed: int) -> np.ndarray:
    """Indices of up to `most` codes, half of them with the attribute where there are so many, in rising order."""
    if has.all() or not has.any():
        which = "has" if has.all() else "lacks"
        raise OptionError(f"Every picture {which} {attribute}; it cannot be learned from these.")
    draw = numpy_generator(seed, 61)
    sides = [draw.permutation(np.flatnonzero(side)) for side in (has, ~has)]
    return np.sort(np.concatenate([side[: most // 2] for side in sides]))
