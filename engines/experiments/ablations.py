"""``evaluate ablations``: what each part of Latent Wasserstein does, by training maps without it.

Doubinsky et al. 2023: sample weights (3.2), the attribute cost and its lambda (3.3), early stopping (4.1), and a perceptual
transport cost, which section 5 leaves to future work. All variants learn from the same codes, are calibrated by the same
pictures, and are judged on the same people; they are thrown away afterwards.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.errors import OptionError
from engines.data.registry import data_set
from engines.editing.edit_maps import EditMaps
from engines.evaluation.edit_verdicts import Edit, Sources, other_attributes, sweep
from engines.evaluation.edits import (
    Job,
    chosen_attributes,
    curves_from_d,
    edit_jobs,
    inverted_sources,
    render_truths,
    truths_of,
)
from engines.evaluation.family_curves import EditCurve, edit_curve
from engines.evaluation.judges import Judges
from engines.evaluation.picture_sets import chosen_names
from engines.evaluation.setting import Setting, add_common_arguments
from engines.experiments.ablation_report import Confounding, Training, write_ablation_report
from engines.experiments.variants import BASE, VARIANTS, WEIGHT_BY, Variant, base_recipe, variants_of
from engines.packs.load import Pack
from engines.training.codes import CodeSet
from engines.training.common import held_out_count
from engines.training.family_run import Material, fit_family, gather
from engines.training.lw_map import CodeSpace, TransportSpace
from engines.training.perceptual_cost import agreement, fit_perceptual_space
from engines.training.runs import Run, run_folder
from engines.training.sample_weights import label_correlation, sample_weights, weight_attributes
from engines.training.statistics import STATISTICS_PICTURES, latent_statistics
from engines.training.transport_fit import TransportFit

__all__ = ["HELP", "Ground", "add_arguments", "run", "train_variant"]

HELP = "Latent Wasserstein trained without each of its parts: weights, attribute cost, early stopping, Euclidean cost"

PAPER_ATTRIBUTES = ("Male", "Young", "Pale_Skin", "Eyeglasses")
"""Those of Table 1, and the one for which the paper raises lambda to 15."""
_FALLBACK_ATTRIBUTES = 4
_AGREEMENT_CODES = 200
_MOST_UNITS = 16.0
"""Strength 1 may be so many of a map's own units: a variant that was stopped early is to be judged at a like change."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What all variants stand on."""

    material: Material
    statistics: Mapping[str, Tensor]
    perceptual: CodeSpace | None
    """The space of the perceptual cost, where a variant asks for it."""
    agreement: Mapping[str, float]
    """Cost -> how well its order of distances is that of the perceptual distance; empty where nobody asks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=400)
    add = parser.add_argument
    add(
        "--variants",
        default="all",
        metavar="V,…",
        help=f"which, besides the base: all (default), or some of {', '.join(VARIANTS)}",
    )
    setting = "what the variants differ from: the paper's setting (default), or this project's"
    add("--setting", choices=("printed", "own"), default="printed", help=setting)
    add("--attributes", default=None, metavar="A,…", help=f"which attributes (default {','.join(PAPER_ATTRIBUTES)})")
    add("--steps", type=int, default=None, help="steps of a map (default 200 in the paper's setting, 40 in this project's)")
    add("--minutes", type=float, default=None, help="most minutes for the trainings of one variant")
    add("--pictures", type=int, default=8000, help="training pictures whose codes are learned from (default 8000)")
    add(
        "--metric-codes", type=int, default=1000, metavar="N", help="codes that the perceptual cost is fitted on (default 1000)"
    )
    add("--per-attribute", type=int, default=50, metavar="N", help="most pictures per attribute and direction (default 50)")
    add("--sweep", type=int, default=12, metavar="N", help="how many of them to find d for ten strengths from d to 2d; 0: none")
    add("--rate", type=float, default=0.5, metavar="SHARE", help="mean target change at which a variant's d lies (default 0.5)")
    add("--processes", type=int, default=None, metavar="N", help="renderer processes (default: one a core)")
    add("--run", default=None, metavar="DIR", help="folder of the trainings (default: in the data folder)")
    add("--resume", action="store_true", help="go on with the trainings that lie there")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains, judges and writes the report; returns `variants`, `attributes`, `cost_agreement` and the rows of every edit."""
    _check(arguments)
    options = {
        "variants": arguments.variants,
        "setting": arguments.setting,
        "attributes": arguments.attributes,
        "steps": arguments.steps,
        "minutes": arguments.minutes,
        "pictures": arguments.pictures,
        "metric-codes": arguments.metric_codes,
        "per-attribute": arguments.per_attribute,
        "sweep": arguments.sweep,
        "rate": arguments.rate,
    }
    setting = Setting.open(arguments, "evaluate ablations", options)
    pack, judges = setting.pack, Judges(setting.pack)
    attributes = _attributes(arguments.attributes, setting)
    recipe = base_recipe(arguments.setting, steps=arguments.steps, dim=pack.manifest.latent.dim)
    variants = [row for name, row in variants_of(recipe).items() if name in _names(arguments.variants)]
    ground = _ground(setting, variants, attributes, arguments)
    trained: dict[str, EditMaps] = {}
    trainings: dict[str, Training] = {}
    for number, variant in enumerate(variants):
        setting.stage("Training variants", number, len(variants))
        training = _run_of(variant, arguments, setting)
        trained[variant.name], trainings[variant.name] = train_variant(
            variant, ground, training, minutes=arguments.minutes, progress=arguments.progress
        )
    sources = inverted_sources(setting, judges, n=arguments.n)
    jobs, without_pictures = edit_jobs(sources, judges, attributes, arguments.per_attribute)
    render_truths(setting, jobs, processes=arguments.processes)
    calibrated, examples = _at_calibrated_strength(setting, judges, sources, trained, jobs, ground.material.train)
    curves: list[EditCurve] = []
    if arguments.sweep:
        sweeps = {name: [_swept(judges, sources, maps, job, arguments.sweep) for job in jobs] for name, maps in trained.items()}
        curves = curves_from_d(setting, judges, sources, trained, jobs, sweeps, arguments.rate)
    return write_ablation_report(
        setting,
        variants,
        trainings,
        calibrated,
        curves,
        confounding=[_confounding(ground.material.train, attribute) for attribute in attributes],
        agreement=ground.agreement,
        examples=examples,
        without_pictures=without_pictures,
    )


