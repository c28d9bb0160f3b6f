"""``evaluate realism``: how far edits move codes, and how many edited codes no longer look like real ones.

Figure 2 of Doubinsky et al. 2023: a map that only has to please a latent classifier leaves the distribution of codes, or hardly
moves them and fools it. Here "leaves" is measured: by two densities of real codes and by the pack's discriminator, each with
a limit below which a stated share of real codes lies.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from engines.core.errors import OptionError
from engines.editing.family import DIRECTIONS, EditFamily
from engines.evaluation.code_density import CodeNeighbours, NormalDensity, fit_normal, limit_of
from engines.evaluation.edit_verdicts import SWEEP_ALPHAS, Edit, Sources, other_attributes, sources_of
from engines.evaluation.family_curves import EditCurve
from engines.evaluation.judges import BATCH, Judges
from engines.evaluation.metrics import attribute_preservation
from engines.evaluation.picture_sets import chosen_names
from engines.evaluation.realism_report import TESTS, write_realism_report
from engines.evaluation.setting import Setting, add_common_arguments
from engines.imaging.convert import to_tensor
from engines.packs.load import Pack

__all__ = ["HELP", "RealCodes", "Target", "add_arguments", "realism_curve", "run", "targets_of"]

HELP = "norm of edits and share of edited codes out of distribution, by density and by discriminator (Figure 2)"

_NEIGHBOURS = 5
_LEAST_CODES = 20
_SHOWN_EDITS = 6


@dataclass(frozen=True)
class Target:
    """One edit to be judged: whom it is for, and which answer of the image predictor it has to change."""

    attribute: str
    direction: str
    start: str
    """The label that its sources have, or lack (`has`)."""
    has: bool
    goal: str
    """The answer that is to change ..."""
    wanted: bool
    """... to this."""


@dataclass(frozen=True, eq=False)
class RealCodes:
    """What real codes are like: scores, higher for more typical codes, and the limit of each test."""

    normal: Callable[[np.ndarray], np.ndarray]
    neighbours: Callable[[np.ndarray], np.ndarray]
    discriminator: Callable[[np.ndarray], np.ndarray] | None
    """Of pictures uint8 [n, R, R, 3]; None for a pack without one."""
    limits: Mapping[str, float]
    """Test -> score below which a code counts as out of distribution."""
    spread: float
    """Root-mean-square distance of real codes from their mean: the unit of `norm_share`."""

    def outside(self, codes: np.ndarray, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """``outside_<test>`` [n] as 0 or 1, NaN for a test that there is not, and ``discriminator_score`` [n]."""
        scores = {"normal": self.normal(codes), "neighbours": self.neighbours(codes)}
        nothing = np.full(len(codes), np.nan)
        scores["discriminator"] = nothing if self.discriminator is None else self.discriminator(pictures)
        found = {}
        for test, score in scores.items():
            below = score < self.limits[test]
            found[f"outside_{test}"] = np.where(np.isfinite(score), below, np.nan)
        return {**found, "discriminator_score": scores["discriminator"]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_common_arguments(parser, n=1000)
    add = parser.add_argument
    add("--families", default="LT*,LW*", metavar="F,…", help="edit families, or all that the pack has (default LT*,LW*)")
    add("--attributes", default=None, metavar="A,…", help="which attributes (default: all that every family has)")
    add("--per-attribute", type=int, default=50, metavar="N", help="most pictures per attribute and direction (default 50)")
    add("--alphas", default=None, metavar="X,…", help="strengths (default 0.25 to 2.5 in steps of 0.25)")
    add("--fit", type=int, default=4000, metavar="N", help="training pictures whose codes the densities are fitted on")
    share = "share of held-out real codes that counts as out of distribution (default 0.05)"
    add("--share", type=float, default=0.05, metavar="SHARE", help=share)
    rate = "mean target change at which families are compared (default 0.8)"
    add("--rate", type=float, default=0.8, metavar="SHARE", help=rate)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writes the report; returns `real` (limits, and what unedited test codes give), `families` and the rows of every edit."""
    alphas = _alphas(arguments.alphas)
    if not 0 < arguments.share < 0.5 or not 0 < arguments.rate < 1:
        raise OptionError("--share must lie between 0 and 0.5, --rate between 0 and 1.")
    if arguments.per_attribute < 1 or min(arguments.fit, arguments.n) < _LEAST_CODES:
        raise OptionError(f"--per-attribute must be at least 1, --fit and --n at least {_LEAST_CODES}.")
    options = {
        "families": arguments.families,
        "attributes": arguments.attributes,
        "per-attribute": arguments.per_attribute,
        "alphas": ",".join(f"{alpha:g}" for alpha in alphas),
        "fit": arguments.fit,
        "share": arguments.share,
        "rate": arguments.rate,
    }
    setting = Setting.open(arguments, "evaluate realism", options)
    pack, judges = setting.pack, Judges(setting.pack)
    families = _families(arguments.families, pack)
    targets = targets_of(pack, families, arguments.attributes)
    real = _real_codes(setting, judges, fit=arguments.fit, n=arguments.n, share=arguments.share)
    subjects = setting.subjects("test", arguments.n)
    setting.stage("Encoding", 0, 1)
    sources = sources_of(judges, subjects, judges.codes(subjects.pictures))
    curves, examples, without_pictures = [], [], []
    for number, target in enumerate(targets):
        setting.stage("Judging edits", number, len(targets))
        column = judges.attributes.index(target.start)
        chosen = np.flatnonzero(subjects.labels[:, column] == target.has)[: arguments.per_attribute]
        if not len(chosen):
            without_pictures.append(f"{target.attribute} ({target.direction})")
            continue
        # Every edit shows another person, whoever comes next.
        shown = chosen[number % len(chosen)]
        for name, family in families.items():
            curves.append(realism_curve(judges, real, sources, family, target, name, chosen, alphas))
            if number < _SHOWN_EDITS:
                edit = Edit(family, target.attribute, target.direction)
                edited = [edit.pictures(judges, sources.codes[shown][None], alpha)[0] for alpha in alphas[1::2]]
                examples.append(
                    (f"{name} {_signed(target)}", [subjects.pictures[shown], sources.reconstructions[shown], *edited])
                )
    setting.stage("Judging edits", len(targets), len(targets))
    unedited = real.outside(sources.codes, sources.reconstructions)
    return write_realism_report(
        setting,
        curves,
        unedited,
        limits=real.limits,
        spread=real.spread,
        share=arguments.share,
        rate=arguments.rate,
        components=getattr(real.normal, "components", None),
        examples=examples,
        shown_alphas=alphas[1::2],
        without_pictures=without_pictures,
    )


