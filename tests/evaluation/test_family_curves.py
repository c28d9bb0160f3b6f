"""Comparisons of families: the starting strength, bootstrap means against a slow loop, and curves on the tiny pack."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core.rng import numpy_generator
from engines.evaluation.edit_verdicts import Edit, Sources, sources_of
from engines.evaluation.family_curves import (
    EditCurve,
    best_match,
    curve_rows,
    edit_curve,
    family_means,
    first_strength,
    means_over_edits,
    strengths,
)
from engines.evaluation.judges import Judges, sample_codes
from engines.evaluation.metrics import bootstrap_interval
from engines.evaluation.setting import Subjects


def _sweep(*changes: float) -> list[dict[str, float]]:
    return [{"alpha": 0.25 * (j + 1), "target_change": change} for j, change in enumerate(changes)]


def test_d_is_where_the_mean_change_reaches_the_rate():
    """Means are .1, .4, .8: .5 is a quarter of the way from alpha .5 to .75."""
    assert first_strength([_sweep(0.0, 0.3, 1.0), _sweep(0.2, 0.5, 0.6)], 0.5) == pytest.approx(0.5625)
    assert first_strength([_sweep(0.7, 0.8)], 0.5) == 0.25
    assert first_strength([_sweep(0.1, 0.2)], 0.5) == 0.5
    assert first_strength([_sweep(float("nan"), 0.2)], 0.5) == 1.0
    assert strengths(0.5)[0] == 0.5 and strengths(0.5)[-1] == 1.0 and len(strengths(0.5)) == 10


def test_means_over_edits_are_those_of_a_slow_loop():
    draw = numpy_generator(3)
    values = draw.standard_normal((4, 9))
    values[draw.random((4, 9)) < 0.3] = np.nan
    values[3] = np.nan
    means = means_over_edits(values, seed=5, resamples=50)
    counts = numpy_generator(5).multinomial(9, np.full(9, 1 / 9), size=50)
    for row, weights in enumerate([np.ones(9, int), *counts]):
        per_edit = []
        for edit in values:
            drawn = [v for v, count in zip(edit, weights, strict=True) for _ in range(count) if np.isfinite(v)]
            if drawn:
                per_edit.append(sum(drawn) / len(drawn))
        assert means[row] == pytest.approx(np.mean(per_edit))


def test_one_edit_of_everyone_has_the_plain_bootstrap_interval():
    values = numpy_generator(4).random(30)
    low, high = np.quantile(means_over_edits(values[None], seed=2)[1:], [0.025, 0.975])
    assert (low, high) == pytest.approx(bootstrap_interval(values, seed=2))


def _planted(family: str, distances: list[float]) -> EditCurve:
    values = {m: np.full((2, 3), 0.5) for m in ("target_change", "attribute_preservation", "identity")}
    values["counterfactual_distance"] = np.array([[d, d, np.nan] for d in distances])
    return EditCurve("A", "add", family, (0.5, 1.0), values, np.array([0.9, 0.9, np.nan]))


def test_the_best_match_is_the_nearest_strength_and_differences_are_paired():
    curves = [_planted("LW", [0.4, 0.2]), _planted("LT", [0.3, 0.6])]
    assert [best_match(curve) for curve in curves] == [1, 0]
    first, second = family_means(curves, seed=0)
    assert (first["best_alpha"], first["best_distance"], first["best_distance_less_first"]) == (1.0, 0.2, 0.0)
    assert second["best_distance_less_first"] == pytest.approx(0.1)
    assert second["best_distance_less_first_interval"] == pytest.approx((0.1, 0.1)), "the same people: no spread at all"
    rows = curve_rows(curves, seed=0)
    assert [row["alpha"] for row in rows if row["family"] == "LT"] == [0.5, 1.0, 0.5, 1.0]
    assert "unedited_distance" in first and "unedited_distance_less_first" not in first


def _sources(judges: Judges) -> Sources:
    codes = sample_codes(judges.pack, 12, seed=1)
    pictures = judges.pictures(codes)
    labels = judges.probabilities(pictures) > 0.5
    return sources_of(judges, Subjects(pictures, labels, [None] * len(codes), pictures, "faces"), codes)


def test_a_curve_counts_what_the_predictor_says(tiny_pack):
    judges = Judges(tiny_pack)
    sources = _sources(judges)
    edit, chosen = Edit(tiny_pack.edit_maps, "Smiling", "add"), np.array([0, 3, 4, 7, 9])
    truths = sources.reconstructions[chosen]
    curve = edit_curve(judges, sources, edit, chosen, truths, "LW", (0.5, 1.0))
    k = judges.attributes.index("Smiling")
    after = judges.probabilities(judges.pictures(edit.codes(sources.codes, 1.0)))[:, k] > 0.5
    for person in range(12):
        value = curve.values["target_change"][1, person]
        if person in chosen and sources.probabilities[person, k] <= 0.5:
            assert value == after[person]
        else:
            assert np.isnan(value)
    assert np.isnan(np.delete(curve.values["identity"][0], chosen)).all()
    assert (curve.unedited_distance[chosen] == 0).all(), "the truth here is the unedited picture"
    assert (curve.values["counterfactual_distance"][1, chosen] > curve.values["counterfactual_distance"][0, chosen]).all()
