"""``evaluate inversion``: how well the methods find codes for pictures that nothing was trained on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from engines.core.errors import OptionError
from engines.core.progress import CancelToken
from engines.evaluation.judges import Judges
from engines.evaluation.metrics import attribute_preservation, bootstrap_interval
from engines.evaluation.setting import Setting, add_common_arguments
from engines.imaging.grids import picture_grid
from engines.inversion.methods import METHODS
from engines.inversion.options import InversionOptions
from engines.inversion.result import Inversion
from engines.packs.load import Pack

__all__ = ["HELP", "add_arguments", "inverted", "run"]

HELP = "error, perceptual distance, identity and seconds of every inversion method on held-out pictures"

_ROWS = (("best", 0.0), ("median", 0.5), ("worst", 1.0))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=200, sets=("faces", "faces-ood"))
    parser.add_argument("--methods", default=None, metavar="M,…", help="methods to compare (default: all of the pack)")
    parser.add_argument("--seconds", type=float, default=None, help="budget of methods that optimise, per picture")
    parser.add_argument("--steps", type=int, default=None, help="budget of methods that optimise, per picture")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: {`mse_median`, `mse_mean`, `perceptual_mean`, `seconds_mean`, `n`, …}}."""
    options = {"methods": arguments.methods, "seconds": arguments.seconds, "steps": arguments.steps}
    for name in ("seconds", "steps"):
        if options[name] is not None and not options[name] > 0:
            raise OptionError(f"--{name} {options[name]}: a budget must be above 0.")
    setting = Setting.open(arguments, "evaluate inversion", options)
    pack, judges, report = setting.pack, Judges(setting.pack), setting.report("How well pictures are inverted")
    methods = _chosen(arguments.methods, pack)
    crops = setting.subjects("test", arguments.n).pictures
    before = judges.probabilities(crops)
    everything = np.ones(before.shape[1], bool)
    figures: dict[str, Any] = {}
    found: dict[str, list[Inversion]] = {}
    for method in methods:
        found[method] = [
            inverted(pack, crop, method, seconds=arguments.seconds, steps=arguments.steps, seed=arguments.seed)
            for crop in _counted(setting, method, crops)
        ]
        reconstructions = np.stack([inversion.reconstruction for inversion in found[method]])
        mse = np.array([inversion.mse for inversion in found[method]])
        figures[method] = {
            "mse_median": float(np.median(mse)),
            "mse_mean": float(mse.mean()),
            "mse_mean_interval": bootstrap_interval(mse, seed=arguments.seed),
            "perceptual_mean": float(np.mean([inversion.perceptual for inversion in found[method]])),
            "identity_mean": float(judges.identity_similarity(crops, reconstructions).mean()),
            "attributes_kept": float(attribute_preservation(before, judges.probabilities(reconstructions), everything).mean()),
            "seconds_mean": float(np.mean([inversion.seconds for inversion in found[method]])),
            "n": len(mse),
        }
    report.table([{"method": method, **row} for method, row in figures.items()])
    report.text(_EXPLANATION)
    _picture(report, crops, found)
    return report.write([_flat(method, row) for method, row in figures.items()], figures)


def inverted(pack: Pack, crop: np.ndarray, method: str, *, seconds: float | None, steps: int | None, seed: int) -> Inversion:
    """The result of one inversion of an aligned picture uint8 [R, R, 3]."""
    result = None
    for record in METHODS[method](
        pack, np.array(crop), InversionOptions(seconds=seconds, steps=steps, seed=seed), CancelToken()
    ):
        result = record.result or result
    if result is None:
        raise RuntimeError(f"method {method} ended without a result")
    return result


def _chosen(names: str | None, pack: Pack) -> Sequence[str]:
    offered = pack.manifest.methods
    methods = [name.strip() for name in names.split(",") if name.strip()] if names else list(offered)
    unknown = [name for name in methods if name not in offered]
    if unknown:
        raise OptionError(f"--methods {','.join(unknown)}: pack {pack.id} offers {', '.join(offered)}.")
    return methods


def _counted(setting: Setting, method: str, crops: np.ndarray):
    # The first call also reads weights and warms the allocator up: not part of the seconds that are reported.
    inverted(setting.pack, crops[0], method, seconds=None, steps=1, seed=0)
    for index, crop in enumerate(crops):
        setting.stage(f"Inverting with {method}", index, len(crops))
        yield crop
    setting.stage(f"Inverting with {method}", len(crops), len(crops))


def _flat(method: str, row: dict[str, Any]) -> dict[str, Any]:
    low, high = row["mse_mean_interval"]
    rest = {key: value for key, value in row.items() if key != "mse_mean_interval"}
    return {"method": method, **rest, "mse_mean_low": low, "mse_mean_high": high}


def _picture(report: Any, crops: np.ndarray, found: dict[str, list[Inversion]]) -> None:
    last = list(found)[-1]
    order = np.argsort([inversion.mse for inversion in found[last]], kind="stable")
    chosen = [order[round(share * (len(order) - 1))] for _, share in _ROWS]
    rows = [[crops[i], *(found[method][i].reconstruction for method in found)] for i in chosen]
    caption = f"Best, median and worst picture by the error of {last}; columns: the picture, {', '.join(found)}."
    report.picture("best-median-worst", picture_grid(rows), caption)


_EXPLANATION = """
`mse`: mean squared difference in [-1, 1]; `perceptual`: distance of the pack's own perceptual network; `identity_mean`:
cosine of the identity features of picture and reconstruction; `attributes_kept`: share of the attribute predictions at
0.5 that the reconstruction leaves unchanged. Intervals: 95 %, bootstrap over pictures. The pictures are held-out renders:
photographs are harder.
"""
