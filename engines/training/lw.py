"""``train lw``: the Latent Wasserstein edit maps of a pack, two an attribute, calibrated so that slider 1.0 means "changed".

Doubinsky et al. 2023 on the encoder's codes of real training pictures. Per attribute and direction: weights by the
combinations of confounding attributes, a low-rank affine map fitted by Sinkhorn divergences with early stopping, and a
strength measured by the image predictor. ``--star`` trains the LW* variant.

``--paper`` trains as section 4.1 prints it, where no other option is given: a free matrix of full rank a layer, which starts
at no change, Adam at 0.001, whole codes compared as they are, min(n_s, n_t) samples of each side a step, and nothing of this
project's own (input noise, calm, a slower shift, units of spread, transport within classes). Memory grows with the square of
a step's samples; ``--batch`` and ``--pictures`` make them fewer. What the paper leaves open is chosen here: PAPER_STEPS steps
at most, when early stopping looks, and the blur. Three things stay as without the option: lambda is 1 for all attributes (the
paper has 15 for glasses: ``--preservation-of Eyeglasses=15``), samples are weighted by what section 3.2 aims at, not by the
formula that it prints (``--weighting printed``), and by the most confounded attributes, not by the most common ones
(``--weight-by``).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.arguments import bounded_float, bounded_int, count_or_names
from engines.core.errors import OptionError
from engines.editing.edit_maps import DIRECTIONS, EditMaps
from engines.editing.families import DEFAULT_FAMILY
from engines.editing.mlp_maps import MlpMaps
from engines.packs.registry import open_pack
from engines.training.codes import CodeSet
from engines.training.family_run import Material, add_family_arguments, chosen_attributes, labelled_attributes, run_family
from engines.training.label_effects import label_effect
from engines.training.lw_map import Cloud, CodeSpace, FittedMap, LwOptions, TransportSpace, fit_map
from engines.training.picture_cost import fit_picture_space
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

__all__ = ["COSTS", "HELP", "PAPER_STEPS", "STARTS", "Recipe", "TransportFit", "add_arguments", "recipe_of", "run"]

HELP = "edit maps by latent Wasserstein transport, calibrated"

STARTS = ("label-effects", "class-means", "none")
"""What an attribute adds while the others are held, the difference of the weighted class means, or no change."""

COSTS = ("codes", "pictures")
"""Principal components of codes, as the paper, or perceptual features of their pictures (its future work)."""

PAPER_STEPS = 200
"""Steps of a map with --paper, which starts from nothing at a learning rate of 0.001; early stopping may end it."""

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
    add(
        "--weight-by",
        type=count_or_names,
        default=4,
        metavar="N|A,B",
        help="weigh by the N most confounded attributes, or by these (default 4)",
    )
    add(
        "--preservation",
        type=bounded_float(0),
        default=plain.preservation,
        metavar="LAMBDA",
        help="weight of the attribute cost",
    )
    add("--preservation-of", action="append", default=[], metavar="A=LAMBDA", help="the same for one attribute; repeatable")
    rank = f"inner size of a layer's matrix, 0: full (default {plain.rank}, or full where that is less; with --paper full)"
    add("--rank", type=bounded_int(0), default=None, help=rank)
    batch = f"most samples of a side in a step, 0: all of the smaller side (default {plain.batch}; all with --paper)"
    add("--batch", type=bounded_int(0), default=None, help=f"{batch}; memory grows with their square")
    rate = f"Adam's learning rate (default {plain.learning_rate}; 0.001 with --paper)"
    add("--rate", type=bounded_float(0, above=True), default=None, help=rate)
    decay = f"learning rate at the last step as a share of that at the first (default {plain.decay:g})"
    add("--decay", type=bounded_float(0, 1, above=True), default=plain.decay, metavar="SHARE", help=decay)
    patience = (
        f"checks of {plain.check_steps} steps without a smaller held-out loss that end a map (default {plain.patience_checks})"
    )
    add("--patience", type=bounded_int(1), default=plain.patience_checks, metavar="CHECKS", help=patience)
    shift = f"learning rate of the shift as a share of the matrix's (default {plain.shift_rate}; 1 with --paper)"
    add("--shift-rate", type=bounded_float(0), default=None, help=shift)
    components = f"principal components compared, 0: whole codes (default {plain.components})"
    add("--components", type=bounded_int(0), default=None, help=components)
    moved = f"principal components changed, 0: a free matrix a layer (default {plain.map_components}; 0 with --paper)"
    add("--map-components", type=bounded_int(0), default=None, help=moved)
    hidden = f"hidden units of a map beside its affine part, 0 for the paper's affine map (default {plain.hidden})"
    add("--hidden", type=bounded_int(0), default=plain.hidden, help=hidden)
    whitening = "0 to 1, how far the components' variances are made equal"
    add("--whitening", type=bounded_float(0, 1), default=plain.whitening, help=whitening)
    blur = "entropic scale in units of the codes' spread"
    add("--blur", type=bounded_float(0, above=True), default=plain.blur, help=blur)
    noise = f"noise on the map's input in deviations (default {plain.input_noise})"
    add("--input-noise", type=bounded_float(0), default=None, help=noise)
    add("--start", choices=STARTS, default=None, help="the change a map starts at (default label-effects; none with --paper)")
    add("--no-init", dest="start", action="store_const", const="none", help="the same as --start none")
    add("--cost", choices=COSTS, default="codes", help="measure transport between codes, as the paper (default), or pictures")
    cells = "fields a side over which --cost pictures averages features (default 1)"
    add("--cells", type=bounded_int(1), default=1, help=cells)
    across = "of a set with classes: transport from any class to any, as with --paper (default: within each class)"
    add("--across-classes", action="store_true", help=across)
    calm = f"weight of the variance of the changes (default {plain.calm}; 0 with --paper)"
    add("--calm", type=bounded_float(0), default=None, help=calm)
    stay = f"weight of the mean squared change of codes (default {plain.stay:g})"
    add("--stay", type=bounded_float(0), default=plain.stay, help=stay)
    paper = (
        "the paper's section 4.1 where no other option says otherwise: a free matrix of full rank a layer, no start, Adam at "
        "0.001, whole codes as they are, all samples of the smaller side in a step, no input noise, calm or slower shift; "
        f"{PAPER_STEPS} steps at most, which the paper leaves open. Weights and lambda stay those of --weighting, --weight-by, "
        "--preservation and --preservation-of"
    )
    add("--paper", action="store_true", help=paper)
    beside = parser.add_mutually_exclusive_group()
    beside.add_argument("--star", action="store_true", help="LW*, a family of its own: no attribute cost, uniform weights")
    beside.add_argument("--affine", action="store_true", help="LW-affine, a family of its own beside an LW with hidden units")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fits and calibrates the maps one after the other; writes the family LW, with --star LW*, with --affine LW-affine."""
    pack = open_pack(arguments.pack)
    recipe = recipe_of(arguments, pack.manifest.latent.dim)
    # Here already, and not after hours of rendering and encoding.
    _check_names(recipe, labelled_attributes(pack), chosen_attributes(arguments.attributes, pack))
    arguments.default_steps = recipe.options.steps
    family = "LW*" if arguments.star else "LW-affine" if arguments.affine else DEFAULT_FAMILY
    return run_family(arguments, family, asdict(recipe), lambda material: TransportFit(material, recipe, family=family))


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
        _check_names(recipe, material.train.attributes, material.attributes)
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


