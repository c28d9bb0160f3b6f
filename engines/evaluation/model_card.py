"""``evaluate card``: MODEL_CARD.md of a pack, from its manifest and from the reports of the other evaluations.

Nothing in it is typed by hand but the frame: figures come from ``result.json`` files, provenance from the manifest, and the
list of weaknesses from the figures. A report measured on other weights is shown with a warning; a missing one is named.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.core.atomic import write_text
from engines.core.errors import OptionError
from engines.core.paths import repository_dir
from engines.editing.families import DEFAULT_FAMILY
from engines.evaluation.report import markdown_table
from engines.packs.load import Pack
from engines.packs.manifest import Component, Manifest
from engines.packs.registry import open_pack

__all__ = ["HELP", "Result", "add_arguments", "read_results", "render_card", "run"]

HELP = "writes the pack's MODEL_CARD.md from its manifest and from the reports of the other evaluations"

_REPORTS = ("generator", "inversion", "predictors", "edits", "families", "regularity", "digits", "projection")
_OPTIONAL = ("families", "regularity")
"""Shown where they have been measured, and not missed."""
_OF_HARDER_PICTURES = ("projection",)
"""What these ask is how harder pictures fare."""

_WEAK_ACCURACY = 0.8
_WEAK_CHANGE = 0.5
_WEAK_STEPS = 0.5
_WEAK_CLASS = 0.8
_FAR_SAMPLES = 2.0
"""How many times the reconstructions' ratio that of samples may be: beyond it is the mapping network's fault."""


@dataclass(frozen=True)
class Result:
    """One evaluation's ``result.json``."""

    what: str
    command: str
    weights: str
    figures: Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    bundled = repository_dir() / "assets" / "results"
    parser.add_argument("--results", type=Path, default=bundled, metavar="DIR", help="where the reports lie, in any subfolders")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="where to write the card (default: the pack's folder)"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the card; returns its path, the reports that are `missing`, and those that are `outdated` (of other weights)."""
    pack = open_pack(arguments.pack)
    results = read_results(Path(arguments.results), pack.id)
    # Left where the command line looks for the place that it names when all is done.
    arguments.out = arguments.out or pack.folder
    path = Path(arguments.out) / "MODEL_CARD.md"
    write_text(path, render_card(pack, results))
    return {
        "card": str(path),
        "missing": [what for what in _asked_of(pack.manifest) if what not in results],
        "outdated": [what for what, result in results.items() if result.weights != pack.weights_hash],
    }


def read_results(folder: Path, pack_id: str) -> dict[str, Result]:
    """The reports on a pack below `folder`. Raises OptionError for no such folder, a damaged file, or two of one kind."""
    if not folder.is_dir():
        raise OptionError(f"--results {folder}: there is no such folder; run the other evaluations with --out below it first.")
    found: dict[str, Result] = {}
    for path in sorted(folder.rglob("result.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            source, figures = record["provenance"], record["result"]
            words = source["command"].split()
            # Benchmarks and users' own edits leave such a file too.
            if words[:3] == ["python", "-m", "engines"] and words[3] != "evaluate":
                continue
            what = words[words.index("evaluate") + 1]
            result = Result(what, source["command"], source["weights"], figures)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise OptionError(
                f"--results: {path} is not the result of an evaluation ({error}); remove it or run it again."
            ) from error
        # Harder pictures are another question; the card's tables begin with the pack's own kind of picture.
        harder = what not in _OF_HARDER_PICTURES and _of_harder_pictures(words)
        if source["pack"] != pack_id or harder or what not in _REPORTS:
            continue
        # `evaluate edits` answers two questions: how good the pack's edits are, and how families compare.
        what = "families" if what == "edits" and "--families" in words else what
        if what in found:
            kind = "edits --families" if what == "families" else what
            raise OptionError(f"--results {folder}: two reports of `evaluate {kind}` on pack {pack_id}; keep one.")
        found[what] = result
    return {what: found[what] for what in _REPORTS if what in found}


def _of_harder_pictures(words: list[str]) -> bool:
    """Whether a report's own figures, those of its first set, are about other pictures than the pack's."""
    first = words[words.index("--set") + 1].split(",")[0] if "--set" in words else ""
    return first.endswith("-ood") or first == "photos"


def render_card(pack: Pack, results: Mapping[str, Result]) -> str:
    """The card as Markdown."""
    manifest = pack.manifest
    parts = [
        f"# Model card: {manifest.title}",
        manifest.description,
        f"Pack `{manifest.id}`, {manifest.resolution} px, weights `{pack.weights_hash}`. "
        "Written by `python -m engines evaluate card` from the manifest and the reports; not edited by hand.",
        "## Use",
        _USE,
        "## Parts",
        markdown_table([_component_row(kind, entry) for kind, entry in manifest.components.items()]),
        _origins(pack),
        "## Figures",
    ]
    asked = _asked_of(manifest)
    for what in (what for what in _REPORTS if what in asked or (what in _OPTIONAL and what in results)):
        parts += [f"### {what.capitalize()}", *_figures(what, results.get(what), pack.weights_hash)]
    parts += ["## Limits", _limits(results), "## Licences", *(f"- {key}: {text}" for key, text in manifest.licences.items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def _asked_of(manifest: Manifest) -> list[str]:
    """The reports that a card needs: of packs with levels also their steps, of those with classes also projection."""
    ordered = manifest.ordered
    left_out = {
        "edits": len(ordered) == len(manifest.attributes),
        "digits": not ordered,
        "projection": not manifest.classes,
    }
    return [what for what in _REPORTS if not left_out.get(what) and what not in _OPTIONAL]


def _component_row(kind: str, entry: Component) -> dict[str, Any]:
    source = entry.provenance
    return {
        "part": kind,
        "MB": entry.bytes / 2**20,
        "weights": entry.dtype,
        "pictures seen": source.images_seen,
        "trained on": source.data,
        "data licence": source.data_licence,
        "weights licence": source.weights_licence,
    }


def _origins(pack: Pack) -> str:
    lines = []
    for kind, entry in pack.manifest.components.items():
        source = entry.provenance
        started = f", started from {source.initialised_from}" if source.initialised_from else ""
        lines.append(f"- {kind}: `{source.command}`, seed {source.seed}{started}")
    return "Commands that made them:\n\n" + "\n".join(lines)


def _figures(what: str, result: Result | None, weights: str) -> list[str]:
    if result is None:
        return [f"Not measured: no report of `evaluate {what}` was found."]
    parts = [f"    {result.command}"]
    if result.weights != weights:
        parts.append(f"**Measured on other weights (`{result.weights}`); measure again before relying on it.**")
    return [*parts, markdown_table(_TABLES[what](result.figures))]


def _generator_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    closeness = ("fd_ratio", "precision", "recall")
    keys = (*closeness, *(f"{key}_perceptual" for key in closeness), "fd_ratio_reconstructions", "fd_ratio_one_w")
    return [{key: figures.get(key) for key in (*keys, "nearest_train_ratio", "path_length_mean", "n")}]


def _inversion_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("mse_median", "mse_mean", "mse_to_best_fixed", "perceptual_mean", "identity_mean", "attributes_kept")
    keys = (*keys, "twice_identity", "seam_worst", "seconds_mean", "n")
    return [
        {"set": name, "method": method, **{key: row.get(key) for key in keys}}
        for name, methods in figures["sets"].items()
        for method, row in methods.items()
    ]


def _predictor_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("balanced_accuracy", "balanced_accuracy_on_reconstructions", "calibration_error")
    rows = [{"attribute": name, **{key: figures[key].get(name) for key in keys}} for name in figures["balanced_accuracy"]]
    return [{"attribute": "mean", **{key: figures.get(f"{key}_mean") for key in keys}}, *rows]


def _edit_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ["target_change", "attribute_preservation", "identity", "counterfactual_distance", "unedited_distance", "n"]
    judged = [row for directions in figures.values() for families in directions.values() for row in families.values()]
    if any(row.get("class_kept") is not None for row in judged):
        keys.insert(keys.index("identity") + 1, "class_kept")
    rows = []
    for name, directions in sorted(figures.items(), key=lambda item: item[0] != "mean"):
        for direction, families in directions.items():
            for family, row in families.items():
                head = {"attribute": name, "direction": direction, "family": family}
                rows.append({**head, **{key: row.get(key) for key in keys}})
    return rows


def _family_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Means over ten strengths from d to 2d."""
    keys = ("d", "target_change", "target_change_interval", "attribute_preservation", "attribute_preservation_interval")
    keys += ("identity", "best_distance", "unedited_distance")
    compared = {family: row["over_strengths"] for family, row in figures["mean"]["both"].items()}
    return [{"family": family, **{key: row.get(key) for key in keys}} for family, row in compared.items()]


