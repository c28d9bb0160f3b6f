"""``evaluate morphs``: whether an object that is morphed into another class is seen as of it, and what else changes.

Every held-out picture is morphed into every class but its own, as the page does it, at several truncations of the class that
the morph leads to (:data:`engines.session.objects.ARRIVAL_TRUNCATION`).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.evaluation.edit_verdicts import Sources
from engines.evaluation.edits import inverted_sources
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import attribute_preservation, bootstrap_interval
from engines.evaluation.report import flat
from engines.evaluation.setting import Setting, add_common_arguments
from engines.imaging.grids import picture_grid
from engines.session.objects import ARRIVAL_TRUNCATION, morphed

__all__ = ["HELP", "add_arguments", "run"]

HELP = "objects morphed into every other class: how many are seen as of it, and what of their attributes stays"

_SHOWN_ROWS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=60)
    parser.add_argument("--method", default="encoder", metavar="M", help="inversion method (default encoder)")
    parser.add_argument(
        "--truncations",
        default="1,0.85,0.7,0.55,0.4",
        metavar="PSI,…",
        help=f"truncations of the class that a morph leads to; {ARRIVAL_TRUNCATION:g}, the page's, is always among them",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {truncation: {`mean` or class: figures}}."""
    truncations = _truncations(arguments.truncations)
    options = {"method": arguments.method, "truncations": ",".join(f"{psi:g}" for psi in truncations)}
    setting = Setting.open(arguments, "evaluate morphs", options)
    names = [row.id for row in setting.pack.manifest.classes]
    if len(names) < 2:
        raise OptionError(f"pack {setting.pack.id} has no classes to morph between.")
    judges = Judges(setting.pack)
    sources = inverted_sources(setting, judges, n=arguments.n, method=arguments.method)
    shares = judges.class_probabilities(sources.reconstructions)
    jobs = [(psi, target) for psi in truncations for target in range(len(names))]
    figures: dict[str, dict[str, Any]] = {}
    shown: dict[int, np.ndarray] = {}
    for number, (psi, target) in enumerate(jobs):
        setting.stage("Morphing", number, len(jobs))
        pictures = _morphed(judges, sources, shares, target, psi)
        others = np.flatnonzero(shares.argmax(1) != target)
        if psi == ARRIVAL_TRUNCATION:
            shown[target] = pictures
        if len(others):
            found = _figures(judges, sources, others, pictures[others], target, seed=arguments.seed)
            figures.setdefault(f"{psi:g}", {})[names[target]] = found
    setting.stage("Morphing", len(jobs), len(jobs))
    for rows in figures.values():
        rows["mean"] = _mean(list(rows.values()), seed=arguments.seed)
    return _write(setting, figures, names, sources, shown)


def _morphed(judges: Judges, sources: Sources, shares: np.ndarray, target: int, psi: float) -> np.ndarray:
    """All sources in the class `target`, uint8 [n, R, R, 3]."""
    label = torch.eye(shares.shape[1])[target]
    codes = [
        morphed(judges.pack, torch.from_numpy(own), torch.from_numpy(code)[None], label, arrival=psi).numpy()
        for own, code in zip(shares, sources.codes, strict=True)
    ]
    return judges.pictures(np.concatenate(codes))


def _figures(
    judges: Judges, sources: Sources, chosen: np.ndarray, pictures: np.ndarray, target: int, *, seed: int
) -> dict[str, Any]:
    reached = (judges.classes(pictures) == target).astype(float)
    kept = attribute_preservation(
        sources.probabilities[chosen], judges.probabilities(pictures), np.ones(len(judges.attributes), bool)
    )
    return {
        "class_reached": float(reached.mean()),
        "class_reached_interval": bootstrap_interval(reached, seed=seed),
        "attributes_kept": float(kept.mean()),
        "n": len(chosen),
    }


def _mean(rows: list[dict[str, Any]], *, seed: int) -> dict[str, Any]:
    """Over classes; the interval is over them, too."""
    reached = np.array([row["class_reached"] for row in rows])
    return {
        "class_reached": float(reached.mean()),
        "class_reached_interval": bootstrap_interval(reached, seed=seed),
        "attributes_kept": float(np.mean([row["attributes_kept"] for row in rows])),
        "n": sum(row["n"] for row in rows),
    }


def _truncations(text: str) -> list[float]:
    try:
        found = {float(word) for word in text.split(",") if word.strip()} | {ARRIVAL_TRUNCATION}
    except ValueError:
        found = {-1.0}
    if not all(0 <= psi <= 1 for psi in found):
        raise OptionError(f"--truncations {text}: use numbers from 0 to 1 with commas between them.")
    return sorted(found, reverse=True)


def _write(
    setting: Setting, figures: dict[str, dict[str, Any]], names: list[str], sources: Sources, shown: dict[int, np.ndarray]
) -> dict[str, Any]:
    report = setting.report("Objects morphed into other classes")
    report.text(_EXPLANATION)
    report.table([{"truncation": psi, **rows["mean"]} for psi, rows in figures.items()])
    report.heading(f"By class, at truncation {ARRIVAL_TRUNCATION:g}")
    usual = figures[f"{ARRIVAL_TRUNCATION:g}"]
    report.table([{"class": name, **usual[name]} for name in names if name in usual])
    count = min(_SHOWN_ROWS, len(sources.codes))
    rows = [
        [sources.subjects.pictures[i], sources.reconstructions[i], *(shown[target][i] for target in range(len(names)))]
        for i in range(count)
    ]
    caption = "Picture, reconstruction, and the morph into every class; unselected."
    report.picture("morphs", picture_grid(rows, labels=[["picture", "reconstruction", *names]] * count), caption)
    table = [{"truncation": psi, "class": name, **flat(row)} for psi, rows in figures.items() for name, row in rows.items()]
    return report.write(table, figures)


_EXPLANATION = """
Held-out pictures, each morphed into every class but the one that its reconstruction is seen as. `class_reached`: share that the
class predictor then sees as of that class; `attributes_kept`: share of the attribute predictor's answers that stay. Truncation:
that of the class the morph leads to, 1 for its whole spread. Intervals: 95 %, bootstrap over pictures, of means over classes.
"""
