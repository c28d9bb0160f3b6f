"""The figures of projections: averages and bests over seeds, with intervals over pictures, and ratios of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engines.evaluation.metrics import bootstrap_interval, rate_ratio
from engines.evaluation.projection_runs import Case, Outcome
from engines.evaluation.whole_runs import whole_runs

__all__ = ["Block", "Table"]

_DISTANCES = ("l1", "l2", "perceptual")
_CHAIN = ("basin-cma", "cma-adam", "adam")
"""Each should beat the next (Huh et al. 2020, Table 1)."""


@dataclass(frozen=True, eq=False)
class Block:
    """Outcomes of a case, all pictures with the same seeds."""

    pictures: Sequence[int]
    """Numbers of the n pictures."""
    seeds: Sequence[int]
    values: Mapping[str, np.ndarray]
    """Figure of :class:`Outcome` -> [n, s]."""

    def per_picture(self, name: str, pictures: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        """Means of a figure over some of the seeds, for some of the pictures."""
        rows, columns = [self.pictures.index(i) for i in pictures], [self.seeds.index(seed) for seed in seeds]
        return self.values[name][np.ix_(rows, columns)].mean(axis=1)


@dataclass(frozen=True, eq=False)
class Table:
    """Outcomes of the same pictures and seeds for every case of a start."""

    blocks: Mapping[Case, Block]

    @classmethod
    def of(
        cls,
        outcomes: Mapping[tuple[int, int], Mapping[str, Outcome]],
        cases: Sequence[Case],
        pictures: int,
        seeds: Sequence[int],
    ) -> Table:
        """`outcomes`: (picture, seed) -> case key -> outcome.

        What is not there for all cases with the same start is left out, such that all pictures have the same seeds, and as many
        runs as possible are left. Raises OptionError where none is.
        """
        places = {}
        for start in dict.fromkeys(case.encoder for case in cases):
            alike = {case.key for case in cases if case.encoder == start}
            whole = {place for place, known in outcomes.items() if known.keys() >= alike}
            places[start] = whole_runs(whole, pictures, seeds, "methods, transforms and starts")
        blocks = {}
        for case in cases:
            chosen, chosen_seeds = places[case.encoder]
            known = [[outcomes[i, seed][case.key] for seed in chosen_seeds] for i in chosen]
            values = {
                name: np.array([[getattr(outcome, name) for outcome in row] for row in known], float)
                for name in Outcome.__dataclass_fields__
            }
            blocks[case] = Block(chosen, chosen_seeds, values)
        return cls(blocks)

    def row(self, case: Case, *, seed: int) -> dict[str, Any]:
        """The figures of a case: `x_mean` over pictures and seeds, `x_best` of each picture's best seed."""
        block = self.blocks[case]
        values = block.values
        figures: dict[str, Any] = {"method": case.method, "transform": case.transform, "encoder": case.encoder}
        for name in _DISTANCES:
            figures[f"{name}_mean"] = float(values[name].mean())
            figures[f"{name}_mean_interval"] = bootstrap_interval(values[name].mean(axis=1), seed=seed)
            figures[f"{name}_best"] = float(values[name].min(axis=1).mean())
            figures[f"{name}_best_interval"] = bootstrap_interval(values[name].min(axis=1), seed=seed)
        return figures | {
            "box_iou": float(values["box_iou"].mean()),
            "box_iou_interval": bootstrap_interval(values["box_iou"].mean(axis=1), seed=seed),
            "class_right": float(values["class_right"].mean()),
            "evaluations": round(float(values["evaluations"].mean())),
            "seconds": float(values["seconds"].mean()),
            "n": len(block.pictures),
            "seeds": len(block.seeds),
        }

    def ablation_row(self, case: Case, *, seed: int) -> dict[str, Any]:
        return {"class_search": case.class_search, "outside_weight": case.outside_weight, **self.row(case, seed=seed)}

    def ratios(self, cases: Sequence[Case], *, seed: int) -> list[dict[str, Any]]:
        """Ratios of mean perceptual distances, below 1 where the first is nearer; intervals by a paired bootstrap.

        Every method by the next one in the order that the paper found, every transform by none, the encoder's start by the
        mean latent's; all else equal. Of two cases those pictures and seeds count that both have.
        """
        rows = []
        for case in cases:
            others = [replace(case, method=method) for method in _after(case.method)]
            if case.transform != "none":
                others.append(replace(case, transform="none"))
            if case.encoder:
                others.append(replace(case, encoder=False))
            rows += [row for other in others if other in self.blocks and (row := self._ratio(case, other, seed=seed))]
        return rows

    def _ratio(self, case: Case, other: Case, *, seed: int) -> dict[str, Any] | None:
        """None where the two have nothing in common."""
        both = self.blocks[case], self.blocks[other]
        pictures = [i for i in both[0].pictures if i in both[1].pictures]
        seeds = [known for known in both[0].seeds if known in both[1].seeds]
        if not pictures or not seeds:
            return None
        own, base = (block.per_picture("perceptual", pictures, seeds) for block in both)
        ratio, interval = rate_ratio(own, np.ones(len(own)), base, np.ones(len(base)), seed=seed)
        varied = next(name for name in ("method", "transform", "encoder") if getattr(case, name) != getattr(other, name))
        return {
            "varied": varied,
            "method": case.method,
            "transform": case.transform,
            "encoder": case.encoder,
            "against": getattr(other, varied),
            "n": len(pictures),
            "seeds": len(seeds),
            "perceptual_ratio": ratio,
            "perceptual_ratio_interval": interval,
        }


def _after(method: str) -> tuple[str, ...]:
    return _CHAIN[_CHAIN.index(method) + 1 :] if method in _CHAIN else ()