def recipe_of(arguments: argparse.Namespace, dim: int) -> Recipe:
    """The recipe that the options of :func:`add_arguments` ask for; dim: D of the codes."""
    plain = LwOptions()
    printed = arguments.paper

    def choice(given: Any, paper: Any, own: Any) -> Any:
        return given if given is not None else paper if printed else own

    map_components = choice(arguments.map_components, 0, plain.map_components)
    full_rank = min(map_components or dim, dim)
    options = LwOptions(
        steps=arguments.steps or (PAPER_STEPS if printed else plain.steps),
        batch=choice(arguments.batch, 0, plain.batch),
        learning_rate=choice(arguments.rate, 1e-3, plain.learning_rate),
        preservation=0.0 if arguments.star else arguments.preservation,
        rank=choice(arguments.rank, 0, min(plain.rank, full_rank)) or full_rank,
        components=choice(arguments.components, 0, plain.components),
        whitening=arguments.whitening,
        blur=arguments.blur,
        input_noise=choice(arguments.input_noise, 0.0, plain.input_noise),
        map_components=map_components,
        hidden=arguments.hidden,
        decay=arguments.decay,
        patience_checks=arguments.patience,
        calm=choice(arguments.calm, 0.0, plain.calm),
        stay=arguments.stay,
        shift_rate=choice(arguments.shift_rate, 1.0, plain.shift_rate),
        own_units=not printed,
    )
    if options.hidden and not options.map_components:
        raise OptionError(f"--hidden {options.hidden}: hidden units listen to --map-components of 1 or more.")
    if options.hidden and arguments.affine:
        raise OptionError("--affine: an affine map has no --hidden units.")
    if not 1 <= options.rank <= full_rank:
        what = f"{map_components} components" if map_components else f"codes of {dim} numbers a layer"
        raise OptionError(f"--rank {options.rank}: a map of {what} has a rank from 1 to {full_rank}, or 0 for that.")
    if arguments.star and arguments.preservation_of:
        raise OptionError("--preservation-of: LW* (--star) has no attribute cost.")
    return Recipe(
        options=options,
        start=choice(arguments.start, "none", "label-effects"),
        weighting="uniform" if arguments.star else arguments.weighting,
        weight_by=arguments.weight_by,
        preservation_of=tuple(_pair(text) for text in arguments.preservation_of),
        change=arguments.change,
        certainty=arguments.certainty,
        cost=arguments.cost,
        cells=arguments.cells,
        within_classes=not (printed or arguments.across_classes),
    )


def _pair(text: str) -> tuple[str, float]:
    name, _, word = text.partition("=")
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise OptionError(f"--preservation-of takes ATTRIBUTE=NUMBER, 0 or more, got {text!r}")
    return name, value


def _check_names(recipe: Recipe, known: Sequence[str], trained: Sequence[str]) -> None:
    """Raises OptionError where a recipe names an attribute without labels (not `known`), or lambda of one without a map."""
    by = () if isinstance(recipe.weight_by, int) else recipe.weight_by
    if unknown := [name for name in by if name not in known]:
        raise OptionError(f"--weight-by {','.join(unknown)}: there are labels of {', '.join(known)}.")
    if unknown := [name for name, _ in recipe.preservation_of if name not in trained]:
        raise OptionError(f"--preservation-of {','.join(unknown)}: maps are trained of {', '.join(trained)}.")


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
