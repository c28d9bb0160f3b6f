"""Latent Wasserstein maps on planted codes, where the right map is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from engines.core.rng import numpy_generator
from engines.editing.edit_maps import EditMaps
from engines.editing.mlp_maps import MlpMaps
from engines.training.lw_map import Cloud, LwOptions, TransportSpace, _Batches, fit_map
from engines.training.sample_weights import relevance, sample_weights
from engines.training.statistics import latent_statistics

LAYERS, DIM = 2, 6
OPTIONS = LwOptions(steps=60, batch=256, learning_rate=0.02, rank=4, components=0, input_noise=0.2, shift_rate=1.0)
# What attribute 0 and attribute 1 add to a code.
SHIFTS = np.zeros((2, LAYERS, DIM), np.float32)
SHIFTS[0, :, 0], SHIFTS[1, :, 3] = 2.0, 2.0


class _Planted(nn.Module):
    """The best classifier of the planted codes: the coordinate that an attribute shifts, centred between the classes."""

    def forward(self, w_plus: torch.Tensor) -> torch.Tensor:
        return 2 * (w_plus.mean(1)[:, [0, 3]] - 1.0)


def _planted(n: int, *, seed: int, together: float) -> tuple[torch.Tensor, np.ndarray]:
    """Normal codes of deviations 1 to .5 plus the shifts; attribute 1 equals attribute 0 in a share `together` of all."""
    draw = numpy_generator(seed)
    labels = draw.random((n, 2)) < 0.5
    labels[:, 1] = np.where(draw.random(n) < together, labels[:, 0], ~labels[:, 0])
    noise = draw.standard_normal((n, LAYERS, DIM)).astype(np.float32) * np.linspace(1, 0.5, DIM, dtype=np.float32)
    return torch.from_numpy(noise + np.einsum("nk,kld->nld", labels, SHIFTS)), labels


def _fit(
    options: LwOptions,
    *,
    together: float = 0.5,
    weighting: str = "uniform",
    confounders: tuple[int, ...] = (),
    class_means: bool = True,
):
    """Fits the map that adds attribute 0; returns it, the mean change it makes to new codes [L, D], and all its changes."""
    clouds = []
    for seed in (1, 2):
        codes, labels = _planted(1600, seed=seed, together=together)
        has = labels[:, 0]
        weights = sample_weights(labels[~has][:, list(confounders)], labels[has][:, list(confounders)], weighting)
        clouds.append((Cloud(codes[~has], weights.source), Cloud(codes[has], weights.target)))
        if seed == 1:
            statistics, gamma = latent_statistics(torch.zeros(DIM), codes, rank=LAYERS * DIM), relevance(labels, 0, "add")
    space = TransportSpace(
        statistics["w_plus_mean"], statistics["w_plus_factors"], components=options.components, whitening=options.whitening
    )
    shift = clouds[0][1].mean() - clouds[0][0].mean() if class_means else torch.zeros(LAYERS, DIM)
    fitted = fit_map(
        *clouds[0],
        clouds[1],
        shift=shift,
        space=space,
        factors=statistics["w_plus_factors"],
        classifier=_Planted(),
        relevance=gamma,
        options=options,
        seed=0,
    )
    new, labels = _planted(800, seed=3, together=0.5)
    lacks = new[torch.from_numpy(~labels[:, 0])]
    change = _changes(fitted.parameters, lacks, space.mean)
    return fitted, change.mean(0).numpy(), change


def _changes(parameters: dict[str, torch.Tensor], codes: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """What an affine map does to codes, [n, L, D]."""
    centred = (codes - mean).transpose(0, 1)
    return (centred @ parameters["left"] @ parameters["right"]).transpose(0, 1) + parameters["bias"]


@pytest.mark.parametrize(
    ("options", "class_means"),
    [
        (OPTIONS, True),
        (replace(OPTIONS, preservation=0.0, learning_rate=0.1), False),
        (replace(OPTIONS, map_components=0, rank=DIM, calm=0.0, learning_rate=0.1), False),
    ],
    ids=["from the class means", "from nothing", "a free map from nothing"],
)
def test_a_planted_shift_is_recovered(options, class_means):
    """Classes differ by a translation: transport moves every code by it, and leaves the independent attribute alone."""
    _, mean, change = _fit(options, class_means=class_means)
    np.testing.assert_allclose(mean[:, 0], 2.0, atol=0.25)
    np.testing.assert_allclose(mean[:, 1:], 0.0, atol=0.2)
    assert (change[:, :, 3].abs() < 1.0).float().mean() > 0.97, "attribute 1 flips beyond a change of 1"


def test_target_matched_weights_undo_a_confounder_that_uniform_ones_follow():
    """Attribute 1 goes with attribute 0 in 80 %: unweighted classes differ in both, by 2 and by .6 * 2."""
    plain = replace(OPTIONS, preservation=0.0)
    _, uniform, _ = _fit(plain, together=0.8)
    _, matched, _ = _fit(plain, together=0.8, weighting="target-matched", confounders=(1,))
    assert uniform[:, 3].mean() > 0.8
    assert abs(matched[:, 3].mean()) < 0.25
    np.testing.assert_allclose(matched[:, 0], 2.0, atol=0.3)


def test_the_attribute_cost_holds_a_confounder():
    """With uniform weights only the second loss speaks for attribute 1."""
    without = _fit(replace(OPTIONS, preservation=0.0), together=0.8)[1][:, 3].mean()
    held = _fit(replace(OPTIONS, preservation=20.0), together=0.8)[1][:, 3].mean()
    assert abs(held) < 0.5 * without


@pytest.mark.parametrize("preservation", [0.0, 1.0, 15.0])
def test_the_loss_is_equations_four_and_five_by_exact_transport(preservation):
    """In the printed setting, in the codes' own units: the loss of a plain shift, before any step, from the best matchings.

    Within 5 %: training anneals the blur in halves, and stays a few percent below the exact cost.
    """
    codes, _ = _planted(48, seed=1, together=0.5)
    has = np.arange(48) < 24  # sides of one size: an optimal transport is a matching
    x, y = codes[torch.from_numpy(~has)], codes[torch.from_numpy(has)]
    sides = [Cloud(side, np.full(24, 1 / 24)) for side in (x, y)]
    statistics = latent_statistics(torch.zeros(DIM), codes, rank=LAYERS * DIM)
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    shift, weights = torch.full((LAYERS, DIM), 0.4), np.array([0.0, 0.6])
    printed = LwOptions(steps=0, components=0, map_components=0, calm=0.0, input_noise=0.0, own_units=False)
    fitted = fit_map(
        *sides,
        (sides[0], sides[1]),
        shift=shift,
        space=TransportSpace(mean, factors, components=0, whitening=0.0),
        factors=factors,
        classifier=_Planted(),
        relevance=weights,
        options=replace(printed, preservation=preservation, blur=0.005, rank=DIM),
        seed=0,
    )

    def matched(a: torch.Tensor, b: torch.Tensor, scale: np.ndarray | float = 1.0) -> float:
        cost = 0.5 * (scale * np.square(a.double().numpy()[:, None] - b.double().numpy()[None])).sum(-1)
        return float(cost[linear_sum_assignment(cost)].mean())

    edit = matched((x + shift).flatten(1), y.flatten(1))
    keep = matched(_Planted()(x + shift), _Planted()(x), weights)
    assert keep > 0.05, "the second loss has something to say"
    assert fitted.initial_loss == pytest.approx(edit + preservation * keep, rel=0.05)


@pytest.mark.parametrize("map_components", [0, 4])
@pytest.mark.parametrize("rank", [1, 4])
def test_a_map_is_judged_as_it_is_stored(map_components, rank):
    """Its least held-out loss is that of the held-out codes moved by what is stored: the loss of no change, from there.

    The target is spread otherwise along every axis, so that a matrix cut to rank 1 is a worse map than the fitted one.
    """
    draw, spread = numpy_generator(7), np.array([3.0, 0.2, 2.0, 0.3])
    x, y = (torch.from_numpy((draw.standard_normal((100, 1, 4)) * scale).astype(np.float32)) for scale in (1.0, spread))
    sides = tuple(Cloud(side, np.full(100, 1 / 100)) for side in (x, y))
    statistics = latent_statistics(torch.zeros(4), torch.cat([x, y]), rank=4)
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    options = LwOptions(steps=40, batch=0, learning_rate=0.05, rank=rank, map_components=map_components, components=0, blur=0.1)
    options = replace(options, preservation=0.0, calm=0.0, input_noise=0.0)

    def fit(source: Cloud, options: LwOptions):
        return fit_map(
            source,
            sides[1],
            (source, sides[1]),
            shift=torch.zeros(1, 4),
            space=TransportSpace(mean, factors, components=0, whitening=0.0),
            factors=factors,
            classifier=lambda codes: codes[:, 0],
            relevance=np.zeros(4),
            options=options,
            seed=0,
        )

    fitted = fit(sides[0], options)
    assert fitted.best_loss < fitted.initial_loss
    moved = x + _changes(fitted.parameters, x, mean)
    again = fit(replace(sides[0], codes=moved), replace(options, steps=0))
    assert fitted.best_loss == pytest.approx(again.initial_loss, rel=1e-3)


@pytest.mark.parametrize(("batch", "expected"), [(0, 70), (40, 40), (1000, 70)])
def test_a_step_takes_at_most_the_smaller_side(batch, expected):
    """Of 90 and 100 codes 70 and 100 have mass; 0 asks for as many as there are."""
    weights = np.r_[np.zeros(20), np.full(70, 1 / 70)]
    sides = Cloud(torch.randn(90, 1, 2), weights), Cloud(torch.randn(100, 1, 2), np.full(100, 1 / 100))
    drawn = _Batches(*sides, batch, 0).at(0)
    assert [len(side.codes) for side in drawn] == [expected, expected]
    assert [side.weights.sum() for side in drawn] == pytest.approx([1, 1])


def test_staying_costs_the_squared_change_in_units_of_the_codes_variance():
    """With no step made the change is the start's shift, for every code."""
    losses = {stay: _fit(replace(OPTIONS, steps=0, stay=stay))[0].initial_loss for stay in (0.0, 1.0, 2.5)}
    assert losses[1.0] > losses[0.0]
    assert losses[2.5] - losses[0.0] == pytest.approx(2.5 * (losses[1.0] - losses[0.0]), rel=1e-3)
    near = _fit(replace(OPTIONS, stay=30.0))[1]
    assert np.abs(near[:, 0]).max() < 1.0, "the planted change is 2"


