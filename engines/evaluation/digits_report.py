"""The report of ``evaluate digits``: shares by both judges, how good the count is, and what either judge's word is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engines.editing.families import DEFAULT_FAMILY, FAMILIES
from engines.editing.mlp_maps import MlpMaps
from engines.evaluation.counted_digits import INK, SPECK_PX
from engines.evaluation.digit_steps import ALL, Step, StepOutcome
from engines.evaluation.metrics import share_interval
from engines.evaluation.report import ReportFolder
from engines.packs.load import Pack

__all__ = ["Count", "count_rows", "step_row", "write_tables"]

Count = Callable[[np.ndarray], np.ndarray]
"""Pictures uint8 [n, R, R, 3] -> the level int64 [n] of each, from 1, without anything learned."""


def step_row(
    family: str,
    step: Step,
    outcome: StepOutcome,
    at_one: StepOutcome,
    weakest: StepOutcome,
    *,
    there: float,
    reconstructions: np.ndarray,
    count: Count | None,
) -> dict[str, Any]:
    """outcome: at the weakest strength for all; at_one: at the slider's 1; weakest: at each picture's weakest.

    there: share of the pictures with the step's start by label that were inverted right; reconstructions: [m, R, R, 3], theirs.
    """
    everything = np.ones(len(outcome.latent), bool)
    row = {
        "family": family,
        "from": step.start + 1,
        "to": step.end + 1,
        "latent_success": _share(outcome.latent, everything),
        **_share_columns("confirmed", outcome.image, outcome.latent),
        "n": len(everything),
        "n_latent_success": int(outcome.latent.sum()),
        "inverted_right": there,
        "alpha": float(outcome.alphas.mean()) if len(everything) else float("nan"),
        **_share_columns("changed", outcome.image, everything),
        "latent_success_at_1": _share(at_one.latent, everything),
        "confirmed_at_1": _share(at_one.image, at_one.latent),
        **_share_columns("changed_at_1", at_one.image, everything),
        "confirmed_at_weakest": _share(weakest.image, weakest.latent),
    }
    if count is None:
        return row
    started = count(reconstructions) == step.start + 1
    after, after_one, after_weakest = (count(each.pictures) for each in (outcome, at_one, weakest))
    done, done_at_1, done_at_weakest = (numbers == step.end + 1 for numbers in (after, after_one, after_weakest))
    return {
        **row,
        "n_by_count": int(started.sum()),
        "n_latent_success_by_count": int((started & outcome.latent).sum()),
        **_share_columns("confirmed_by_count", done, started & outcome.latent),
        **_share_columns("changed_by_count", done, started),
        "confirmed_at_1_by_count": _share(done_at_1, started & at_one.latent),
        **_share_columns("changed_at_1_by_count", done_at_1, started),
        "confirmed_at_weakest_by_count": _share(done_at_weakest, started & weakest.latent),
        "empty_by_count": _share(after == 0, started),
        "empty_at_1_by_count": _share(after_one == 0, started),
    }


def count_rows(
    count: Count, numbers: np.ndarray, renders: np.ndarray, reconstructions: np.ndarray, classified: np.ndarray
) -> list[dict[str, Any]]:
    """How often the count is right about held-out pictures [n, R, R, 3] of known `numbers` [n], a number a line and then all.

    classified: [n], the image classifier's numbers of digits in the reconstructions, beside which the count is put.
    """
    in_renders, in_reconstructions = count(renders), count(reconstructions)
    rows = []
    for number in (*np.unique(numbers), None):
        these = np.ones(len(numbers), bool) if number is None else numbers == number
        rows.append(
            {
                "number": "all" if number is None else int(number),
                **_share_columns("renders_right", in_renders == numbers, these),
                **_share_columns("reconstructions_right", in_reconstructions == numbers, these),
                "too_few": _share(in_reconstructions < numbers, these),
                "too_many": _share(in_reconstructions > numbers, these),
                "classifier_right": _share(classified == numbers, these),
                "n": int(these.sum()),
            }
        )
    return rows


def write_tables(
    report: ReportFolder,
    pack: Pack,
    families: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    counted: Sequence[Mapping[str, Any]],
) -> None:
    """Adds the tables with what they mean; `rows` are :func:`step_row`'s, `counted` :func:`count_rows`' or none."""
    judge = pack.manifest.components["attribute_predictor"].provenance.data
    report.heading("Table 2: of what the latent classifier calls done")
    report.table(_shown(rows, _TABLE_2))
    report.text(f"{_STEPS.strip()}\n{_unreached(rows)}")
    report.heading("Of all pictures")
    report.table(_shown(rows, _OF_ALL))
    report.text(_OF_ALL_MEANS)
    report.heading("What the judges know")
    report.text(f"The image classifier learned from: {judge}.\n{_kinship(pack, families, counted=bool(counted))}")
    if counted:
        report.text(_COUNT.format(ink=INK, speck_px=SPECK_PX))
        report.table(_shown(counted, tuple(counted[0])))
        report.text(_COUNT_MEANS)
    report.text(f"{_lw_in_words(families)} {_PAPER.strip()}".strip())


def _share(hits: np.ndarray, among: np.ndarray) -> float:
    """Of the pictures `among` [m]; NaN for none."""
    return float(hits[among].mean()) if among.any() else float("nan")


def _share_columns(name: str, hits: np.ndarray, among: np.ndarray) -> dict[str, Any]:
    interval = share_interval(int((hits & among).sum()), int(among.sum()))
    return {name: _share(hits, among), f"{name}_interval": interval}


def _shown(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """These columns, where there are any, for people: intervals are called ``x 95 %``."""
    return [{name.replace("_interval", " 95 %"): row[name] for name in columns if name in row} for row in rows]


def _unreached(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which rows the paper's condition does not hold for."""
    short = [row for row in rows if row["latent_success"] < ALL]
    words = [f"{row['family']} {row['from']} to {row['to']} ({row['latent_success']:.3f})" for row in short]
    return f"Short of 100 % here: {', '.join(words)}." if short else "No row here is short of 100 %."


