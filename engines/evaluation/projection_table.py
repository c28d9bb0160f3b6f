"""The figures of projections: averages and bests over seeds, with intervals over pictures, and ratios of cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engines.evaluation.metrics import bootstrap_interval, rate_ratio
from engines.evaluation.projection_runs import Case, Outcome
from engines.evaluation.whole_runs import whole_runs

__all__ = ["Table"]

_DISTANCES = ("l1", "l2", "perceptual")
_CHAIN = ("basin-cma", "cma-adam", "adam")
"""Each should beat the next (Huh et al. 2020, Table 1)."""


@dataclass(frozen=True, eq=False)
class Table:
    """Outcomes of the same pictures and seeds for every case."""

    pictures: Sequence[int]
    """Numbers of the n pictures."""
    seeds: int
    values: Mapping[Case, Mapping[str, np.ndarray]]
    """Case -> figure of :class:`Outcome` -> [n, s]."""

    @classmethod
    def of(
        cls,
        outcomes: Mapping[tuple[int, int], Mapping[str, Outcome]],
        cases: Sequence[Case],
        pictures: int,
        seeds: Sequence[int],
    ) -> Table:
        """`outcomes`: (picture, seed) -> case key -> outcome.

        What is not there for all cases is left out, such that all pictures have the same seeds, and as many runs as possible
        are left. Raises OptionError where none is.
        """
        whole = {place for place, known in outcomes.items() if all(case.key in known for case in cases)}
        chosen, chosen_seeds = whole_runs(whole, pictures, seeds, "methods, transforms and starts")
        values = {
            case: {
                name: np.array([[getattr(outcomes[i, seed][case.key], name) for seed in chosen_seeds] for i in chosen], float)
                for name in Outcome.__dataclass_fields__
            }
            for case in cases
        }
        return cls(chosen, len(chosen_seeds), values)

    def row(self, case: Case, *, seed: int) -> dict[str, Any]:
        """The figures of a case: `x_mean` over pictures and seeds, `x_best` of each picture's best seed."""
        values = self.values[case]
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
            "n": len(self.pictures),
            "seeds": self.seeds,
        }

    def ablation_row(self, case: Case, *, seed: int) -> dict[str, Any]:
        return {"class_search": case.class_search, "outside_weight": case.outside_weight, **self.row(case, seed=seed)}

    def ratios(self, cases: Sequence[Case], *, seed: int) -> list[dict[str, Any]]:
        """Ratios of mean perceptual distances, below 1 where the first is nearer; intervals by a paired bootstrap.

        Every method by the next one in the order that the paper found, every transform by none, the encoder's start by the
        mean latent's; all else equal.
        """
        rows = []
        for case in cases:
            others = [replace(case, method=method) for method in _after(case.method)]
            if case.transform != "none":
                others.append(replace(case, transform="none"))
            if case.encoder:
                others.append(replace(case, encoder=False))
            rows += [self._ratio(case, other, seed=seed) for other in others if other in self.values]
        return rows

    def _ratio(self, case: Case, other: Case, *, seed: int) -> dict[str, Any]:
        own, base = (self.values[c]["perceptual"].mean(axis=1) for c in (case, other))
        ratio, interval = rate_ratio(own, np.ones(len(own)), base, np.ones(len(base)), seed=seed)
        varied = next(name for name in ("method", "transform", "encoder") if getattr(case, name) != getattr(other, name))
        return {
            "varied": varied,
            "method": case.method,
            "transform": case.transform,
            "encoder": case.encoder,
            "against": getattr(other, varied),
            "perceptual_ratio": ratio,
            "perceptual_ratio_interval": interval,
        }


def _after(method: str) -> tuple[str, ...]:
    return _CHAIN[_CHAIN.index(method) + 1 :] if method in _CHAIN else ()