def test_early_stopping_keeps_the_least_held_out_loss():
    fitted, _, _ = _fit(replace(OPTIONS, learning_rate=0.5, patience_checks=1))
    assert fitted.best_loss <= fitted.initial_loss
    assert fitted.best_step <= fitted.steps < OPTIONS.steps


def test_without_early_stopping_all_steps_are_made_and_the_last_map_is_kept():
    """At this rate the held-out loss rises: patience would stop and go back, as the test above shows."""
    options = replace(OPTIONS, learning_rate=0.5, patience_checks=1)
    stopped, whole = _fit(options)[0], _fit(replace(options, early_stopping=False))[0]
    assert (whole.steps, whole.best_step) == (OPTIONS.steps, OPTIONS.steps)
    assert not torch.equal(whole.parameters["bias"], stopped.parameters["bias"])
    shorter = _fit(replace(options, early_stopping=False, steps=stopped.best_step))[0]
    assert torch.equal(shorter.parameters["bias"], stopped.parameters["bias"]), "the kept map is that of its step"


def test_codes_in_half_precision_give_the_map_of_their_rounded_values():
    codes, labels = _planted(600, seed=1, together=0.5)
    statistics = latent_statistics(torch.zeros(DIM), codes, rank=LAYERS * DIM)
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    space = TransportSpace(mean, factors, components=0, whitening=0.0)
    maps = []
    for stored in (codes.half(), codes.half().float()):
        sides = []
        for side in (~labels[:, 0], labels[:, 0]):
            sides.append(Cloud(stored[torch.from_numpy(side)], np.full(side.sum(), 1 / side.sum())))
        maps.append(
            fit_map(
                *sides,
                (sides[0], sides[1]),
                shift=sides[1].mean() - sides[0].mean(),
                space=space,
                factors=factors,
                classifier=_Planted(),
                relevance=relevance(labels, 0, "add"),
                options=replace(OPTIONS, steps=10),
                seed=0,
            )
        )
    assert torch.equal(maps[0].parameters["bias"], maps[1].parameters["bias"]) and torch.equal(
        maps[0].parameters["left"], maps[1].parameters["left"]
    )


