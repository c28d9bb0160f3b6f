"""A map of an attribute that a pack does not know, from a user's codes: latent classifier, transport, calibrated strength.

The trainer of the pack's own maps on the user's codes. Beside the new attribute the codes have labels of the pack's attributes
(the user's own, or what the image predictor says), so that samples are weighted and attributes kept as for the pack's maps.
Statistics of codes are the pack's: a few dozen codes say little of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.core.progress import Progress, ProgressCallback
from engines.core.rng import numpy_generator
from engines.editing.edit_maps import EditMaps
from engines.editing.family import DIRECTIONS
from engines.packs.load import Pack
from engines.packs.user_edits import LEAST
from engines.predictors.code_reader import CodeReader
from engines.predictors.latent_classifier import LatentClassifier
from engines.training.classifier import fit_classifier
from engines.training.codes import CodeSet
from engines.training.family_run import Material, fit_family
from engines.training.lw_recipe import Recipe
from engines.training.runs import Run
from engines.training.sample_weights import implied_changes, sample_weights, weight_attributes
from engines.training.schedule import Schedule
from engines.training.statistics import latent_statistics
from engines.training.transport_fit import TransportFit
from engines.training.trial import Joined, Trial

__all__ = ["Examples", "TrainedEdit", "Training", "check_counts", "train_user_edit"]

_HELD_OUT_SHARE = 0.2
_LEAST_HELD_OUT = 2
_CALIBRATION_CODES = 48
"""Of each side."""
_LINEAR_BELOW = 1000
"""With fewer codes the latent classifier is linear: hidden layers would learn them by heart."""
_HIDDEN = (64,)
_LEAST_KEPT_SHARE = 0.75
"""Combinations that weigh the samples have to leave this share of each side with mass."""
_MOST_UNITS = 8.0


@dataclass(frozen=True, eq=False)
class Examples:
    """Labelled codes of a user."""

    codes: Tensor
    """float32 [N, L, D]"""
    has: np.ndarray
    """bool [N], the new attribute."""
    known: tuple[str, ...]
    """Attributes of the pack of which there are labels."""
    labels: np.ndarray
    """bool [N, len(known)]"""
    origin: str
    """What the codes are, in words."""


@dataclass(frozen=True)
class Training:
    """How a user's edit is trained."""

    recipe: Recipe
    classifier_steps: int = 600
    hidden: tuple[int, ...] | None = None
    """Hidden widths of the latent classifier; None is linear for few codes, one small layer for many."""


@dataclass(frozen=True, eq=False)
class TrainedEdit:
    """The networks, and what the training says of them."""

    maps: EditMaps
    classifier: LatentClassifier
    figures: dict[str, Any]
    """By direction: scale, target change and attribute preservation where it was calibrated, steps, losses."""
    test: np.ndarray
    """Places of the examples that the training has not seen."""
    kept: dict[str, np.ndarray]
    """Direction -> which of the known attributes the edit should leave alone, bool [len(known)]."""


def check_counts(has: np.ndarray, what: str) -> None:
    """Raises OptionError unless there are enough examples of both sides."""
    with_it, without = int(has.sum()), int((~has).sum())
    if min(with_it, without) >= LEAST:
        return
    if not with_it or not without:
        side = "without" if not without else "with"
        raise OptionError(f"{what}: no picture {side} the attribute; at least {LEAST} with it and {LEAST} without are needed.")
    raise OptionError(
        f"{what}: {with_it} pictures with the attribute and {without} without; at least {LEAST} of each are needed."
    )


def train_user_edit(
    pack: Pack,
    examples: Examples,
    edit_id: str,
    training: Training,
    *,
    seed: int,
    run: Run,
    progress: ProgressCallback,
    minutes: float | None = None,
) -> TrainedEdit:
    """Trains and calibrates both maps of the attribute `edit_id`; goes on with the run's checkpoints.

    A part of the examples is held out for the evaluation, another for early stopping. minutes: what the maps may take.
    """
    check_counts(examples.has, "the examples")
    train, stop, test = _split(examples.has, seed)
    known = _known_to_all(pack, examples.known)
    own = _code_set(examples, (), edit_id)
    hidden = training.hidden if training.hidden is not None else (() if len(train) < _LINEAR_BELOW else _HIDDEN)
    schedule = Schedule(training.classifier_steps, None)
    classifier, _ = fit_classifier(
        _part(own, train),
        _part(own, stop),
        hidden,
        training=run.part("classifier"),
        schedule=schedule,
        seed=seed,
        report=_reporter(progress, "Training the latent classifier", training.classifier_steps),
    )
    classifier.requires_grad_(False)
    codes = _code_set(examples, known, edit_id)
    material = _material(pack, codes, train, stop, classifier, edit_id, training.recipe, seed)
    k = codes.attributes.index(edit_id)
    weight_by = _weighting_count(material, k) if isinstance(training.recipe.weight_by, int) else training.recipe.weight_by
    recipe = replace(
        training.recipe,
        weight_by=weight_by,
        options=replace(training.recipe.options, rank=min(training.recipe.options.rank, codes.codes.shape[2])),
    )
    fit = TransportFit(
        material,
        recipe,
        family=None,
        classifier=Joined(pack.latent_classifier if pack.has("latent_classifier") else _Silent(known), classifier),
        statistics=_statistics(pack, codes.codes),
        most=_MOST_UNITS,
    )
    steps = recipe.options.steps
    maps, figures = fit_family(fit, material, training=run.part("maps"), progress=progress, steps=steps, minutes=minutes)
    by_direction = {d: figures[f"{edit_id}/{d}"] for d in DIRECTIONS}
    kept = {}
    for direction in DIRECTIONS:
        left_alone = ~implied_changes(material.train.labels, k, direction)[:k]
        kept[direction] = np.array([name in known and left_alone[known.index(name)] for name in examples.known], bool)
    return TrainedEdit(maps, classifier, by_direction, test, kept)


