"""``evaluate photos``: what edits do to all real photographs that there are here, pasted back and unselected.

Photographs have no exact labels and no true counterfactual: beside the pictures there are only the predictor's answers before
and after, and it was taught by renders.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from engines.core.errors import OptionError
from engines.evaluation.judges import Judges
from engines.evaluation.photos import Photo, credits_of
from engines.evaluation.picture_sets import chosen_names, picture_set
from engines.evaluation.setting import Setting, add_common_arguments
from engines.evaluation.ways import inverted
from engines.generators.weight_differences import tuned
from engines.imaging.align import Alignment
from engines.imaging.edit_region import limited
from engines.imaging.grids import picture_grid
from engines.inversion.result import Inversion
from engines.session.export import exported
from engines.session.regions import region_network_name, region_of

__all__ = ["HELP", "add_arguments", "run"]

HELP = "edits of real photographs, pasted back"

_USUAL = "Smiling=1,Smiling=-1,Eyeglasses=1,Beard=1,Bangs=1,Blond_Hair=1"
_SHOWN_PX = 240
_MARGIN = 0.3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=1)
    parser.add_argument("--method", default="encoder-refine", metavar="M", help="inversion method (default encoder-refine)")
    parser.add_argument("--steps", type=int, default=100, help="budget of methods that optimise, per photograph (default 100)")
    parser.add_argument(
        "--edits", default=_USUAL, metavar="A=ALPHA,…", help=f"the edits to show, each on its own (default {_USUAL})"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes a row of pictures a photograph; returns {photo: {mse, edits: [{attribute, alpha, before, after}]}}."""
    options = {"method": arguments.method, "steps": arguments.steps, "edits": arguments.edits}
    setting = Setting.open(arguments, "evaluate photos", options)
    pack, judges = setting.pack, Judges(setting.pack)
    chosen_names("method", arguments.method, pack.manifest.methods)
    edits = _edits(arguments.edits, pack.edit_maps.attributes)
    photos = picture_set(setting, "photos", 1)
    rows, labels, table, result = [], [], [], {}
    for index, (crop, upload, alignment, photo) in enumerate(
        zip(photos.crops, photos.uploads, photos.alignments, photos.photos, strict=True)
    ):
        setting.stage("Editing photographs", index, len(photos.crops))
        inversion = inverted(pack, crop, arguments.method, seed=arguments.seed, steps=arguments.steps)
        inversion = dataclasses.replace(inversion, alignment=alignment.to_json())
        pictures = _edited(judges, inversion, edits)
        before, *after = judges.probabilities(np.stack([inversion.reconstruction, *pictures]))
        own = {"photo": photo.name, "method": arguments.method, "mse": inversion.mse}
        judged = []
        for (attribute, alpha), answers in zip(edits, after, strict=True):
            k = judges.attributes.index(attribute)
            judged.append({"attribute": attribute, "alpha": alpha, "before": before[k], "after": answers[k]})
        table += [{**own, **line} for line in judged]
        result[photo.name] = {"mse": inversion.mse, "edits": judged}
        regions = [region_of(pack, crop, attribute) for attribute, _ in edits]
        within = [limited(*each) for each in zip(pictures, [inversion.reconstruction] * len(edits), regions, strict=True)]
        pasted = [exported(upload, inversion, picture, "detail") for picture in within]
        rows.append([_shown(picture, alignment) for picture in (upload, *pasted)])
        labels.append([photo.name, *(f"{attribute} {alpha:+g}" for attribute, alpha in edits)])
    return _write(setting, photos.photos, rows, labels, table, result)


def _edits(text: str, known: Sequence[str]) -> list[tuple[str, float]]:
    edits = []
    for word in text.split(","):
        attribute, _, value = word.strip().partition("=")
        try:
            alpha = float(value)
        except ValueError:
            alpha = float("nan")
        if attribute not in known or not np.isfinite(alpha):
            raise OptionError(f"--edits {word.strip()}: write ATTRIBUTE=NUMBER; attributes are {', '.join(known)}.")
        edits.append((attribute, alpha))
    return edits


def _edited(judges: Judges, inversion: Inversion, edits: Sequence[tuple[str, float]]) -> np.ndarray:
    """uint8 [n, R, R, 3]: each edit on its own, by the generator that the inversion is for."""
    w_plus = torch.from_numpy(inversion.w_plus.copy())[None]
    codes = np.concatenate([judges.pack.edit_maps.edit(w_plus, {name: alpha}).numpy() for name, alpha in edits])
    return judges.pictures(codes, tuned(judges.pack.generator, inversion.weight_differences))


def _shown(pixels: np.ndarray, alignment: Alignment) -> np.ndarray:
    """The photograph around what was inverted, [_SHOWN_PX, _SHOWN_PX, 3]: as much as is there of a square _MARGIN larger."""
    corners = alignment.corners()
    middle, half = corners.mean(0), (1 + _MARGIN) * np.ptp(corners, axis=0).max() / 2
    box = [round(float(side)) for side in (*(middle - half), *(middle + half))]
    around = Image.fromarray(pixels).crop(box)
    return np.asarray(around.resize((_SHOWN_PX, _SHOWN_PX), Image.Resampling.LANCZOS))


def _write(
    setting: Setting,
    photos: Sequence[Photo],
    rows: list[list[np.ndarray]],
    labels: list[list[str]],
    table: list[dict[str, Any]],
    result: dict[str, Any],
) -> dict[str, Any]:
    report = setting.report("Edits of real photographs")
    report.text(
        "All photographs of faces that anyone may use and that come with the project or with packages installed here, "
        "unselected: the upload, then each edit on its own, pasted back, cut around the face. `before` and `after`: the image "
        "predictor's probability of the attribute in the reconstruction and in the edited picture. It was taught by renders, "
        f"and photographs have no exact labels. Edits reach where their attributes show ({region_network_name(setting.pack)})."
    )
    report.table(table)
    report.picture("photos", picture_grid(rows, labels=labels), "Photographs and edits of them, pasted back.")
    report.text(credits_of(photos))
    return report.write(table, result)