def test_the_mean_of_a_cloud_is_weighted():
    codes = torch.randn(2500, 2, 3)
    weights = np.random.random(2500)
    weights /= weights.sum()
    expected = (torch.from_numpy(weights)[:, None, None] * codes.double()).sum(0)
    torch.testing.assert_close(Cloud(codes, weights).mean().double(), expected, rtol=1e-4, atol=1e-6)


def test_a_seed_gives_the_same_map():
    options = replace(OPTIONS, steps=10)
    one, other = _fit(options)[0], _fit(options)[0]
    assert torch.equal(one.parameters["bias"], other.parameters["bias"]) and torch.equal(
        one.parameters["right"], other.parameters["right"]
    )


def test_transport_space_has_unit_spread_and_the_right_whitening():
    codes, _ = _planted(4000, seed=5, together=0.5)
    statistics = latent_statistics(torch.zeros(DIM), codes, rank=LAYERS * DIM)
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    for components, whitening in ((0, 0.0), (4, 0.0), (4, 0.5), (4, 1.0)):
        inside = TransportSpace(mean, factors, components=components, whitening=whitening)(codes)
        assert inside.square().sum(1).mean().item() == pytest.approx(1, rel=1e-3)
        if components:
            expected = factors.square().sum(1)[:components] ** (1 - whitening)
            torch.testing.assert_close(inside.var(0), expected / expected.sum(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("hidden", "least", "most"), [(0, 0.0, 0.7), (64, 0.95, 1.0)])
def test_a_hidden_layer_chooses_between_two_empty_places(hidden, least, most):
    """Codes tell which two of four places are taken, the target has three. An affine map cannot fill exactly one of the other
    two everywhere: what it does to two complementary codes adds up to the same for every such pair."""

    def codes(taken: int, seed: int) -> torch.Tensor:
        draw = numpy_generator(seed, taken)
        places = np.argsort(draw.random((1200, 4)), axis=1) < taken
        return torch.from_numpy((places + 0.05 * draw.standard_normal((1200, 4))).astype(np.float32))[:, None]

    sides = [[Cloud(codes(taken, seed), np.full(1200, 1 / 1200)) for taken in (2, 3)] for seed in (1, 2)]
    statistics = latent_statistics(torch.zeros(4), torch.cat([side.codes for side in sides[0]]), rank=4)
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    options = replace(OPTIONS, steps=150, batch=96, learning_rate=0.03, map_components=4, hidden=hidden, blur=0.1)
    fitted = fit_map(
        *sides[0],
        (sides[1][0], sides[1][1]),
        shift=torch.zeros(1, 4),
        space=TransportSpace(mean, factors, components=0, whitening=0.0),
        factors=factors,
        classifier=_Planted(),
        relevance=np.zeros(2),
        options=replace(options, preservation=0.0, calm=0.0, input_noise=0.0, early_stopping=False),
        seed=0,
    )
    maps: EditMaps | MlpMaps
    if hidden:
        maps = MlpMaps(("Three",), 1, 4, components=4, hidden=hidden).requires_grad_(False)
        maps.set_coordinates(mean, factors)
    else:
        maps = EditMaps(("Three",), 1, 4, 4).requires_grad_(False)
        maps.mean.copy_(mean)
    for name, value in fitted.parameters.items():
        getattr(maps, name)[0, 0] = value
    new = codes(2, 3)
    moved = maps.edit(new, {"Three": 1.0})[:, 0]
    taken = moved > 0.5
    sure = ((moved - taken.float()).abs() < 0.3).all(1)
    assert least <= (sure & (taken.sum(1) == 3)).float().mean() <= most


@pytest.mark.parametrize(("classes", "crossed"), [(False, 0.0), (True, 1.0)])
def test_transport_stays_within_a_class(classes, crossed):
    """Two classes change places on the way up. Whoever may become the other goes straight up; its own class is across."""

    def side(height: float, seed: int) -> Cloud:
        draw, second = numpy_generator(seed, int(height)), np.arange(600) % 2 == 1
        places = np.stack([np.where(second != (height > 0), 3.0, 0.0), np.full(600, height)], 1)
        codes = torch.from_numpy((places + 0.1 * draw.standard_normal((600, 2))).astype(np.float32))[:, None]
        return Cloud(codes, np.full(600, 1 / 600), second.astype(int) if classes else None)

    sides = [(side(0.0, seed), side(1.0, seed)) for seed in (1, 2)]
    statistics = latent_statistics(torch.zeros(2), torch.cat([each.codes for each in sides[0]]), rank=2)
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    options = replace(OPTIONS, steps=100, batch=96, learning_rate=0.06, map_components=2, rank=2, blur=0.1)
    options = replace(options, preservation=0.0, calm=0.0, input_noise=0.0)
    fitted = fit_map(
        *sides[0],
        sides[1],
        shift=torch.tensor([[0.0, 1.0]]),
        space=TransportSpace(mean, factors, components=0, whitening=0.0),
        factors=factors,
        classifier=lambda codes: codes[:, 0],
        relevance=np.zeros(2),
        options=options,
        seed=0,
    )
    maps = EditMaps(("Up",), 1, 2, 2).requires_grad_(False)
    maps.mean.copy_(mean)
    for name, value in fitted.parameters.items():
        getattr(maps, name)[0, 0] = value
    new = side(0.0, 3).codes
    moved = maps.edit(new, {"Up": 1.0})[:, 0]
    assert ((moved[:, 1] - 1).abs() < 0.5).float().mean() > 0.98
    assert ((moved[:, 0] > 1.5) != (new[:, 0, 0] > 1.5)).float().mean().item() == pytest.approx(crossed, abs=0.02)


def test_with_classes_the_cost_is_that_of_the_best_matchings_within_them():
    """Three classes of other sizes on both sides; one that the target lacks does not count, the others by their mass."""
    draw = numpy_generator(4)
    classes = np.repeat([0, 1, 2], [8, 16, 4])
    x, y = (torch.from_numpy(draw.standard_normal((28, 1, DIM)).astype(np.float32)) for _ in range(2))
    goal = y[: 8 + 16]
    sides = Cloud(x, np.full(28, 1 / 28), classes), Cloud(goal, np.full(24, 1 / 24), classes[:24])
    statistics = latent_statistics(torch.zeros(DIM), x, rank=DIM)
    fitted = fit_map(
        *sides,
        sides,
        shift=torch.zeros(1, DIM),
        space=TransportSpace(statistics["w_plus_mean"], statistics["w_plus_factors"], components=0, whitening=0.0),
        factors=statistics["w_plus_factors"],
        classifier=lambda codes: codes[:, 0],
        relevance=np.zeros(DIM),
        options=LwOptions(steps=0, map_components=0, calm=0.0, preservation=0.0, own_units=False, blur=0.005, rank=DIM),
        seed=0,
    )
    expected = 0.0
    for number, count in ((0, 8), (1, 16)):
        own, other = (each[classes[: len(each)] == number].flatten(1).double().numpy() for each in (x, goal))
        cost = 0.5 * np.square(own[:, None] - other[None]).sum(-1)
        expected += count / 24 * cost[linear_sum_assignment(cost)].mean()
    assert fitted.initial_loss == pytest.approx(expected, rel=0.05)
