"""The evaluation page of a user's edit, on labelled pictures that its training has not seen.

Nobody but the edit's own latent classifier knows the new attribute. It is asked twice: of the edited code, which the edit was
made to convince, and of the code that the encoder gives of the edited picture. What the pack knows is judged by its own image
networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.editing.edit_maps import EditMaps
from engines.editing.family import DIRECTIONS
from engines.evaluation.metrics import attribute_preservation, balanced_accuracy, bootstrap_interval, target_change
from engines.evaluation.report import Provenance, ReportFolder, flat, plain
from engines.imaging.convert import to_tensor, to_uint8
from engines.imaging.grids import picture_grid
from engines.packs.load import Pack
from engines.predictors.latent_classifier import LatentClassifier

__all__ = ["write_user_edit_report"]

_BATCH = 16
_SHOWN = 8
_MOST_JUDGED = 200
"""Pictures a direction; more would only narrow the intervals."""


def write_user_edit_report(
    folder: Path,
    pack: Pack,
    edit_id: str,
    name: str,
    *,
    maps: EditMaps,
    classifier: LatentClassifier,
    codes: Tensor,
    has: np.ndarray,
    known: Sequence[str],
    kept: Mapping[str, np.ndarray],
    provenance: Provenance,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Writes report.md, table.csv, result.json and pictures into `folder`; returns the figures.

    codes [n, L, D] and has bool [n]: held-out examples. known: attributes of the pack; kept: direction -> which of them the
    edit should leave alone, bool [len(known)]. notes: sentences about the training for the report.
    """
    report = ReportFolder(folder, f"The edit {name}", provenance)
    with torch.inference_mode():
        latent = classifier(codes)[:, 0].numpy() > 0
    accuracy = balanced_accuracy(latent, has)
    rows, figures = [], {"classifier_balanced_accuracy": accuracy, "held_out": len(codes)}
    for direction, alpha in zip(DIRECTIONS, (1.0, -1.0), strict=True):
        chosen = np.flatnonzero(has != (direction == "add"))[:_MOST_JUDGED]
        judged = _Judged(pack, maps, classifier, codes[torch.from_numpy(chosen)], edit_id, alpha, known)
        found = _figures(judged, kept[direction], wanted=direction == "add", seed=provenance.seed)
        figures[direction] = found
        rows.append({"direction": direction, **found})
        _show(report, judged, name, direction)
        left_out = [each for each, stays in zip(known, kept[direction], strict=True) if not stays]
        if left_out:
            report.text(f"The labels tie these attributes to it, so that they may change along: {', '.join(left_out)}.")
        if shifts := _changes(judged, known):
            report.text("What else changed its answer most often:")
            report.table(shifts)
    report.heading("Figures")
    report.table([plain(row) for row in rows])
    report.text(
        f"On {len(codes)} held-out examples the edit's latent classifier has a balanced accuracy of {accuracy:.3f}. "
        "`latent_change`: share of edited codes that have changed sides for it, of those it had right before. "
        "`picture_change`: the same of the codes that the encoder gives of the pictures before and after. "
        "`attribute_preservation`: mean share of the pack's own attributes whose answer by its image predictor stays. "
        "Strength 1, intervals of 95 %."
    )
    for note in notes:
        report.text(note)
    report.write([flat(row) for row in rows], figures)
    return plain(figures)


class _Judged:
    """What all networks say of the pictures of some codes before and after the edit."""

    def __init__(
        self,
        pack: Pack,
        maps: EditMaps,
        classifier: LatentClassifier,
        codes: Tensor,
        edit_id: str,
        alpha: float,
        known: Sequence[str],
    ) -> None:
        order = [pack.attribute_predictor.attributes.index(each) for each in known]
        self.pictures: list[list[np.ndarray]] = [[], []]
        parts: dict[str, list[list[Tensor]]] = {key: [[], []] for key in ("latent", "seen", "others", "identity")}
        with torch.inference_mode():
            for start in range(0, len(codes), _BATCH):
                before = codes[start : start + _BATCH]
                for side, w in enumerate((before, maps.edit(before, {edit_id: alpha}))):
                    pixels = to_uint8(pack.generator.synthesis(w, noise_mode="const"))
                    image = to_tensor(np.array(pixels))
                    self.pictures[side] += list(pixels)
                    parts["latent"][side].append(classifier.probabilities(w)[:, 0])
                    parts["seen"][side].append(classifier.probabilities(pack.encoder(image))[:, 0])
                    parts["others"][side].append(pack.attribute_predictor.probabilities(image)[:, order])
                    if pack.has("identity"):
                        parts["identity"][side].append(pack.identity(image))
        tables = {key: [torch.cat(side).numpy() for side in sides] for key, sides in parts.items() if sides[0]}
        self.latent, self.seen, self.others = tables["latent"], tables["seen"], tables["others"]
        self.identity = (tables["identity"][0] * tables["identity"][1]).sum(axis=1) if "identity" in tables else None


def _figures(judged: _Judged, kept: np.ndarray, *, wanted: bool, seed: int) -> dict[str, Any]:
    measures = {
        "latent_change": target_change(*judged.latent, wanted=wanted),
        "picture_change": target_change(*judged.seen, wanted=wanted),
        "attribute_preservation": attribute_preservation(*judged.others, kept),
    }
    if judged.identity is not None:
        measures["identity"] = judged.identity
    found: dict[str, Any] = {"n": len(judged.latent[0])}
    for key, values in measures.items():
        values = np.asarray(values, np.float64)
        there = len(values) > 0 and bool(np.isfinite(values).all())
        found[key] = float(values.mean()) if there else float("nan")
        found[f"{key}_interval"] = bootstrap_interval(values, seed=seed) if there else (float("nan"), float("nan"))
    return found


def _changes(judged: _Judged, known: Sequence[str], most: int = 5) -> list[dict[str, Any]]:
    changed = ((judged.others[0] > 0.5) != (judged.others[1] > 0.5)).mean(axis=0)
    order = np.argsort(-changed, kind="stable")[:most]
    return [{"attribute": known[i], "share of pictures": float(changed[i])} for i in order if changed[i] > 0]


def _show(report: ReportFolder, judged: _Judged, name: str, direction: str) -> None:
    report.heading(f"{'Adding' if direction == 'add' else 'Removing'} it")
    rows = [pictures[:_SHOWN] for pictures in judged.pictures]
    said = [[f"{p:.2f}" for p in probabilities[:_SHOWN]] for probabilities in judged.seen]
    caption = (
        f"{name}, {direction}: held-out reconstructions above, edited at strength 1 below, with the probability that the "
        "latent classifier reads from the picture. Unselected."
    )
    report.picture(f"{direction}", picture_grid(rows, labels=said), caption)