def _kinship(pack: Pack, families: Mapping[str, Any], *, counted: bool) -> str:
    """What families whose maps were fitted through a network that is akin to the judge owe to it."""
    commands = {name: pack.manifest.components[FAMILIES[name].kind].provenance.command for name in families}
    akin = [name for name, command in commands.items() if _PICTURE_COST in command]
    if not akin:
        return ""
    learned = pack.manifest.components["perceptual"].provenance.data
    others = ", ".join(name for name in families if name not in akin)
    words = _KINSHIP.format(cost=_PICTURE_COST, akin=", ".join(akin), learned=learned, others=others or "no family here")
    return f"{words}{_HENCE_THE_COUNT if counted else ''}"


def _lw_in_words(families: Mapping[str, Any]) -> str:
    if isinstance(families.get(DEFAULT_FAMILY), MlpMaps):
        return f"{DEFAULT_FAMILY}'s maps have a hidden layer here; the paper's are affine, as LW-affine's are."
    return f"{DEFAULT_FAMILY}'s maps are affine, as the paper's." if DEFAULT_FAMILY in families else ""


_PICTURE_COST = "--cost pictures"

_TABLE_2 = ("family", "from", "to", "latent_success", "confirmed", "confirmed_interval", "confirmed_by_count")
_TABLE_2 += ("confirmed_by_count_interval", "alpha", "n", "n_latent_success", "n_latent_success_by_count", "inverted_right")

_OF_ALL = ("family", "from", "to", "changed_at_1", "changed_at_1_interval", "changed_at_1_by_count")
_OF_ALL += ("changed_at_1_by_count_interval", "changed", "changed_interval", "changed_by_count", "changed_by_count_interval")
_OF_ALL += ("latent_success_at_1", "confirmed_at_1", "confirmed_at_1_by_count", "confirmed_at_weakest")
_OF_ALL += ("confirmed_at_weakest_by_count", "empty_at_1_by_count", "empty_by_count", "n", "n_by_count")

_STEPS = """
Pictures: held out, with the starting number of digits by label and, after inversion by the encoder, by both classifiers
(`inverted_right`: their share of those with that label; `n`: their number). All are edited by one strength `alpha`, in units of
the family's calibrated one: the weakest at which the latent classifier's most probable number is the wanted one for 99 %
of them or, where none is that strong, the one at which it is for most (`latent_success`). `confirmed`: of these successes,
the share whose edited picture has that number by the image classifier, `confirmed_by_count`: by the count (below), each
with the 95 % Wilson interval. The paper's Table 2 is given a `latent_success` of 100 %: a row short of it is no such row,
its shares are of the pictures that the edit could satisfy the latent classifier about, and `changed` is that of all.
"""

_OF_ALL_MEANS = """
Of all `n` pictures, whatever the latent classifier says: the share that shows the wanted number by the image classifier and by
the count, at strength 1, the slider's calibrated one (`changed_at_1`), and at `alpha` (`changed`). `latent_success_at_1` and
`confirmed_at_1`: what the table above has, at strength 1. `confirmed_at_weakest`: the same where every picture is edited by the
weakest strength that the latent classifier accepts for it alone, which favours nobody but asks whether the latent classifier's
border is where the picture changes. How strong strength 1 is was found with the image classifier, on other pictures.
"""

_KINSHIP = """
It judges fairly only what did not learn from its like. The maps of {akin} were fitted with `{cost}`: through the
generator, to features of the pack's perceptual network. That network learned ({learned})
to tell how many digits there are, by the same labels as the judge, and which and where they are. It is the judge's near twin,
and may have taught the maps what satisfies the judge. This is not so of {others}.
""".strip()

_HENCE_THE_COUNT = " Hence the count."

_COUNT = """
The count has learned nothing, and no map learned from it. Pixels of at least {ink} of 255 are ink; ink that hangs together,
across one dark pixel at most, is a digit where it has at least {speck_px} pixels. In the renders at least two dark pixels
lie between digits. Both numbers were chosen on validation pictures and their reconstructions. On this report's own:
"""

_COUNT_MEANS = """
`renders_right`, `reconstructions_right`: the share in which the count finds the true number; of reconstructions, `too_few` and
`too_many`: of which it finds less and more, and `classifier_right`: of which the image classifier finds it. The count does
not ask whether what it counts is a digit, and takes two that the generator lets touch for one: it favours the way down, is
hard on the way up, and cannot be expected to confirm a step to a number in more pictures than `reconstructions_right` says of
that number. Edits let digits touch more often than reconstructions do: on the way up it is the stricter judge, and the truth
may lie between both. So that no edit is credited with or blamed for the reconstruction, the columns `_by_count` are of those
pictures in whose reconstruction the count finds the starting number (`n_by_count`, `n_latent_success_by_count`). The image
classifier has seen no picture without digits and calls an empty one something: `empty_by_count`, at `alpha`, and
`empty_at_1_by_count` are the shares of edited pictures in which the count finds none.
"""

_PAPER = """
The paper (other data, generator and classifiers) has LT .32, .31, .64 and LW .90, .95, .99 for 1 to 2, 2 to 3 and 3 to 4.
"""