def realism_curve(
    judges: Judges,
    real: RealCodes,
    sources: Sources,
    family: EditFamily,
    target: Target,
    name: str,
    chosen: np.ndarray,
    alphas: Sequence[float],
) -> EditCurve:
    """What one edit does to the sources `chosen` [m] at every strength, the first of which is 0: no edit."""
    strengths = (0.0, *alphas)
    codes, reconstructions, before = sources.codes[chosen], sources.reconstructions[chosen], sources.probabilities[chosen]
    k = judges.attributes.index(target.goal)
    untied, _ = other_attributes(judges.pack.manifest, judges.attributes, target.attribute)
    untied &= ~np.isin(judges.attributes, (target.goal, target.start))
    changeable = (before[:, k] > 0.5) != target.wanted
    edit = Edit(family, target.attribute, target.direction)
    values: dict[str, np.ndarray] = {}
    for row, alpha in enumerate(strengths):
        edited_codes = edit.codes(codes, alpha)
        pictures = edit.pictures(judges, codes, alpha) if alpha else reconstructions
        after = judges.probabilities(pictures)
        norm = np.linalg.norm((edited_codes - codes).reshape(len(chosen), -1), axis=1)
        measured = {
            "norm": norm,
            "norm_share": norm / real.spread,
            **real.outside(edited_codes, pictures),
            "target_change": np.where(changeable, (after[:, k] > 0.5) == target.wanted, np.nan),
            "attribute_preservation": attribute_preservation(before, after, untied),
            "identity": judges.identity_similarity(reconstructions, pictures),
        }
        for measure, value in measured.items():
            values.setdefault(measure, np.full((len(strengths), len(sources.codes)), np.nan))[row, chosen] = value
    return EditCurve(target.attribute, target.direction, name, strengths, values)