def _regularity_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("mse", "layer_spread", "target_change", "attribute_preservation", "counterfactual_distance", "unedited_distance")
    return [{"point": name, **{key: row.get(key) for key in (*keys, "n")}} for name, row in figures["points"].items()]


def _step_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("family", "from", "to", "latent_success", "confirmed", "confirmed_low", "confirmed_high", "confirmed_by_count")
    keys += ("confirmed_by_count_low", "confirmed_by_count_high", "alpha", "changed_at_1", "changed_at_1_by_count", "n")
    return [{key: row.get(key) for key in keys} for row in figures["rows"]]


def _projection_rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = ("method", "transform", "encoder", "perceptual_mean", "perceptual_best", "l2_mean", "box_iou", "evaluations", "n")
    return [{key: row.get(key) for key in keys} for row in figures["rows"]]


_TABLES = {
    "generator": _generator_rows,
    "inversion": _inversion_rows,
    "predictors": _predictor_rows,
    "edits": _edit_rows,
    "families": _family_rows,
    "regularity": _regularity_rows,
    "digits": _step_rows,
    "projection": _projection_rows,
}


def _limits(results: Mapping[str, Result]) -> str:
    return "\n".join(f"- {line}" for line in [*_KNOWN_LIMITS, *_measured_limits(results)])