def _split(has: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places for training, early stopping and the evaluation, each with both sides."""
    draw = numpy_generator(seed, 71)
    parts: list[list[np.ndarray]] = [[], [], []]
    for side in (True, False):
        order = draw.permutation(np.flatnonzero(has == side))
        held = max(_LEAST_HELD_OUT, round(_HELD_OUT_SHARE * len(order)))
        for part, places in zip(parts, (order[2 * held :], order[held : 2 * held], order[:held]), strict=True):
            part.append(places)
    train, stop, test = (np.sort(np.concatenate(part)) for part in parts)
    return train, stop, test


def _known_to_all(pack: Pack, known: tuple[str, ...]) -> tuple[str, ...]:
    """Those that the image predictor knows and, where the pack has one, the latent classifier."""
    networks = [pack.attribute_predictor, *([pack.latent_classifier] if pack.has("latent_classifier") else [])]
    return tuple(name for name in known if all(name in network.attributes for network in networks))


def _code_set(examples: Examples, known: tuple[str, ...], edit_id: str) -> CodeSet:
    """The examples with the labels of `known` and, last, of the new attribute."""
    columns = [examples.labels[:, examples.known.index(name)] for name in known]
    return CodeSet(examples.codes, np.stack([*columns, examples.has], axis=1), (*known, edit_id), "the user's own")


def _part(codes: CodeSet, places: np.ndarray) -> CodeSet:
    return replace(codes, codes=codes.codes[torch.from_numpy(places)], labels=codes.labels[places])


class _Silent:
    """In place of a latent classifier that the pack has not: logits [N, K] of 0, so that the attribute cost is 0 too."""

    def __init__(self, attributes: Sequence[str]) -> None:
        self.attributes = tuple(attributes)

    def __call__(self, codes: Tensor) -> Tensor:
        return torch.zeros(len(codes), len(self.attributes))


def _material(
    pack: Pack,
    codes: CodeSet,
    train: np.ndarray,
    stop: np.ndarray,
    classifier: LatentClassifier,
    edit_id: str,
    recipe: Recipe,
    seed: int,
) -> Material:
    training = _part(codes, train)
    # Held-out codes first; where they are few the strength is measured on training codes too, since it is one number.
    has = codes.column(edit_id)
    order = np.concatenate([stop, train])
    chosen = np.concatenate([order[has[order] == side][:_CALIBRATION_CODES] for side in (True, False)])
    trial = Trial(
        pack,
        codes.codes[torch.from_numpy(np.sort(chosen))],
        codes.attributes,
        training.labels,
        change=recipe.change,
        certainty=recipe.certainty,
        predictor=Joined(pack.attribute_predictor, CodeReader(pack.encoder, classifier)),
    )
    return Material(pack, training, trial, (edit_id,), seed, _part(codes, stop))


def _weighting_count(material: Material, k: int, most: int = 4) -> int:
    """By how many attributes the samples are weighed: as many as leave most of both sides with mass in all sets."""

    def holds(count: int) -> bool:
        for direction in DIRECTIONS:
            by = weight_attributes(material.train.labels, k, direction, count)
            for labels in (material.train.labels, material.stop.labels):
                has = labels[:, k]
                try:
                    weights = sample_weights(labels[~has][:, by], labels[has][:, by], "target-matched")
                except OptionError:
                    return False
                if min((weights.source > 0).mean(), (weights.target > 0).mean()) < _LEAST_KEPT_SHARE:
                    return False
        return True

    return next((count for count in range(most, 0, -1) if holds(count)), 0)


def _statistics(pack: Pack, codes: Tensor) -> dict[str, Tensor]:
    if pack.has("statistics"):
        return {name: pack.statistics[name] for name in ("w_plus_mean", "w_plus_factors")}
    return latent_statistics(pack.generator.mapping.w_avg, codes)


def _reporter(progress: ProgressCallback, stage: str, total: int) -> Callable[[int, float, float], None]:
    def report(step: int, elapsed_sec: float, loss: float) -> None:
        progress(Progress(stage, step, total, elapsed_sec, loss))

    return report
