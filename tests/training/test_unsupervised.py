"""GANSpace, SeFa and StyleSpace against scikit-learn, singular vectors and planted effects."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engines.core.rng import numpy_generator, torch_generator
from engines.training.family_run import fit_family
from engines.training.ganspace import principal_components
from engines.training.matching import Candidates, MatchedFit, best_candidate, layer_ranges, measured_effects, sampled_w, spread
from engines.training.runs import Run
from engines.training.sefa import sefa_candidates, weight_directions
from engines.training.stylespace import StyleSpaceFit, channel_relevance
from tests.training.planted import material


def _aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a` with each row's sign that of the same row of `b`: axes have none of their own."""
    return a * np.sign((a * b).sum(axis=1, keepdims=True))


def test_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    w = torch.randn(500, 6, generator=torch_generator(1)) @ torch.randn(6, 6, generator=torch_generator(2)) + 3
    pca = decomposition.PCA(4).fit(w.numpy())
    wanted = pca.components_ * np.sqrt(pca.explained_variance_)[:, None]
    found = principal_components(w, 4).numpy()
    np.testing.assert_allclose(_aligned(found, wanted), wanted, atol=1e-3)


def test_eigenvectors_are_the_right_singular_vectors():
    weights = torch.randn(20, 7, generator=torch_generator(3))
    wanted = np.linalg.svd(weights.numpy())[2][:3]
    np.testing.assert_allclose(_aligned(weight_directions(weights, 3).numpy(), wanted), wanted, atol=1e-4)


def test_layer_ranges_are_all_and_thirds_and_rows_outside_stay():
    assert layer_ranges(12) == ((0, 12), (0, 4), (4, 8), (8, 12))
    candidates = spread(torch.ones(2, 3), "component", 12)
    assert candidates.changes.shape == (8, 12, 3)
    assert candidates.names[3] == "component 1, layers 0-3"
    assert candidates.changes[3, :4].all() and not candidates.changes[3, 4:].any()


def test_the_matched_candidate_changes_the_attribute_and_little_else():
    """The first changes everything, the second attribute 0 alone (and takes it away), the third attribute 1."""
    effects = np.array([[2.0, 2.0, 2.0], [-1.0, 0.1, 0.0], [0.0, 1.0, 0.2]])
    assert best_candidate(effects, 0, np.array([False, True, True])) == (1, -1.0)
    assert best_candidate(effects, 1, np.array([True, False, True])) == (2, 1.0)
    assert best_candidate(effects, 1, np.array([False, False, False])) == (0, 1.0)


def test_effects_of_a_linear_predictor_are_its_coefficients():
    """Logits M w: one unit of a change c moves them by M c, here in deviations of 2."""
    matrix = torch.randn(2, 3, generator=torch_generator(4))
    codes = torch.randn(9, 1, 3, generator=torch_generator(5))
    trial = SimpleNamespace(
        codes=codes, before=np.array([[2.0, 2.0], [-2.0, -2.0]]), logits=lambda w: (w[:, 0] @ matrix.T).numpy()
    )
    changes = torch.randn(4, 1, 3, generator=torch_generator(6))
    effects = measured_effects(trial, Candidates(changes, ("",) * 4), 5, lambda step: None)
    np.testing.assert_allclose(effects, (changes[:, 0] @ matrix.T).numpy() / 2, atol=1e-5)


@pytest.mark.parametrize("name", ["GANSpace", "SeFa"])
def test_matched_families_add_with_plus_and_remove_with_minus(tiny_pack, tmp_path, name):
    found = material(tiny_pack, "Smiling", "Male")
    if name == "SeFa":
        candidates = sefa_candidates(found, 3)
    else:
        candidates = spread(principal_components(sampled_w(tiny_pack.generator, 200, seed=0), 3), "component", 8)
    fit = MatchedFit(found, candidates, codes=6)
    run = Run.open(tmp_path, {}, resume=False)
    family, figures = fit_family(fit, found, training=run, progress=lambda record: None)
    assert set(figures) == {f"{a}/{d}" for a in ("Smiling", "Male") for d in ("add", "remove")}
    trial = found.trial
    for attribute in family.attributes:
        k = found.train.attributes.index(attribute)
        more, less = (trial.logits(family.edit(trial.codes, {attribute: alpha}))[:, k].mean() for alpha in (1.0, -1.0))
        assert more > less
        assert figures[f"{attribute}/add"]["candidate"] in candidates.names


def test_relevance_by_hand():
    draw = numpy_generator(7)
    styles, has = draw.standard_normal((40, 3)), draw.random(40) < 0.5
    styles[has, 1] += 3
    for u, theta in enumerate(channel_relevance(styles, has)):
        mean = sum(styles[:, u]) / 40
        deviation = (sum((s - mean) ** 2 for s in styles[:, u]) / 40) ** 0.5
        delta = [(s - mean) / deviation for s, there in zip(styles[:, u], has, strict=True) if there]
        centre = sum(delta) / len(delta)
        assert theta == pytest.approx(abs(centre) / (sum((d - centre) ** 2 for d in delta) / len(delta)) ** 0.5, rel=1e-4)
    assert channel_relevance(styles, has).argmax() == 1


def test_a_style_family_moves_few_channels_and_no_code(tiny_pack, tmp_path):
    found = material(tiny_pack, "Smiling")
    fit = StyleSpaceFit(found, 4)
    run = Run.open(tmp_path, {}, resume=False)
    family, figures = fit_family(fit, found, training=run, progress=lambda record: None)
    assert int((family.shift[0] != 0).sum()) == 4 == len(figures["Smiling/add"]["channels"])
    codes = found.trial.codes
    assert torch.equal(family.edit(codes, {"Smiling": 1.0}), codes)
    added, removed = family.style_shifts({"Smiling": 1.0}), family.style_shifts({"Smiling": -1.0})
    ratio = family.scale[0, 1] / family.scale[0, 0]
    for name in added:
        torch.testing.assert_close(removed[name], -ratio * added[name])
