"""``evaluate needless``: edits of pictures that do not call for them, with and without :mod:`engines.session.need`.

Half of all slider moves ask for what is so already: a beard taken off a smooth chin. The true counterfactual of such an edit is
the picture itself. `evaluate edits` says nothing about them, since it turns every attribute into its opposite.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

from engines.editing.families import DEFAULT_FAMILY
from engines.editing.family import DIRECTIONS
from engines.evaluation.edit_verdicts import Edit, Sources, mean_over_edits, other_attributes
from engines.evaluation.edits import add_edit_arguments, chosen_attributes, edit_options, inverted_sources
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import attribute_preservation, target_change_of_each
from engines.evaluation.report import flat
from engines.evaluation.setting import Setting, add_common_arguments
from engines.imaging.grids import picture_grid
from engines.session.need import needed

__all__ = ["HELP", "add_arguments", "run"]

HELP = "edits that the picture does not call for, in full and as far as needed: what they change"

_WAYS = ("full", "as_needed")
_SHOWN_ROWS = 8

Values = dict[str, np.ndarray]
"""Measure -> [m], a number a picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=100)
    add_edit_arguments(parser, per_attribute=20)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {attribute: {direction: figures}} and `mean`, that over edits, with intervals over them."""
    setting = Setting.open(arguments, "evaluate needless", edit_options(arguments))
    judges = Judges(setting.pack)
    attributes = chosen_attributes(arguments.attributes, setting)
    sources = inverted_sources(setting, judges, n=arguments.n, method=arguments.method)
    edits = [(attribute, direction) for attribute in attributes for direction in DIRECTIONS]
    figures: dict[str, dict[str, Any]] = {}
    rows, labels = [], []
    for index, (attribute, direction) in enumerate(edits):
        setting.stage("Editing", index, len(edits))
        edit = Edit(setting.pack.family(DEFAULT_FAMILY), attribute, direction)
        has = sources.subjects.labels[:, judges.attributes.index(attribute)]
        so_already = has == (direction == "add")
        needless, called_for = (np.flatnonzero(side)[: arguments.per_attribute] for side in (so_already, ~so_already))
        measured: Values = {}
        if len(needless):
            values, pictures = _beside(judges, sources, edit, needless, arguments.alpha)
            measured |= values
            rows.append([pictures[way][index % len(needless)] for way in ("before", *_WAYS)])
            labels.append([f"{attribute} {'+' if direction == 'add' else '-'}", *_WAYS])
        if len(called_for):
            measured |= _wanted(judges, sources, edit, called_for, arguments.alpha)
        known = {"n": len(needless), "n_called_for": len(called_for)}
        figures.setdefault(attribute, {})[direction] = {
            **{name: float(np.nanmean(each)) for name, each in measured.items() if np.isfinite(each).any()},
            **known,
        }
    setting.stage("Editing", len(edits), len(edits))
    every = [row for directions in figures.values() for row in directions.values()]
    figures["mean"] = {"both": mean_over_edits(every, seed=arguments.seed)}
    return _write(setting, figures, rows, labels)


def _edited(judges: Judges, sources: Sources, edit: Edit, chosen: np.ndarray, alpha: float, *, as_needed: bool) -> np.ndarray:
    """uint8 [m, R, R, 3]."""
    codes = sources.codes[chosen]
    if not as_needed:
        return edit.pictures(judges, codes, alpha)
    sign = 1 if edit.direction == "add" else -1
    seen = sources.probabilities[chosen, judges.attributes.index(edit.attribute)]
    strengths = [sign * needed(sign * alpha, float(share)) for share in seen]
    each = [edit.codes(codes[i : i + 1], strength) for i, strength in enumerate(strengths)]
    return judges.pictures(np.concatenate(each))


def _beside(
    judges: Judges, sources: Sources, edit: Edit, chosen: np.ndarray, alpha: float
) -> tuple[Values, Mapping[str, np.ndarray]]:
    """What edits of pictures change that are so already, and the pictures, uint8 [m, R, R, 3], before and by way."""
    before, seen = sources.reconstructions[chosen], sources.probabilities[chosen]
    untied, _ = other_attributes(judges.pack.manifest, judges.attributes, edit.attribute)
    values: Values = {}
    pictures = {"before": before}
    for way in _WAYS:
        after = pictures[way] = _edited(judges, sources, edit, chosen, alpha, as_needed=way == "as_needed")
        values[f"change_{way}"] = np.abs(after.astype(int) - before).mean(axis=(1, 2, 3))
        values[f"others_kept_{way}"] = attribute_preservation(seen, judges.probabilities(after), untied)
        values[f"identity_{way}"] = judges.identity_similarity(before, after)
        values[f"class_kept_{way}"] = judges.class_kept(before, after)
    return values, pictures


def _wanted(judges: Judges, sources: Sources, edit: Edit, chosen: np.ndarray, alpha: float) -> Values:
    """What edits of pictures bring that call for them; NaN where the reconstruction shows it already."""
    k, wanted = judges.attributes.index(edit.attribute), edit.direction == "add"
    values: Values = {}
    for way in _WAYS:
        after = _edited(judges, sources, edit, chosen, alpha, as_needed=way == "as_needed")
        now = judges.probabilities(after)[:, k]
        values[f"target_change_{way}"] = target_change_of_each(sources.probabilities[chosen, k], now, wanted=wanted)
        values[f"called_for_class_kept_{way}"] = judges.class_kept(sources.reconstructions[chosen], after)
    return values


def _write(
    setting: Setting, figures: Mapping[str, Any], rows: list[list[np.ndarray]], labels: list[list[str]]
) -> dict[str, Any]:
    report = setting.report("Edits that are not called for")
    report.text(_EXPLANATION)
    report.table([{"over": "all edits", **figures["mean"]["both"]}])
    table = [
        {"attribute": name, "direction": direction, **row}
        for name, directions in figures.items()
        if name != "mean"
        for direction, row in directions.items()
    ]
    report.table(table)
    # Of every few edits one, so that all groups of attributes are seen.
    shown = range(0, len(rows), max(1, len(rows) // _SHOWN_ROWS))
    caption = "The reconstruction, the edit in full, and as far as needed; every picture is so already; unselected."
    report.picture("needless", picture_grid([rows[i] for i in shown], labels=[labels[i] for i in shown]), caption)
    return report.write([flat(row) for row in table], figures)


_EXPLANATION = """
Held-out pictures that show what the edit brings already (`add`), or do not show what it takes away (`remove`). `full`: the edit
at the strength that is judged; `as_needed`: as far as the predictor's answer about the reconstruction calls for, as the page
does it unless it is told otherwise. `change`: mean absolute difference to the reconstruction, in levels of 255.
`others_kept`: share of the other attributes' answers that stay. Beside, of pictures that call for the edit: `target_change`, as
in `evaluate edits`; `n_called_for` of them. Intervals: 95 %, bootstrap over edits, an attribute and a direction each, whose
pictures are taken as given: they say how much the mean depends on which edits there are, not on which people. All edits share
the same few people. Of fewer than about ten edits intervals are rough.
"""