def train_variant(
    variant: Variant, ground: Ground, training: Run, *, minutes: float | None, progress: Any
) -> tuple[EditMaps, Training]:
    """The calibrated maps of the ground's attributes, and how their training went."""
    started = time.monotonic()
    space = ground.perceptual if variant.perceptual else None
    fit = TransportFit(
        ground.material, variant.recipe, family=None, statistics=ground.statistics, space=space, most=_MOST_UNITS
    )
    steps = variant.recipe.options.steps
    maps, figures = fit_family(fit, ground.material, training=training, progress=progress, steps=steps, minutes=minutes)
    rows = list(figures.values())

    def mean(key: str) -> float:
        return float(np.mean([row[key] for row in rows]))

    return maps, Training(
        steps=mean("steps"),
        best_step=mean("best_step"),
        loss_first=mean("loss_first"),
        loss_best=mean("loss_best"),
        scale=mean("scale"),
        seconds=time.monotonic() - started,
    )


def _ground(setting: Setting, variants: Sequence[Variant], attributes: Sequence[str], arguments: argparse.Namespace) -> Ground:
    """Codes of training and validation pictures, their statistics and, where a variant needs it, the perceptual space."""
    pack = setting.pack
    train, held_out = (
        _codes(setting, split, n) for split, n in (("train", arguments.pictures), ("validation", held_out_count(arguments)))
    )
    recipe = variants[0].recipe
    material = gather(
        pack, train, held_out, attributes, seed=setting.provenance.seed, change=recipe.change, certainty=recipe.certainty
    )
    every = max(1, len(train) // STATISTICS_PICTURES)
    statistics = latent_statistics(pack.generator.mapping.w_avg, train.codes[::every])
    if not any(variant.perceptual for variant in variants):
        return Ground(material, statistics, None, {})
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    chosen = train.codes[:: max(1, len(train) // arguments.metric_codes)][: arguments.metric_codes]
    stage = "Fitting the perceptual cost"
    space = fit_perceptual_space(
        chosen, mean, factors, _pictures(pack), pack.perceptual, report=lambda done: setting.stage(stage, done, len(chosen))
    )
    options = recipe.options
    plain = TransportSpace(mean, factors, components=options.components, whitening=options.whitening)
    spaces = {"Euclidean": plain, "perceptual": space}
    found = agreement(spaces, material.trial.codes[:_AGREEMENT_CODES], _pictures(pack), pack.perceptual)
    return Ground(material, statistics, space, found)


def _codes(setting: Setting, split: str, n: int) -> CodeSet:
    """Encoder codes of the first `n` pictures of a split, with labels in the order of the predictor."""
    subjects = setting.subjects(split, n)
    setting.stage(f"Encoding ({split})", 0, 1)
    codes = torch.from_numpy(Judges(setting.pack).codes(subjects.pictures))
    licence = data_set(setting.rendered).licence
    return CodeSet(codes, subjects.labels, tuple(setting.pack.attribute_predictor.attributes), licence)


def _pictures(pack: Pack) -> Any:
    return lambda codes: pack.generator.synthesis(codes, noise_mode="const").clamp(-1, 1)


def _at_calibrated_strength(
    setting: Setting,
    judges: Judges,
    sources: Sources,
    trained: Mapping[str, EditMaps],
    jobs: Sequence[Job],
    train: CodeSet,
) -> tuple[list[EditCurve], list[tuple[str, list[np.ndarray]]]]:
    """Every variant at strength 1, and for each edit the pictures of one person, unselected."""
    curves, examples = [], []
    for number, job in enumerate(jobs):
        setting.stage("Judging variants", number, len(jobs))
        truths = truths_of(setting, job)
        place = number % len(job.chosen)
        person = job.chosen[place]
        shown = [sources.subjects.pictures[person], sources.reconstructions[person]]
        groups = {"confounder_preservation": _confounders(judges, job, train)}
        for name, maps in trained.items():
            edit = Edit(maps, job.attribute, job.direction)
            curves.append(edit_curve(judges, sources, edit, job.chosen, truths, name, (1.0,), groups))
            shown.append(edit.pictures(judges, sources.codes[person][None], 1.0)[0])
        examples.append((f"{'+' if job.direction == 'add' else '-'} {job.attribute}", [*shown, truths[place]]))
    setting.stage("Judging variants", len(jobs), len(jobs))
    return curves, examples


def _confounders(judges: Judges, job: Job, train: CodeSet) -> np.ndarray:
    """The attributes bool [K], in the judges' order, by whose combinations the weightings weigh this edit's samples."""
    by = weight_attributes(train.labels, train.attributes.index(job.attribute), job.direction, WEIGHT_BY)
    names = {train.attributes[column] for column in by}
    untied, _ = other_attributes(judges.pack.manifest, judges.attributes, job.attribute)
    return untied & np.array([name in names for name in judges.attributes])


def _confounding(train: CodeSet, attribute: str) -> Confounding:
    k = train.attributes.index(attribute)
    by = weight_attributes(train.labels, k, "add", WEIGHT_BY)
    has = train.labels[:, k]
    missing = sample_weights(train.labels[~has][:, by], train.labels[has][:, by], "target-matched").missing
    gamma = label_correlation(train.labels)[k]
    return Confounding(attribute, tuple((train.attributes[column], float(gamma[column])) for column in by), len(missing))


def _swept(judges: Judges, sources: Sources, maps: EditMaps, job: Job, count: int) -> tuple[str, list[dict[str, float]]]:
    return job.attribute, sweep(judges, sources, Edit(maps, job.attribute, job.direction), job.chosen[:count])


def _run_of(variant: Variant, arguments: argparse.Namespace, setting: Setting) -> Run:
    folder = run_folder(setting.pack.id, f"ablations-{arguments.setting}", arguments.run) / variant.name
    config = {
        "what": f"ablation {variant.name} of the {arguments.setting} setting",
        "weights": setting.provenance.weights,
        "seed": arguments.seed,
        "steps": variant.recipe.options.steps,
        "pictures": arguments.pictures,
        "attributes": _attributes(arguments.attributes, setting),
        "minutes": arguments.minutes,
        **variant.described(),
    }
    # An earlier attempt may have ended before this variant began.
    return Run.open(folder, config, resume=arguments.resume and (folder / "checkpoint.pt").exists())


def _attributes(names: str | None, setting: Setting) -> list[str]:
    known = chosen_attributes(names, setting)
    if names is not None:
        return known
    return [name for name in PAPER_ATTRIBUTES if name in known] or known[:_FALLBACK_ATTRIBUTES]


def _names(text: str) -> list[str]:
    """The variants of a list with commas, the base among them in any case."""
    return list(VARIANTS) if text == "all" else [BASE, *chosen_names("variants", text, VARIANTS)]


def _check(arguments: argparse.Namespace) -> None:
    _names(arguments.variants)
    if arguments.per_attribute < 1 or arguments.sweep < 0 or not 0 < arguments.rate < 1:
        raise OptionError("--per-attribute must be at least 1, --sweep at least 0, and --rate between 0 and 1.")
    if arguments.steps is not None and arguments.steps < 1:
        raise OptionError(f"--steps {arguments.steps}: at least one step is needed.")
    if arguments.minutes is not None and not arguments.minutes > 0:
        raise OptionError(f"--minutes {arguments.minutes:g}: give a number above 0.")
    if arguments.pictures < 8 or arguments.metric_codes < 8:
        raise OptionError("--pictures and --metric-codes must be at least 8.")
