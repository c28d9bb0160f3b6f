"""How Latent Wasserstein edit maps are trained, as the options of ``train lw`` say it.

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
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engines.core.arguments import bounded_float, bounded_int, count_or_names
from engines.core.errors import OptionError
from engines.training.lw_map import LwOptions
from engines.training.sample_weights import WEIGHTINGS
from engines.training.trial import CERTAINTY, CHANGE

__all__ = ["COSTS", "PAPER_STEPS", "STARTS", "Recipe", "add_recipe_arguments", "check_names", "recipe_of"]

STARTS = ("label-effects", "class-means", "none")
"""What an attribute adds while the others are held, the difference of the weighted class means, or no change."""

COSTS = ("codes", "pictures")
"""Principal components of codes, as the paper, or perceptual features of their pictures (its future work)."""

PAPER_STEPS = 200
"""Steps of a map with --paper, which starts from nothing at a learning rate of 0.001; early stopping may end it."""


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


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that :func:`recipe_of` reads, beside those of every family."""
    plain = LwOptions()
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


def check_names(recipe: Recipe, known: Sequence[str], trained: Sequence[str]) -> None:
    """Raises OptionError where a recipe names an attribute without labels (not `known`), or lambda of one without a map."""
    by = () if isinstance(recipe.weight_by, int) else recipe.weight_by
    if unknown := [name for name in by if name not in known]:
        raise OptionError(f"--weight-by {','.join(unknown)}: there are labels of {', '.join(known)}.")
    if unknown := [name for name, _ in recipe.preservation_of if name not in trained]:
        raise OptionError(f"--preservation-of {','.join(unknown)}: maps are trained of {', '.join(trained)}.")
