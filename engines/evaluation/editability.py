"""``evaluate editability``: whether a generator that was tuned for one picture still does everything else as before.

Held-out pictures are inverted by methods that tune the generator. The same edits of the same codes are painted by the tuned
generator and by the pack's own; and codes that have nothing to do with the picture are painted by both.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.evaluation.edits import chosen_attributes
from engines.evaluation.judges import Judges, sample_codes
from engines.evaluation.metrics import bootstrap_interval, squared_difference
from engines.evaluation.report import ReportFolder, flat
from engines.evaluation.setting import Setting, Subjects, add_common_arguments
from engines.evaluation.tuned_edits import EditTally, edit_figures, random_change, tallied
from engines.evaluation.ways import chosen_ways, inverted
from engines.generators.stylegan2 import Generator
from engines.generators.weight_differences import tuned
from engines.imaging.grids import picture_grid
from engines.inversion.result import Inversion
from engines.tuning.methods import TUNING_METHODS

__all__ = ["HELP", "add_arguments", "run"]

HELP = "whether edits still work on tuned generators, and how much other pictures change"

_WAYS = "fine-tune,clone,clone:none"
_SHOWN = 6  # faces and random codes on the sheets


@dataclass(frozen=True, eq=False)
class _Case:
    """One picture, tuned for in one way."""

    crop: np.ndarray
    """uint8 [R, R, 3]."""
    mse: float
    untuned_mse: float
    """Of the shared generator's picture of the same codes."""
    seconds: float
    on_tuned: EditTally
    on_shared: EditTally
    random: Mapping[str, float]
    """Figures of :func:`random_change`."""
    shown_edit: str
    """``+Smiling`` or ``-Smiling``."""
    shown: np.ndarray
    """uint8 [4, R, R, 3]: the shared generator's picture of the codes, of one edit of them, and the tuned one's of both."""
    random_shown: np.ndarray
    """uint8 [m, R, R, 3]: the tuned generator's pictures of the first random codes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=20)
    parser.add_argument(
        "--methods",
        default=_WAYS,
        metavar="M,…",
        help=f"methods that tune; clone:none is without a global loss (default {_WAYS})",
    )
    parser.add_argument("--attributes", default=None, metavar="A,…", help="which attributes (default: all that have an edit)")
    parser.add_argument("--alpha", type=float, default=1.0, help="strength of the edits (default 1.0)")
    parser.add_argument("--codes", type=int, default=500, metavar="N", help="random codes for both generators (default 500)")
    parser.add_argument("--seconds", type=float, default=None, help="budget of the tuning, per picture")
    parser.add_argument("--steps", type=int, default=None, help="budget of the tuning, per picture")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns {method: figures}."""
    names = ("methods", "attributes", "alpha", "codes", "seconds", "steps")
    options = {name: getattr(arguments, name) for name in names}
    if arguments.codes < 2 or not arguments.alpha > 0:
        raise OptionError("--codes must be at least 2, and --alpha above 0.")
    setting = Setting.open(arguments, "evaluate editability", options)
    pack, judges = setting.pack, Judges(setting.pack)
    ways = chosen_ways(arguments.methods, pack)
    if fixed := [way for way in ways if way.partition(":")[0] not in TUNING_METHODS]:
        raise OptionError(f"--methods {','.join(fixed)}: name methods that tune the generator, {', '.join(TUNING_METHODS)}.")
    attributes = chosen_attributes(arguments.attributes, setting)
    subjects = setting.subjects("test", arguments.n)
    codes = sample_codes(pack, arguments.codes, seed=arguments.seed)
    samples = judges.pictures(codes)
    cases = {way: list(_cases(setting, judges, way, subjects, attributes, codes, samples, arguments)) for way in ways}
    figures = {way: _figures(found, seed=arguments.seed) for way, found in cases.items()}
    report = setting.report("What tuned generators still do")
    report.table([{"method": way, **row} for way, row in figures.items()])
    report.text(_EXPLANATION)
    _pictures(report, cases, samples)
    return report.write([{"method": way, **flat(row)} for way, row in figures.items()], figures)


def _cases(
    setting: Setting,
    judges: Judges,
    way: str,
    subjects: Subjects,
    attributes: Sequence[str],
    codes: np.ndarray,
    samples: np.ndarray,
    arguments: argparse.Namespace,
) -> Iterator[_Case]:
    """The pictures, one after the other, tuned for in one way and judged."""
    columns = [judges.attributes.index(name) for name in attributes]
    for index, crop in enumerate(subjects.pictures):
        setting.stage(f"Tuning by {way}", index, len(subjects.pictures))
        budget = {"seconds": arguments.seconds, "steps": arguments.steps}
        inversion = inverted(setting.pack, crop, way, seed=arguments.seed, **budget)
        # Every edit turns what the portrait's exact label says into its opposite.
        wanted = ~subjects.labels[index, columns]
        edited = _edited(judges, inversion.w_plus, attributes, wanted, arguments.alpha)
        generator = tuned(setting.pack.generator, inversion.weight_differences)
        yield _case(judges, inversion, generator, edited, attributes, wanted, codes, samples, shown=index % len(attributes))
    setting.stage(f"Tuning by {way}", len(subjects.pictures), len(subjects.pictures))