def targets_of(pack: Pack, families: Mapping[str, EditFamily], names: str | None) -> list[Target]:
    """Both directions of the attributes of a list with commas, or of all that every family has and the predictor knows.

    A step between levels starts from pictures of the one level and is done when they show the other.
    """
    predicted, below = pack.attribute_predictor.attributes, pack.manifest.level_steps
    shared = [a for a in predicted if all(a in family.attributes for family in families.values())]
    if not shared:
        raise OptionError(f"The families {', '.join(families)} of pack {pack.id} have no attribute in common.")
    targets = []
    for attribute in chosen_names("attributes", names, shared) if names else shared:
        for direction in DIRECTIONS:
            adds = direction == "add"
            if attribute in below:
                ends = (below[attribute], attribute)
                start, goal = ends if adds else ends[::-1]
                targets.append(Target(attribute, direction, start, True, goal, True))
            else:
                targets.append(Target(attribute, direction, attribute, not adds, attribute, adds))
    return targets


def discriminator_scores(pack: Pack) -> Callable[[np.ndarray], np.ndarray]:
    """The discriminator's logits [n] of pictures uint8 [n, R, R, 3], each by itself.

    The minibatch deviation would make a picture's score depend on its neighbours: every picture is a batch of its own, real
    codes' and edited ones alike.
    """
    alone = copy.deepcopy(pack.discriminator)
    alone.b4.group = 1

    @torch.no_grad()
    def scores(pictures: np.ndarray) -> np.ndarray:
        parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        return np.concatenate([alone(to_tensor(np.array(part)).to(pack.device)).cpu().numpy() for part in parts])

    return scores


def _real_codes(setting: Setting, judges: Judges, *, fit: int, n: int, share: float) -> RealCodes:
    """Densities of training codes, with limits from as many validation codes as there are test pictures."""
    pack = setting.pack
    setting.stage("Fitting the densities of real codes", 0, 2)
    training = judges.codes(setting.subjects("train", fit).pictures)
    normal, neighbours = fit_normal(training), CodeNeighbours(training, _NEIGHBOURS)
    setting.stage("Fitting the densities of real codes", 1, 2)
    held_out = judges.codes(setting.subjects("validation", n).pictures)
    scores = {"normal": normal(held_out), "neighbours": neighbours(held_out)}
    # A conditional score would need every edited picture's class.
    judge = discriminator_scores(pack) if pack.has("discriminator") and not pack.manifest.classes else None
    if judge is not None:
        scores["discriminator"] = judge(judges.pictures(held_out))
    limits = {test: limit_of(scores[test], share) if test in scores else float("nan") for test in TESTS}
    return RealCodes(normal, neighbours, judge, limits, _spread(normal, held_out))


def _spread(normal: NormalDensity, codes: np.ndarray) -> float:
    return float(np.sqrt(np.square(codes.reshape(len(codes), -1) - normal.mean).sum(axis=1).mean()))


def _families(names: str, pack: Pack) -> dict[str, EditFamily]:
    wanted = list(pack.families) if names == "all" else [name.strip() for name in names.split(",") if name.strip()]
    if not wanted or len(set(wanted)) != len(wanted):
        raise OptionError(f"--families {names}: name each family once, or write all.")
    return {name: pack.family(name) for name in wanted}


def _alphas(text: str | None) -> tuple[float, ...]:
    if text is None:
        return SWEEP_ALPHAS
    try:
        alphas = tuple(float(word) for word in text.split(","))
    except ValueError:
        alphas = ()
    if not alphas or not all(0 < alpha < float("inf") for alpha in alphas) or list(alphas) != sorted(set(alphas)):
        raise OptionError(f"--alphas {text}: write growing numbers above 0 with commas, like 0.5,1,2.")
    return alphas


def _signed(target: Target) -> str:
    return f"{'+' if target.direction == 'add' else '-'} {target.attribute}"
