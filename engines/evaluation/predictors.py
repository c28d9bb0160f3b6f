"""``evaluate predictors``: whether what the page says about a picture is true, on renders, reconstructions and samples.

Every other table leans on the attribute predictor; this one says how far it can be leaned on.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from engines.evaluation.judges import Judges, sample_codes
from engines.evaluation.metrics import balanced_accuracy, bootstrap_interval, calibration_error
from engines.evaluation.report import ReportFolder
from engines.evaluation.setting import Setting, Subjects, add_common_arguments
from engines.imaging.grids import picture_grid
from engines.packs.samples import decided_labels
from engines.predictors.boxes import box_overlap

__all__ = ["HELP", "add_arguments", "run"]

HELP = "balanced accuracy and calibration of the attribute predictor, on renders, reconstructions and samples"

_GRID_COLUMNS = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=2000)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns `balanced_accuracy: {A: x}`, `balanced_accuracy_on_reconstructions: {A: x}` and more."""
    setting = Setting.open(arguments, "evaluate predictors", {})
    judges, report = Judges(setting.pack), setting.report("How far the predictors can be trusted")
    subjects = setting.subjects("test", arguments.n)
    setting.stage("Reconstructing", 0, 2)
    codes = judges.codes(subjects.pictures)
    reconstructions = judges.pictures(codes)
    setting.stage("Predicting", 1, 2)
    on_renders, on_reconstructions = (judges.probabilities(x) for x in (subjects.pictures, reconstructions))
    columns: dict[str, list[float]] = {
        "prevalence": list(subjects.labels.mean(axis=0)),
        "balanced_accuracy": _accuracies(on_renders > 0.5, subjects.labels),
        "balanced_accuracy_on_reconstructions": _accuracies(on_reconstructions > 0.5, subjects.labels),
        "calibration_error": _calibration(on_renders, subjects.labels),
        "calibration_error_on_reconstructions": _calibration(on_reconstructions, subjects.labels),
    }
    if setting.pack.has("latent_classifier"):
        columns["balanced_accuracy_of_latent_classifier"] = _accuracies(judges.latent_logits(codes) > 0, subjects.labels)
        drawn = sample_codes(setting.pack, arguments.n, seed=arguments.seed)
        on_samples = judges.probabilities(judges.pictures(drawn)) > 0.5
        columns["agreement_on_samples"] = _accuracies(on_samples, judges.latent_logits(drawn) > 0)
        if set(judges.attributes) <= set(setting.pack.generator.config.gates):
            decided = decided_labels(setting.pack, arguments.n, seed=arguments.seed)
            labels = np.stack([decided[name] for name in judges.attributes], axis=1)
            columns["balanced_accuracy_on_samples"] = _accuracies(on_samples, labels)
    rows = [
        {"attribute": name, **{key: float(values[k]) for key, values in columns.items()}}
        for k, name in enumerate(judges.attributes)
    ]
    summary = {"n": arguments.n, **_summary(columns, subjects, on_renders, arguments.seed)}
    report.table([summary])
    report.text(_EXPLANATION)
    report.table(rows)
    _picture(report, subjects, on_renders, judges.attributes)
    figures = {key: dict(zip(judges.attributes, values, strict=True)) for key, values in columns.items()}
    objects = _objects(judges, subjects)
    if objects:
        report.heading("Classes and boxes")
        report.text(_OBJECT_EXPLANATION)
        report.table([{key: value for key, value in objects.items() if not isinstance(value, dict)}])
        summary |= objects
    return report.write([*rows, {"attribute": "mean", **_means(columns)}], {**figures, **summary})


