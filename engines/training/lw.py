"""``train lw``: the Latent Wasserstein edit maps of a pack, two an attribute, calibrated so that slider 1.0 means "changed".

Doubinsky et al. 2023 on the encoder's codes of real training pictures. Per attribute and direction: weights by the
combinations of confounding attributes, a low-rank affine map fitted by Sinkhorn divergences with early stopping, and a
strength measured by the image predictor. ``--paper`` trains the printed setting instead, ``--star`` its LW* variant.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.core.progress import ProgressCallback
from engines.editing.edit_maps import DIRECTIONS, EditMaps
from engines.editing.families import DEFAULT_FAMILY
from engines.editing.mlp_maps import MlpMaps
from engines.packs.load import Pack
from engines.training.codes import CodeSet
from engines.training.family_run import Material, add_family_arguments, fit_family, gather, run_family
from engines.training.label_effects import label_effect
from engines.training.lw_map import Cloud, CodeSpace, FittedMap, LwOptions, TransportSpace, fit_map
from engines.training.picture_cost import fit_picture_space
from engines.training.runs import Run
from engines.training.sample_weights import (
    WEIGHTINGS,
    Weights,
    implied_changes,
    relevance,
    sample_weights,
    weight_attributes,
)
from engines.training.statistics import latent_statistics
from engines.training.trial import CERTAINTY, CHANGE, Columns

__all__ = ["COSTS", "HELP", "STARTS", "Recipe", "TransportFit", "add_arguments", "recipe_of", "run", "train_maps"]

HELP = "edit maps by latent Wasserstein transport, calibrated"

STARTS = ("label-effects", "class-means", "none")
"""What an attribute adds while the others are held, the difference of the weighted class means, or no change."""

COSTS = ("codes", "pictures")
"""Principal components of codes, as the paper, or perceptual features of their pictures (its future work)."""

_STATISTICS_CODES = 8000
_COST_CODES = 1000


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the maps, besides the codes and the seed."""

    options: LwOptions = field(default_factory=LwOptions)
    start: str = "label-effects"
    """The change that a map starts at: one of STARTS."""
    weighting: str = "target-matched"
    weight_by: int | tuple[str, ...] = 4
    """How many of the most confounded attributes, or which attributes, weigh the samples by their combinations."""
    preservation_of: tuple[tuple[str, float], ...] = ()
    """lambda of single attributes."""
    change: float = CHANGE
    certainty: float = CERTAINTY
    cost: str = "codes"
    """What the transport cost is measured between: one of COSTS."""
    cells: int = 1
    """With the cost between pictures: the fields a side over which their features are averaged."""
    within_classes: bool = True
    """Of a set with classes: transport stays within a class."""

    def options_for(self, attribute: str) -> LwOptions:
        return replace(self.options, preservation=dict(self.preservation_of).get(attribute, self.options.preservation))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    plain = LwOptions()
    add_family_arguments(parser, steps=plain.steps)
    add = parser.add_argument
    add("--weighting", choices=WEIGHTINGS, default="target-matched", help="sample weights (default target-matched)")
    add("--weight-by", default="4", metavar="N|A,B", help="weigh by the N most confounded attributes, or by these (default 4)")
    add("--preservation", type=float, default=plain.preservation, metavar="LAMBDA", help="weight of the attribute cost")
    add("--preservation-of", action="append", default=[], metavar="A=LAMBDA", help="the same for one attribute; repeatable")
    add("--rank", type=int, default=plain.rank, help="inner size of every layer's matrix")
    add("--batch", type=int, default=plain.batch, help="most samples of a side in a step")
    add("--rate", type=float, default=None, help=f"Adam's learning rate (default {plain.learning_rate}; 0.001 with --paper)")
    decay = f"learning rate at the last step as a share of that at the first (default {plain.decay:g})"
    add("--decay", type=float, default=plain.decay, metavar="SHARE", help=decay)
    patience = (
        f"checks of {plain.check_steps} steps without a smaller held-out loss that end a map (default {plain.patience_checks})"
    )
    add("--patience", type=int, default=plain.patience_checks, metavar="CHECKS", help=patience)
    shift = f"learning rate of the shift as a share of the matrix's (default {plain.shift_rate}; 1 with --paper)"
    add("--shift-rate", type=float, default=None, help=shift)
    components = f"principal components compared, 0: whole codes (default {plain.components})"
    add("--components", type=int, default=None, help=components)
    moved = f"principal components changed, 0: a free matrix a layer (default {plain.map_components}; 0 with --paper)"
    add("--map-components", type=int, default=None, help=moved)
    hidden = f"hidden units of a map beside its affine part, 0 for the paper's affine map (default {plain.hidden})"
    add("--hidden", type=int, default=plain.hidden, help=hidden)
    add("--whitening", type=float, default=plain.whitening, help="0 to 1, how far the components' variances are made equal")
    add("--blur", type=float, default=plain.blur, help="entropic scale in units of the codes' spread")
    add("--input-noise", type=float, default=None, help=f"noise on the map's input in deviations (default {plain.input_noise})")
    add("--start", choices=STARTS, default=None, help="the change a map starts at (default label-effects; none with --paper)")
    add("--no-init", dest="start", action="store_const", const="none", help="the same as --start none")
    add("--cost", choices=COSTS, default="codes", help="measure transport between codes, as the paper (default), or pictures")
    add("--cells", type=int, default=1, help="fields a side over which --cost pictures averages features (default 1)")
    across = "of a set with classes: transport from any class to any (default, but with --paper: within each class)"
    add("--across-classes", action="store_true", help=across)
    calm = f"weight of the variance of the changes (default {plain.calm}; 0 with --paper)"
    add("--calm", type=float, default=None, help=calm)
    add("--stay", type=float, default=plain.stay, help=f"weight of the mean squared change of codes (default {plain.stay:g})")
    add("--paper", action="store_true", help="the printed setting: free maps, whole codes, no start or calm, unscaled costs")
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument("--star", action="store_true", help="LW*, a family of its own: no attribute cost, uniform weights")
    beside.add_argument("--affine", action="store_true", help="LW-affine, a family of its own beside an LW with hidden units")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fits and calibrates the maps one after the other; writes the family LW, with --star LW*, with --affine LW-affine."""
    recipe = recipe_of(arguments)
    family = "LW*" if arguments.star else "LW-affine" if arguments.affine else DEFAULT_FAMILY
    return run_family(arguments, family, asdict(recipe), lambda material: TransportFit(material, recipe, family=family))


def train_maps(
    pack: Pack,
    train: CodeSet,
    held_out: CodeSet,
    chosen: Sequence[str],
    recipe: Recipe,
    *,
    seed: int,
    training: Run,
    progress: ProgressCallback,
    minutes: float | None = None,
    family: str = DEFAULT_FAMILY,
) -> tuple[EditMaps | MlpMaps, dict[str, dict[str, Any]]]:
    """Maps of the `chosen` attributes, in both directions, and their figures by ``attribute/direction``.

    The pack gives generator, image predictor and latent classifier, and the present maps of attributes not chosen of `family`.
    minutes: what the run may take in all; maps left share what is left.
    """
    material = gather(pack, train, held_out, chosen, seed=seed, change=recipe.change, certainty=recipe.certainty)
    fit = TransportFit(material, recipe, family=family)
    steps = recipe.options.steps
    return fit_family(fit, material, training=training, progress=progress, steps=steps, minutes=minutes)


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
            fitted, weights = self.fit_direction(attribute, direction, until, report)
            _store(family, attribute, direction, fitted)
            figures[direction] = _figures(fitted, weights)
        return figures

    def fit_direction(
        self, attribute: str, direction: str, deadline: float | None, report: Callable[[int, float], None]
    ) -> tuple[FittedMap, Weights]:
        """One map and the masses that its samples had."""
        material = self._material
        k = material.train.attributes.index(attribute)
        steps = material.pack.manifest.level_steps
        train, stop = (codes.for_edit(attribute, steps) for codes in (material.train, material.stop))
        if not self.recipe.within_classes:
            train, stop = (replace(codes, classes=None) for codes in (train, stop))
        by = self._weight_columns(train.labels, k, direction)
        source, target, weights = _clouds(train, k, direction, by, self.recipe.weighting)
        stop_source, stop_target, _ = _clouds(stop, k, direction, by, self.recipe.weighting)
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
        return fitted, weights

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


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The recipe that the options of :func:`add_arguments` ask for."""
    plain = LwOptions()
    printed = arguments.paper

    def choice(given: Any, paper: Any, own: Any) -> Any:
        return given if given is not None else paper if printed else own

    if arguments.cells < 1:
        raise OptionError(f"--cells {arguments.cells}: at least one field a side is needed.")
    options = LwOptions(
        steps=arguments.steps or plain.steps,
        batch=arguments.batch,
        learning_rate=choice(arguments.rate, 1e-3, plain.learning_rate),
        preservation=0.0 if arguments.star else arguments.preservation,
        rank=arguments.rank,
        components=choice(arguments.components, 0, plain.components),
        whitening=arguments.whitening,
        blur=arguments.blur,
        input_noise=choice(arguments.input_noise, 0.0, plain.input_noise),
        map_components=choice(arguments.map_components, 0, plain.map_components),
        hidden=arguments.hidden,
        decay=arguments.decay,
        patience_checks=arguments.patience,
        calm=choice(arguments.calm, 0.0, plain.calm),
        stay=arguments.stay,
        shift_rate=choice(arguments.shift_rate, 1.0, plain.shift_rate),
        own_units=not printed,
    )
    if not 0 < options.decay <= 1:
        raise OptionError(f"--decay {options.decay:g}: a share above 0, and 1 at most.")
    if options.patience_checks < 1:
        raise OptionError(f"--patience {options.patience_checks}: at least one check is needed.")
    if options.hidden < 0 or (options.hidden and not options.map_components):
        raise OptionError(f"--hidden {options.hidden}: hidden units, 0 or more, listen to --map-components of 1 or more.")
    if options.hidden and arguments.affine:
        raise OptionError("--affine: an affine map has no --hidden units.")
    if 0 < options.map_components < options.rank:
        raise OptionError(f"--rank {options.rank}: a map of {options.map_components} components has no larger rank.")
    weight_by: int | tuple[str, ...]
    weight_by = int(arguments.weight_by) if arguments.weight_by.isdigit() else tuple(arguments.weight_by.split(","))
    return Recipe(
        options=options,
        start=choice(arguments.start, "none", "label-effects"),
        weighting="uniform" if arguments.star else arguments.weighting,
        weight_by=weight_by,
        preservation_of=() if arguments.star else tuple(_pair(text) for text in arguments.preservation_of),
        change=arguments.change,
        certainty=arguments.certainty,
        cost=arguments.cost,
        cells=arguments.cells,
        within_classes=not (printed or arguments.across_classes),
    )


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise OptionError(f"--preservation-of takes ATTRIBUTE=NUMBER, got {text!r}") from None


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


def _figures(fitted: FittedMap, weights: Weights) -> dict[str, Any]:
    return {
        "steps": fitted.steps,
        "best_step": fitted.best_step,
        "loss_first": fitted.initial_loss,
        "loss_best": fitted.best_loss,
        "missing_combinations": [list(m) for m in weights.missing],
    }
