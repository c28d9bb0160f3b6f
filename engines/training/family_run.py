"""What the trainings of all edit families share: codes, calibration, log, checkpoints and the pack component.

A family's own file says how one attribute is fitted. What strength 1 means is decided here, by one rule for all: to the image
predictor it changes the share ``--change`` of the same held-out codes, as surely as ``--certainty`` asks, or as near to that as
is worth its price (:mod:`engines.training.calibration`) and as the family's own `most` lets it come. So it means the same for
two families, or for two attributes of one, where they were given the same two numbers. A run may have others, for single
attributes too: certainty is CERTAINTY, 0.35, but 0.6 for the LW maps of Eyeglasses in the faces pack; the provenance has them.
Families are therefore compared over strengths at which they change equally many pictures
(:mod:`engines.evaluation.family_curves`), not at strength 1.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import nn

from engines.core.arguments import bounded_float
from engines.core.errors import OptionError
from engines.core.progress import Progress, ProgressCallback
from engines.editing.families import FAMILIES
from engines.editing.family import DIRECTIONS
from engines.packs.load import Pack
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.training.codes import CodeSet, code_set
from engines.training.common import add_common_arguments, held_out_count, open_run, pack_folder, provenance
from engines.training.pack_definitions import definition
from engines.training.runs import Run
from engines.training.trial import CALIBRATION_SHARE, CERTAINTY, CHANGE, Trial

__all__ = [
    "FamilyFit",
    "Material",
    "add_family_arguments",
    "chosen_attributes",
    "fit_family",
    "gather",
    "labelled_attributes",
    "run_family",
    "summary",
]


@dataclass(frozen=True, eq=False)
class Material:
    """What a family is fitted on."""

    pack: Pack
    train: CodeSet
    trial: Trial
    """Held-out codes and their pictures."""
    attributes: tuple[str, ...]
    """The chosen ones, in the pack's order."""
    seed: int
    stop: CodeSet | None = None
    """Further held-out codes, which the trial does not see, for early stopping."""


class FamilyFit(Protocol):
    """How one family is made."""

    most: float
    """How many of its own units strength 1 may be."""

    def start(self) -> nn.Module:
        """The family before any fit; an EditFamily of the chosen attributes."""
        ...

    def fit(self, family: nn.Module, attribute: str, deadline: float | None, report: Callable[[int, float], None]) -> dict:
        """Fills in one attribute; returns plain figures for the log, under ``add`` and ``remove`` those of one direction.

        deadline: by time.monotonic(), None for none.
        """
        ...


def add_family_arguments(parser: argparse.ArgumentParser, *, steps: int | None) -> None:
    """The common options of a training, --attributes, --change and --certainty. steps: see add_common_arguments."""
    add_common_arguments(parser, steps=steps)
    add = parser.add_argument
    add("--attributes", default=None, metavar="A,B", help="attributes that the family gets (default: all of the pack)")
    add(
        "--change",
        type=bounded_float(0, 1, above=True),
        default=CHANGE,
        help=f"share of codes that slider 1.0 has to change (default {CHANGE})",
    )
    surer = f"the predictor is to be as sure of edited pictures as of this quantile of unedited ones (default {CERTAINTY})"
    add("--certainty", type=bounded_float(0, 1), default=CERTAINTY, metavar="SHARE", help=surer)


def run_family(
    arguments: argparse.Namespace, name: str, options: dict[str, Any], fit: Callable[[Material], FamilyFit]
) -> dict[str, Any]:
    """Fits, calibrates and writes the family `name`, as its fit starts it: that decides what stays of the pack's present one.

    options: what decides the family beside the common options, for the run's configuration and the provenance.
    """
    recipe = {"change": arguments.change, "certainty": arguments.certainty, **options}
    # An asterisk, as in LT*, may not be part of every file system's names.
    folder = name.lower().replace("*", "-star")
    pack = open_pack(arguments.pack)
    chosen = chosen_attributes(arguments.attributes, pack)
    training, _ = open_run(arguments, folder, {"attributes": arguments.attributes, "recipe": recipe})
    train = code_set(pack, "train", arguments.pictures, mirrored=True, progress=arguments.progress)
    held_out = code_set(pack, "validation", held_out_count(arguments), progress=arguments.progress)
    material = gather(
        pack,
        train,
        held_out,
        chosen,
        seed=arguments.seed,
        change=arguments.change,
        certainty=arguments.certainty,
    )
    family, figures = fit_family(
        fit(material),
        material,
        training=training,
        progress=arguments.progress,
        steps=arguments.steps,
        minutes=arguments.minutes,
    )
    metrics = summary(figures)
    training.log(**{name: value for name, value in metrics.items() if isinstance(value, float)})
    source = provenance(
        arguments,
        images_seen=len(train),
        data=f"{train.origin}; {name} with {recipe}",
        data_licence=train.data_licence,
        metrics=metrics,
        initialised_from=_earlier_edits(pack, FAMILIES[name].kind, set(family.attributes) - set(material.attributes)),
    )
    write_component(pack_folder(arguments), FAMILIES[name].kind, family, family.config_json(), source, half=True)
    return {"run": str(training.folder), "best": str(pack_folder(arguments)), "metrics": metrics}