def _case(
    judges: Judges,
    inversion: Inversion,
    generator: Generator,
    edited: np.ndarray,
    attributes: Sequence[str],
    wanted: np.ndarray,
    codes: np.ndarray,
    samples: np.ndarray,
    *,
    shown: int,
) -> _Case:
    """Judges one tuned generator; `shown` is the edit that the sheet shows."""

    def paint_tuned(w_plus: np.ndarray) -> np.ndarray:
        return judges.pictures(w_plus, generator)

    code = inversion.w_plus
    random_pictures = paint_tuned(codes)
    pair = np.stack([code, edited[shown]])
    pictures = [paint(pair) for paint in (judges.pictures, paint_tuned)]
    return _Case(
        inversion.crop,
        inversion.mse,
        float(squared_difference(inversion.crop[None], pictures[0][:1])[0]),
        inversion.seconds,
        tallied(judges, paint_tuned, code, edited, attributes, wanted),
        tallied(judges, judges.pictures, code, edited, attributes, wanted),
        random_change(random_pictures, samples),
        f"{'+' if wanted[shown] else '-'}{attributes[shown]}",
        np.concatenate(pictures),
        random_pictures[:_SHOWN],
    )


@torch.no_grad()
def _edited(judges: Judges, code: np.ndarray, attributes: Sequence[str], wanted: np.ndarray, alpha: float) -> np.ndarray:
    """Codes float32 [K, L, D]: the code after an edit of each attribute, added where `wanted` and else removed."""
    w_plus = torch.from_numpy(code.copy())[None].to(judges.pack.device)
    strengths = np.where(wanted, alpha, -alpha).tolist()
    edits = [judges.pack.edit_maps.edit(w_plus, {name: a}) for name, a in zip(attributes, strengths, strict=True)]
    return torch.cat(edits).cpu().numpy()


def _figures(cases: Sequence[_Case], *, seed: int) -> dict[str, Any]:
    changes = {key: np.array([case.random[key] for case in cases]) for key in cases[0].random}
    return {
        **edit_figures([case.on_tuned for case in cases], [case.on_shared for case in cases], seed=seed),
        **{key: float(values.mean()) for key, values in changes.items()},
        "random_change_interval": bootstrap_interval(changes["random_change"], seed=seed),
        "mse_mean": float(np.mean([case.mse for case in cases])),
        "mse_untuned_mean": float(np.mean([case.untuned_mse for case in cases])),
        "seconds_mean": float(np.mean([case.seconds for case in cases])),
        "n": len(cases),
    }


def _pictures(report: ReportFolder, cases: Mapping[str, Sequence[_Case]], samples: np.ndarray) -> None:
    for way, found in cases.items():
        rows, labels = [], []
        for case in found[:_SHOWN]:
            rows.append([case.crop, *case.shown])
            labels.append(["picture", "shared", case.shown_edit, "tuned", case.shown_edit])
        caption = f"{way}: a picture, what the shared generator paints of its code, an edit of it, and the same after tuning."
        report.picture(f"edits-{way.replace(':', '-')}", picture_grid(rows, labels=labels), caption)
    rows = [list(samples[:_SHOWN]), *(list(found[0].random_shown) for found in cases.values())]
    labels = [[name] + [""] * (len(row) - 1) for name, row in zip(["shared", *cases], rows, strict=True)]
    caption = "The same random codes, painted by the shared generator and by generators that were tuned for the first picture."
    report.picture("random-codes", picture_grid(rows, labels=labels), caption)


_EXPLANATION = """
Every picture is inverted, the generator is tuned for it, and each attribute is turned into the opposite of what the portrait's
exact label says, by the same edit of the same codes on the tuned and on the shared generator. `target_change` and
`attribute_preservation` as in `evaluate edits`; `..._shared`: on the shared generator; `..._ratio`: tuned by shared.
`random_change`: mean distance (root of the mean squared difference) between the tuned and the shared generator's pictures of
the same random codes, by that between pictures of different random codes; `random_change_squared`: the same ratio of mean
squared differences. `mse`: of the tuned reconstruction; `mse_untuned`: of the shared generator's picture of the same codes.
Intervals: 95 %, bootstrap over pictures, paired where they are of ratios.
"""
