"""The transports of a pack's attributes, fitted one after the other on the same codes as a recipe says.

Doubinsky et al. 2023, section 3: per attribute and direction, samples are weighted by the combinations of confounding
attributes, and a low-rank affine map is fitted by Sinkhorn divergences with early stopping.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.editing.edit_maps import DIRECTIONS, EditMaps
from engines.editing.families import DEFAULT_FAMILY
from engines.editing.mlp_maps import MlpMaps
from engines.training.codes import CodeSet
from engines.training.family_run import Material
from engines.training.label_effects import label_effect
from engines.training.lw_map import Cloud, CodeSpace, FittedMap, LwOptions, TransportSpace, fit_map
from engines.training.lw_recipe import Recipe, check_names
from engines.training.picture_cost import fit_picture_space
from engines.training.sample_weights import Weights, implied_changes, relevance, sample_weights, weight_attributes
from engines.training.statistics import latent_statistics
from engines.training.trial import Columns

__all__ = ["TransportFit"]

_STATISTICS_CODES = 8000
_COST_CODES = 1000


class TransportFit:
    """The transports of all attributes on the same codes; a :class:`engines.training.family_run.FamilyFit`."""

    def __init__(
        self,
        material: Material,
        recipe: Recipe,
        *,
        family: str | None = DEFAULT_FAMILY,
        classifier: Any = None,
        statistics: Mapping[str, Tensor] | None = None,
        space: CodeSpace | None = None,
        most: float = 4.0,
    ) -> None:
        """family: whose maps of attributes that are not trained stay; None starts with the chosen ones alone.

        classifier: from codes to logits, by its `attributes`; None is the pack's. statistics: ``w_plus_mean`` and
        ``w_plus_factors`` as a pack has them; None takes them from the training codes. space: where the transport cost is
        Euclidean; None takes the recipe's principal components, or whole codes. most: how many of its own units strength 1
        may be.
        """
        if material.stop is None:
            raise ValueError("early stopping needs held-out codes")
        check_names(recipe, material.train.attributes, material.attributes)
        self._material, self.recipe, self._family, self.most = material, recipe, family, most
        train, pack = material.train, material.pack
        if statistics is None:
            every = max(1, len(train) // _STATISTICS_CODES)
            statistics = latent_statistics(pack.generator.mapping.w_avg, train.codes[::every])
        self._mean, self._factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
        self._space = space or self._recipes_space()
        self._classifier = Columns(classifier or pack.latent_classifier, train.attributes)

    def start(self) -> EditMaps | MlpMaps:
        """Maps that change nothing, and of attributes that are not trained the pack's present ones."""
        chosen, options = self._material.attributes, self.recipe.options
        if self._family is None:
            return _untrained(options, chosen, self._mean, self._factors)
        pack, train = self._material.pack, self._material.train
        names = [name for name in pack.manifest.mapped if name in train.attributes]
        maps = _untrained(options, names, self._mean, self._factors)
        if not set(names) <= set(chosen) and self._family in pack.families:
            _take_over(maps, pack.family(self._family))
        return maps

    def fit(
        self, family: EditMaps | MlpMaps, attribute: str, deadline: float | None, report: Callable[[int, float], None]
    ) -> dict[str, Any]:
        """Both maps of an attribute; the first gets half of the time that is left."""
        figures: dict[str, Any] = {}
        for number, direction in enumerate(DIRECTIONS):
            now = time.monotonic()
            until = None if deadline is None else now + max(0.5, deadline - now) / (len(DIRECTIONS) - number)
            fitted, missing = self.fit_direction(attribute, direction, until, report)
            _store(family, attribute, direction, fitted)
            figures[direction] = {**_figures(fitted), **missing}
        return figures

    def fit_direction(
        self, attribute: str, direction: str, deadline: float | None, report: Callable[[int, float], None]
    ) -> tuple[FittedMap, dict[str, list[dict[str, Any]]]]:
        """One map, and the combinations of attributes that counted for nothing, in training and in early stopping."""
        material = self._material
        k = material.train.attributes.index(attribute)
        steps = material.pack.manifest.level_steps
        train, stop = (codes.for_edit(attribute, steps) for codes in (material.train, material.stop))
        if not self.recipe.within_classes:
            train, stop = (replace(codes, classes=None) for codes in (train, stop))
        by = self._weight_columns(train.labels, k, direction)
        source, target, weights = _clouds(train, k, direction, by, self.recipe.weighting)
        stop_source, stop_target, stop_weights = _clouds(stop, k, direction, by, self.recipe.weighting)
        fitted = fit_map(
            source,
            target,
            (stop_source, stop_target),
            shift=self._start(train, k, direction, source, target),
            space=self._space,
            factors=self._factors,
            classifier=self._classifier,
            relevance=relevance(train.labels, k, direction),
            options=self.recipe.options_for(attribute),
            seed=material.seed,
            deadline=deadline,
            report=report,
        )
        named = [train.attributes[column] for column in by]
        missing = {"missing_combinations": weights, "missing_combinations_held_out": stop_weights}
        return fitted, {name: _missing(named, each) for name, each in missing.items()}

    def _recipes_space(self) -> CodeSpace:
        recipe, pack = self.recipe, self._material.pack
        if recipe.cost == "codes":
            options = recipe.options
            return TransportSpace(self._mean, self._factors, components=options.components, whitening=options.whitening)
        if not pack.has("perceptual"):
            raise OptionError(f"Pack {pack.id} has no perceptual network, as a cost between pictures needs: use --cost codes.")
        codes = self._material.train.codes
        codes = codes[:: max(1, len(codes) // _COST_CODES)]
        synthesis = pack.generator.synthesis
        return fit_picture_space(codes, self._mean, self._factors, synthesis, pack.perceptual, cells=recipe.cells)

    def _start(self, train: CodeSet, k: int, direction: str, source: Cloud, target: Cloud) -> Tensor:
        if self.recipe.start == "label-effects":
            return label_effect(train.codes, train.labels, k, direction)
        return target.mean() - source.mean() if self.recipe.start == "class-means" else torch.zeros_like(self._mean)

    def _weight_columns(self, labels: np.ndarray, k: int, direction: str) -> np.ndarray:
        by = self.recipe.weight_by
        if isinstance(by, int):
            return weight_attributes(labels, k, direction, by)
        implied = implied_changes(labels, k, direction)
        columns = [self._material.train.attributes.index(a) for a in by]
        return np.array([c for c in columns if c != k and not implied[c]], int)


def _untrained(options: LwOptions, attributes: Sequence[str], mean: Tensor, factors: Tensor) -> EditMaps | MlpMaps:
    if options.hidden:
        components = min(options.map_components, len(factors))
        bent = MlpMaps(attributes, *mean.shape, components=components, hidden=options.hidden).requires_grad_(False)
        bent.set_coordinates(mean, factors)
        return bent
    maps = EditMaps(attributes, *mean.shape, options.rank).requires_grad_(False)
    maps.mean.copy_(mean)
    return maps


def _take_over(maps: EditMaps | MlpMaps, present: Any) -> None:
    """The `present` maps of a pack. Raises OptionError where they have another form than `maps`."""
    same = present.config_json() == maps.config_json()
    if same and isinstance(maps, MlpMaps):
        # Stored in half precision. The training of one attribute speaks of the axes of all.
        same = torch.allclose(present.axes, maps.axes, atol=2e-3)
    if not same:
        shape = {name: value for name, value in present.config_json().items() if name != "attributes"}
        raise OptionError(
            f"The pack's edit maps have {shape} and maps for {', '.join(present.attributes)}; to train some of them use the "
            "same --rank, --hidden, --map-components, --pictures and attributes, or train all."
        )
    maps.load_state_dict(present.state_dict())


def _store(maps: EditMaps | MlpMaps, attribute: str, direction: str, fitted: FittedMap) -> None:
    place = maps.attributes.index(attribute), DIRECTIONS.index(direction)
    for name, value in fitted.parameters.items():
        getattr(maps, name).data[place] = value


def _clouds(codes: CodeSet, k: int, direction: str, by: np.ndarray, weighting: str) -> tuple[Cloud, Cloud, Weights]:
    """Source and target of one map, weighted by the combinations of the columns `by`."""
    has = codes.labels[:, k]
    is_source = ~has if direction == "add" else has
    if is_source.all() or not is_source.any():
        which = "has" if has.all() else "lacks"
        raise OptionError(f"Every picture {which} {codes.attributes[k]}; it cannot be learned from these.")
    source, target = codes.part(is_source), codes.part(~is_source)
    weights = sample_weights(source.labels[:, by], target.labels[:, by], weighting)
    return (
        Cloud(source.codes, weights.source, source.classes),
        Cloud(target.codes, weights.target, target.classes),
        weights,
    )


def _missing(by: Sequence[str], weights: Weights) -> list[dict[str, Any]]:
    """The combinations of the attributes `by` that one side lacks, and how many samples each side has of them."""
    return [
        {"combination": dict(zip(by, (bit == "1" for bit in bits), strict=True)), "source": n_s, "target": n_t}
        for bits, n_s, n_t in weights.missing
    ]


def _figures(fitted: FittedMap) -> dict[str, Any]:
    return {
        "steps": fitted.steps,
        "best_step": fitted.best_step,
        "loss_first": fitted.initial_loss,
        "loss_best": fitted.best_loss,
    }