def _earlier_edits(pack: Pack, kind: str, kept: set[str]) -> str:
    """Where the edits of the `kept` attributes come from, which this run left as they were; empty where there are none."""
    earlier = pack.manifest.components.get(kind)
    return f"the other edits, by `{earlier.provenance.command}`" if kept and earlier else ""


def gather(
    pack: Pack, train: CodeSet, held_out: CodeSet, chosen: Sequence[str], *, seed: int, change: float, certainty: float
) -> Material:
    """The material of a pack's own attributes: some of the held-out codes calibrate, the others stop early."""
    if train.attributes != held_out.attributes:
        raise ValueError("training and held-out codes must have the same attributes")
    count = round(CALIBRATION_SHARE * len(held_out))
    trial = Trial(pack, held_out.codes[:count], train.attributes, train.labels, change=change, certainty=certainty)
    return Material(pack, train, trial, tuple(chosen), seed, held_out.part(slice(count, None)))


def fit_family(
    fit: FamilyFit,
    material: Material,
    *,
    training: Run,
    progress: ProgressCallback,
    steps: int | None = None,
    minutes: float | None = None,
) -> tuple[Any, dict[str, dict[str, Any]]]:
    """The calibrated family and its figures by ``attribute/direction``; goes on with the run's checkpoint.

    minutes: what the run may take in all; attributes left share what is left. steps: for the progress bar.
    """
    family, figures = fit.start().requires_grad_(False), {}
    if state := training.load_checkpoint():
        family.load_state_dict(state["family"])
        figures = state["figures"]
    for number, attribute in enumerate(material.attributes):
        if f"{attribute}/{DIRECTIONS[-1]}" in figures:
            continue
        deadline = None
        if minutes is not None:
            left = max(1.0, 60 * minutes - training.seconds)
            deadline = time.monotonic() + left / (len(material.attributes) - number)
        stage = f"Fitting {attribute}, {number + 1} of {len(material.attributes)}"

        def report(step: int, loss: float, stage: str = stage) -> None:
            progress(Progress(stage, step, steps, training.seconds, loss))

        progress(Progress(stage, 0, steps, training.seconds))
        found = dict(fit.fit(family, attribute, deadline, report))
        own = {direction: found.pop(direction, {}) for direction in DIRECTIONS}
        for direction in DIRECTIONS:
            calibration = material.trial.calibrate(family, attribute, direction, most=fit.most)
            figures[f"{attribute}/{direction}"] = {
                "scale": calibration.scale,
                "target_change": calibration.change,
                "attribute_preservation": calibration.preservation,
                **found,
                **own[direction],
            }
            training.log(attribute=attribute, direction=direction, **figures[f"{attribute}/{direction}"])
        training.save_checkpoint({"family": family.state_dict(), "figures": figures})
        training.picture(attribute, material.trial.sheet(family, attribute))
    return family, figures


def summary(figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over all maps and by direction, and the figures of each map."""
    means: dict[str, Any] = {}
    for figure in ("target_change", "attribute_preservation"):
        for direction in DIRECTIONS:
            values = [f[figure] for name, f in figures.items() if name.endswith(f"/{direction}")]
            means[f"{figure}_{direction}_mean"] = float(np.mean(values))
    brief = ("scale", "target_change", "attribute_preservation")
    means["maps"] = {name: {key: round(f[key], 4) for key in brief} for name, f in figures.items()}
    return means


def labelled_attributes(pack: Pack) -> tuple[str, ...]:
    """Those of which the pictures that the pack learns from have labels."""
    return definition(pack.id).data_set.attributes


def chosen_attributes(names: str | None, pack: Pack) -> tuple[str, ...]:
    """Those of --attributes (None: all that can be) in the pack's order. Raises OptionError naming those that can be."""
    labelled = labelled_attributes(pack)
    known = [name for name in pack.manifest.mapped if name in labelled]
    wanted: Sequence[str] = known if names is None else [name for name in names.split(",") if name]
    unknown = sorted(set(wanted) - set(known))
    if unknown or not wanted:
        raise OptionError(f"--attributes {names}: known are {', '.join(known)}.")
    return tuple(name for name in known if name in wanted)