def _objects(judges: Judges, subjects: Subjects) -> dict[str, Any]:
    """How often the class predictor is right, and how well the detector's boxes fit; what the pack lacks is left out."""
    pack, figures = judges.pack, {}
    if pack.has("class_predictor") and subjects.classes is not None:
        right = judges.classes(subjects.pictures) == subjects.classes
        chosen = {row.id: subjects.classes == number for number, row in enumerate(pack.manifest.classes)}
        by_class = {name: float(right[mask].mean()) for name, mask in chosen.items() if mask.any()}
        figures |= {"class_accuracy": float(right.mean()), "class_accuracy_by_class": by_class}
    if pack.has("box_detector") and subjects.boxes is not None:
        found = torch.from_numpy(judges.boxes(subjects.pictures))
        overlap = box_overlap(found, torch.from_numpy(subjects.boxes).float())[0].numpy()
        figures |= {"box_iou_mean": float(overlap.mean()), "box_iou_worst_tenth": float(np.quantile(overlap, 0.1))}
    return figures


def _accuracies(predicted: np.ndarray, labels: np.ndarray) -> list[float]:
    return [balanced_accuracy(predicted[:, k], labels[:, k]) for k in range(labels.shape[1])]


def _calibration(probabilities: np.ndarray, labels: np.ndarray) -> list[float]:
    return [calibration_error(probabilities[:, k], labels[:, k]) for k in range(labels.shape[1])]


def _means(columns: dict[str, list[float]]) -> dict[str, float]:
    # An attribute that never (or always) occurs among the pictures has no balanced accuracy and is left out of the mean.
    return {key: float(np.nanmean(values)) for key, values in columns.items() if not np.all(np.isnan(values))}


def _summary(columns: dict[str, list[float]], subjects: Subjects, probabilities: np.ndarray, seed: int) -> dict[str, Any]:
    summary: dict[str, Any] = {f"{key}_mean": value for key, value in _means(columns).items() if key != "prevalence"}
    for key in ("balanced_accuracy", "balanced_accuracy_on_reconstructions"):
        if f"{key}_mean" in summary:
            summary[f"{key}_worst"] = float(np.nanmin(columns[key]))
    right = ((probabilities > 0.5) == subjects.labels).mean(axis=1)
    return {**summary, "accuracy_mean": float(right.mean()), "accuracy_interval": bootstrap_interval(right, seed=seed)}


def _picture(report: ReportFolder, subjects: Subjects, probabilities: np.ndarray, attributes: tuple[str, ...]) -> None:
    """The most confident mistake of every attribute."""
    shown, labels = [], []
    for k, name in enumerate(attributes):
        surprise = np.where(subjects.labels[:, k], 1 - probabilities[:, k], probabilities[:, k])
        worst = int(np.argmax(surprise))
        if surprise[worst] > 0.5:
            shown.append(subjects.pictures[worst])
            labels.append(f"{'no ' if subjects.labels[worst, k] else ''}{name} {surprise[worst]:.2f}")
    if shown:
        starts = range(0, len(shown), _GRID_COLUMNS)
        rows, texts = ([items[i : i + _GRID_COLUMNS] for i in starts] for items in (shown, labels))
        grid = picture_grid(rows, labels=texts)
        report.picture(
            "mistakes", grid, "The most confident mistake of each attribute: what the predictor said, and how surely."
        )


_OBJECT_EXPLANATION = """
`class_accuracy`: share of pictures whose most probable class is the true one. `box_iou_mean`: mean intersection over union of
the detector's box with the object's true one; nine in ten pictures have at least `box_iou_worst_tenth`.
"""

_EXPLANATION = """
Balanced accuracy is the mean of the shares of positives and of negatives that are right at 0.5: a coin gets 0.5. Labels
are exact, being factors of the renderer. "On reconstructions" judges the encoder's reconstruction by the label of the
render it was made from: it falls where the reconstruction loses what the label names, so it is a limit of the
reconstruction as much as of the predictor. `agreement_on_samples`: balanced agreement of the image predictor, looking at
generated samples, with the latent classifier, looking at their codes. `balanced_accuracy_on_samples`, where latents decide
labels before they become codes (the generator's gates): whether the sample shows what its latent decided.
Calibration error: expected calibration error (Guo et al. 2017), 15 bins.
"""
