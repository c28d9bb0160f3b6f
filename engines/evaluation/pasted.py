"""``evaluate pasted``: edits back in the pictures they were made of, against the truth, with and without the edits' regions.

What a user keeps is not the generator's picture but the photo with the edit in it. Held-out renders take the photo's part: of
them the true counterfactual is known, and with it what an edit should have left alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from engines.core.errors import OptionError
from engines.editing.families import DEFAULT_FAMILY
from engines.evaluation.edit_verdicts import Edit, Sources, mean_over_edits, other_attributes
from engines.evaluation.edits import (
    Job,
    add_edit_arguments,
    chosen_attributes,
    edit_jobs,
    edit_options,
    inverted_sources,
    render_truths,
    truths_of,
)
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import attribute_preservation, target_change_of_each
from engines.evaluation.report import flat
from engines.evaluation.setting import Setting, add_common_arguments
from engines.imaging.align import align_whole
from engines.imaging.edit_region import limited
from engines.imaging.grids import picture_grid
from engines.session.export import with_edit
from engines.session.regions import region_network_name, region_of

__all__ = ["HELP", "add_arguments", "run", "stray_change"]

HELP = "edits back in their photos: distance to the true counterfactual, and what they change beside"

_SAME_LEVELS = 2
"""A counterfactual's pixels that differ by no more are not the attribute's."""
_AROUND_PX = 2
_SHOWN = ("Smiling", "Eyeglasses", "Beard", "Bangs", "Blond_Hair", "Pale_Skin")
_WAYS = ("everywhere", "region")

Values = dict[str, np.ndarray]
"""Measure -> [m], a number a picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=200)
    add_edit_arguments(parser, per_attribute=30)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {attribute: figures} and `mean`, that over attributes, with intervals over them."""
    setting = Setting.open(arguments, "evaluate pasted", edit_options(arguments))
    judges, pack = Judges(setting.pack), setting.pack
    if not pack.has("region_network"):
        raise OptionError(f"pack {pack.id} does not know where its attributes show: train regions comes first.")
    known = [name for name in chosen_attributes(arguments.attributes, setting) if name in pack.region_network.attributes]
    sources = inverted_sources(setting, judges, n=arguments.n, method=arguments.method)
    jobs, _ = edit_jobs(sources, judges, known, arguments.per_attribute)
    render_truths(setting, jobs, processes=arguments.processes)
    measured: dict[str, list[Values]] = {}
    rows, labels = [], []
    for index, job in enumerate(jobs):
        setting.stage("Pasting edits", index, len(jobs))
        values, pictures = _pasted(setting, judges, sources, job, arguments.alpha)
        measured.setdefault(job.attribute, []).append(values)
        if job.attribute in _SHOWN and job.direction == "add":
            # Every edit shows another person.
            shown = index % len(job.chosen)
            rows.append([column[shown] for column in pictures.values()])
            labels.append([job.attribute, *list(pictures)[1:]])
    setting.stage("Pasting edits", len(jobs), len(jobs))
    figures = {name: _figures(values) for name, values in measured.items()}
    figures["mean"] = mean_over_edits(list(figures.values()), seed=arguments.seed)
    return _write(setting, figures, rows, labels)


def _pasted(
    setting: Setting, judges: Judges, sources: Sources, job: Job, alpha: float
) -> tuple[Values, Mapping[str, Sequence[np.ndarray]]]:
    """The measures of one edit, and its pictures by what they are, each [m] of uint8 [R, R, 3]."""
    edit = Edit(setting.pack.family(DEFAULT_FAMILY), job.attribute, job.direction)
    photos, before = (pictures[job.chosen] for pictures in (sources.subjects.pictures, sources.reconstructions))
    edited, truths = edit.pictures(judges, sources.codes[job.chosen], alpha), truths_of(setting, job)
    regions = [region_of(setting.pack, photo, job.attribute) for photo in photos]
    k, wanted = judges.attributes.index(job.attribute), job.direction == "add"
    untied, _ = other_attributes(setting.pack.manifest, judges.attributes, job.attribute)
    seen = sources.probabilities_of_pictures[job.chosen]
    values: Values = {"distance_unedited": judges.perceptual(photos, truths)}
    pictures: dict[str, Sequence[np.ndarray]] = {"photo": photos}
    for way, where in zip(_WAYS, ([None] * len(photos), regions), strict=True):
        pasted = np.stack([_in_photo(*each) for each in zip(photos, before, edited, where, strict=True)])
        after = judges.probabilities(pasted)
        values[f"target_change_{way}"] = target_change_of_each(seen[:, k], after[:, k], wanted=wanted)
        values[f"attribute_preservation_{way}"] = attribute_preservation(seen, after, untied)
        values[f"distance_{way}"] = judges.perceptual(pasted, truths)
        values[f"stray_{way}"] = np.array([stray_change(*each) for each in zip(photos, pasted, truths, strict=True)])
        pictures[way] = pasted
    return values, {**pictures, "truth": truths}


def _in_photo(photo: np.ndarray, reconstruction: np.ndarray, edited: np.ndarray, region: np.ndarray | None) -> np.ndarray:
    _, alignment = align_whole(photo, photo.shape[0])
    return with_edit(photo, alignment, reconstruction, limited(edited, reconstruction, region))


def stray_change(photo: np.ndarray, pasted: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute change in levels where the counterfactual is the photo, all uint8 [R, R, 3]; NaN where it is nowhere."""
    differs = np.abs(truth.astype(int) - photo).max(axis=2) > _SAME_LEVELS
    around = F.max_pool2d(torch.from_numpy(differs[None].astype(np.float32)), 2 * _AROUND_PX + 1, 1, _AROUND_PX)[0] > 0
    alone = ~around.numpy()
    return float(np.abs(pasted.astype(int) - photo).mean(axis=2)[alone].mean()) if alone.any() else float("nan")


def _figures(directions: Sequence[Values]) -> dict[str, Any]:
    """Means over the pictures of both directions."""
    joined = {key: np.concatenate([values[key] for values in directions]) for key in directions[0]}
    return {**{key: float(np.nanmean(values)) for key, values in joined.items()}, "n": len(joined["distance_unedited"])}


def _write(
    setting: Setting, figures: Mapping[str, Any], rows: list[list[np.ndarray]], labels: list[list[str]]
) -> dict[str, Any]:
    report = setting.report("Edits back in their photos")
    report.text(_EXPLANATION.format(network=region_network_name(setting.pack)))
    report.table([{"over": "all attributes", **figures["mean"]}])
    report.table([{"attribute": name, **row} for name, row in figures.items() if name != "mean"])
    if rows:
        caption = "The photo, the edit pasted back everywhere and in its region, and the true counterfactual; unselected."
        report.picture("pasted", picture_grid(rows, labels=labels), caption)
    return report.write([{"attribute": name, **flat(row)} for name, row in figures.items()], figures)


_EXPLANATION = """
Held-out renders take the photo's part. Each attribute is turned into its opposite, and the edit is added to the photo: all that
it changes (`everywhere`), or in the part of the frame where the attribute shows or would show (`region`, as the app does it;
{network}). `target_change` and `attribute_preservation`: of the image predictor's answers, as in
`evaluate edits`, but of the photo before and after. `distance`: perceptual, to the true counterfactual; `distance_unedited`:
that of the photo itself. `stray`: mean absolute change, in levels of 255, of what the true counterfactual leaves as it is.
Intervals: 95 %, bootstrap over attributes, whose pictures are taken as given: they say how much the mean depends on which
attributes there are, not on which people. All attributes share the same people. Of fewer than about ten attributes intervals
are rough.
"""