def _measured_limits(results: Mapping[str, Result]) -> list[str]:
    """What the figures say against the pack, in words."""
    lines = []
    if "generator" in results:
        lines.append(_distance_of_samples(results["generator"].figures))
    if "predictors" in results:
        accuracies = results["predictors"].figures["balanced_accuracy"]
        weak = [f"{name} ({x:.2f})" for name, x in accuracies.items() if _number(x) < _WEAK_ACCURACY]
        if weak:
            lines.append(f"The read-out is unsure (balanced accuracy below {_WEAK_ACCURACY}) about: {', '.join(weak)}.")
    if "edits" in results:
        rows = [row for row in _edit_rows(results["edits"].figures) if row["attribute"] != "mean"]
        timid = [_edit_name(row) for row in rows if _number(row["target_change"]) < _WEAK_CHANGE]
        if timid:
            lines.append(f"At 1.0 these edits change less than half of the pictures: {', '.join(timid)}.")
        away = [_edit_name(r) for r in rows if _number(r["counterfactual_distance"]) >= _number(r["unedited_distance"])]
        if away:
            lines.append(
                "These edits do not bring the picture nearer to the true counterfactual than no edit does, in mean squared "
                f"difference: {', '.join(away)}."
            )
        lost = [f"{_edit_name(r)} ({r['class_kept']:.2f})" for r in rows if _number(r.get("class_kept")) < _WEAK_CLASS]
        if lost:
            lines.append(f"At 1.0 these edits keep fewer than {_WEAK_CLASS} of the objects in their class: {', '.join(lost)}.")
    if "digits" in results:
        steps = [
            f"{row['from']} to {row['to']}"
            for row in results["digits"].figures["rows"]
            if row["family"] == DEFAULT_FAMILY and _number(row["confirmed"]) < _WEAK_STEPS
        ]
        if steps:
            lines.append(
                "Where the latent classifier is satisfied, the picture mostly still shows the old number, at these steps of "
                f"{DEFAULT_FAMILY}: {', '.join(steps)}. Strength 1.0 of the slider goes farther."
            )
        lines += _uncounted_steps(results["digits"].figures["rows"])
    return lines


def _uncounted_steps(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The steps that the image classifier confirms and the count mostly does not, in words."""
    own = [row for row in rows if row["family"] == DEFAULT_FAMILY and _number(row["confirmed"]) >= _WEAK_STEPS]
    weak = [row for row in own if _number(row.get("confirmed_by_count")) < _WEAK_STEPS]
    steps = [f"{row['from']} to {row['to']} ({row['confirmed_by_count']:.2f})" for row in weak]
    if not steps:
        return []
    return [
        "Where the latent classifier is satisfied, and mostly the image classifier too, a count that has learned nothing "
        f"mostly finds another number of digits, at these steps of {DEFAULT_FAMILY}: {', '.join(steps)}."
    ]


def _distance_of_samples(figures: Mapping[str, Any]) -> str:
    """The Fréchet ratio of samples, and what inverted pictures have."""
    samples, reconstructions = (_number(figures.get(key)) for key in ("fd_ratio", "fd_ratio_reconstructions"))
    compared = f", those of reconstructions {reconstructions:.1f} times" if math.isfinite(reconstructions) else ""
    measured = f"Fréchet distances of {figures['n']} pictures each; such ratios grow with their number"
    line = f"Samples lie {samples:.1f} times as far from held-out renders as training renders do{compared} ({measured})."
    if samples > _FAR_SAMPLES * reconstructions:
        line += " Pictures drawn anew are worse than those that are inverted and edited."
    return line


def _edit_name(row: Mapping[str, Any]) -> str:
    return f"{row['attribute']} {row['direction']}"


def _number(value: Any) -> float:
    """NaN for what was not measured: it then compares false with everything."""
    return math.nan if value is None else float(value)


_USE = (
    "For learning about, teaching and comparing inversion and editing of pictures, and for playing with one's own. Attribute "
    "names are names of switches of the renderer that drew the training pictures. They are not statements about people: do "
    "not use the read-out or the edits to sort, judge or identify anyone, and do not pass edited pictures of others off as "
    "photographs."
)

_KNOWN_LIMITS = (
    "All figures above are on held-out renders, but those of a set named photos. Photographs are harder to invert, and the "
    "predictors are less certain on them.",
    "Identity similarity and perceptual distance are those of this pack's own small networks: they compare edits and methods "
    "with each other, not with figures of other projects.",
    "The predictor that judges the edits is the one that the page shows and that set what strength 1.0 means; the distance to "
    "the true counterfactual does not depend on it.",
)
