"""The networks' answers about many pictures are those about each, and what is judged is what was asked for."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engines.core.rng import numpy_generator, torch_generator, z_for_seeds
from engines.evaluation.benchmarks.grouped import grouped_synthesis
from engines.evaluation.edit_verdicts import (
    Edit,
    Sources,
    Verdict,
    judge,
    mean_figures,
    mean_over_edits,
    other_attributes,
    sources_of,
    sweep,
)
from engines.evaluation.generator import path_length
from engines.evaluation.judges import Judges, fitted, samples
from engines.evaluation.setting import Subjects
from engines.imaging.convert import to_tensor, to_uint8


@pytest.fixture
def pictures() -> np.ndarray:
    return numpy_generator(11).integers(0, 256, (27, 32, 32, 3)).astype(np.uint8)


def test_batches_answer_like_single_pictures(tiny_pack, pictures):
    """27 pictures are a whole batch and a rest."""
    judges = Judges(tiny_pack)
    with torch.inference_mode():
        expected = [tiny_pack.attribute_predictor.probabilities(to_tensor(picture))[0].numpy() for picture in pictures]
    np.testing.assert_allclose(judges.probabilities(pictures), expected, atol=1e-5)
    np.testing.assert_allclose(judges.identity_similarity(pictures, pictures), 1, atol=1e-5)
    np.testing.assert_allclose(judges.perceptual(pictures, pictures), 0, atol=1e-7)


def test_a_class_is_kept_where_the_predictor_says_the_same_of_both(tiny_pack):
    """Classes by brightness: which pairs are on one side of the middle is plain to see."""

    def by_brightness(images: torch.Tensor) -> torch.Tensor:
        mean = images.mean((1, 2, 3))
        return torch.stack([-mean, mean], 1)

    pack = SimpleNamespace(has=lambda component: component == "class_predictor", class_predictor=by_brightness, device="cpu")
    pictures = [np.full((4, 8, 8, 3), levels, np.uint8) for levels in (np.reshape([[0, 90, 200, 255]], (4, 1, 1, 1)), 120)]
    assert Judges(pack).class_kept(*pictures).tolist() == [1, 1, 0, 0]
    assert np.isnan(Judges(tiny_pack).class_kept(*pictures)).tolist() == [True] * 4


def test_samples_are_those_of_their_seeds(tiny_pack):
    """Picture i of seed s is picture 0 of seed s + i; truncation 0 is the mean picture for every seed."""
    both = samples(tiny_pack, 3, seed=4)
    assert np.abs(both[2].astype(int) - samples(tiny_pack, 1, seed=6)[0]).max() <= 1
    mean = samples(tiny_pack, 2, seed=0, truncation=0.0)
    assert np.array_equal(mean[0], mean[1])


def test_fitted_averages_blocks_and_leaves_the_right_size_alone(pictures):
    small = fitted(pictures[:2], 16)
    expected = pictures[:2].astype(float).reshape(2, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - expected).max() <= 0.51
    assert np.array_equal(fitted(pictures, 32), pictures)
    assert fitted(pictures[:1], 64).shape == (1, 64, 64, 3)


def test_grouped_synthesis_is_the_same_picture(tiny_pack):
    """The baseline of the benchmarks takes Eq. 1 and 3 literally; noise is switched on so that it counts too."""
    network = copy.deepcopy(tiny_pack.generator.synthesis)
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.3)
    w_plus = torch.randn(3, 8, 16, generator=torch_generator(1))
    assert (grouped_synthesis(network, w_plus) - network(w_plus)).abs().max() < 1e-4


def test_path_length_of_a_linear_generator_is_the_length_of_its_straight_lines():
    """G(w) = w A and squared distances: every step has the squared speed |(w_2 - w_1) A|^2, wherever t falls.

    Two per cent at each end are dropped as the definition says; float32 keeps about three digits of a step of 1e-4.
    """
    matrix = torch.randn(4, 12, generator=torch_generator(1))
    generator = SimpleNamespace(
        config=SimpleNamespace(z_dim=4, class_count=0),
        mapping=lambda z, label: z,
        broadcast=lambda w: w,
        synthesis=lambda w: (w @ matrix).view(-1, 3, 2, 2),
    )
    perceptual = SimpleNamespace(distance=lambda a, b: (a - b).square().flatten(1).sum(1))
    pack = SimpleNamespace(generator=generator, perceptual=perceptual, device=torch.device("cpu"))
    w = z_for_seeds(list(range(3, 203)), 4)
    speeds = ((w[100:] - w[:100]) @ matrix).square().sum(1).sort().values.numpy()
    lengths = np.sort(path_length(pack, 100, seed=3))
    assert len(lengths) == 98
    np.testing.assert_allclose(lengths, speeds[1:-1], rtol=0.02)


# ---- edits ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sources(tiny_pack) -> Sources:
    judges = Judges(tiny_pack)
    pictures = samples(tiny_pack, 12, seed=1)
    labels = judges.probabilities(pictures) > 0.5
    return sources_of(judges, Subjects(pictures, labels, [None] * 12, pictures, "faces"), judges.codes(pictures))


def test_a_perfect_edit_of_itself_has_distance_zero_and_figures_follow_the_predictions(tiny_pack, sources):
    """The truth is planted: it is the edited picture itself. Rates are counted again, by hand, from the predictions."""
    judges, chosen = Judges(tiny_pack), np.arange(2, 12)
    edit = Edit(tiny_pack.edit_maps, "Smiling", "add")
    with torch.inference_mode():
        codes = tiny_pack.edit_maps.edit(torch.from_numpy(sources.codes[chosen]), {"Smiling": 1.5})
        planted = to_uint8(tiny_pack.generator.synthesis(codes))
    figures, edited = judge(judges, sources, edit, chosen, planted, alpha=1.5, seed=0)
    assert np.array_equal(edited, planted)
    assert figures["counterfactual_distance"] == 0 and figures["counterfactual_perceptual"] == pytest.approx(0, abs=1e-7)
    before, after = (judges.probabilities(x) > 0.5 for x in (sources.reconstructions[chosen], planted))
    k = judges.attributes.index("Smiling")
    could = [i for i in range(10) if not before[i, k]]
    if could:
        assert figures["target_change"] == pytest.approx(sum(after[i, k] for i in could) / len(could))
    kept = [before[i, j] == after[i, j] for i in range(10) for j in range(len(judges.attributes)) if j != k]
    assert figures["attribute_preservation"] == pytest.approx(sum(kept) / len(kept))
    gap = (sources.reconstructions[chosen].astype(float) - planted) / 127.5
    assert figures["unedited_distance"] == pytest.approx((gap**2).mean())
    assert (figures["n"], figures["n_changeable"], figures["alpha"]) == (10, len(could), 1.5)


def test_an_edit_of_some_layers_leaves_the_others(tiny_pack, sources):
    edit = Edit(tiny_pack.edit_maps, "Male", "add", (2, 5))
    changed = (edit.codes(sources.codes, 1.0) != sources.codes).any(axis=(0, 2))
    assert changed.tolist() == [2 <= layer < 5 for layer in range(8)]


def test_strength_zero_changes_nothing(tiny_pack, sources):
    judges, chosen = Judges(tiny_pack), np.arange(12)
    edit = Edit(tiny_pack.edit_maps, "Male", "remove")
    figures, edited = judge(judges, sources, edit, chosen, sources.reconstructions, alpha=0.0, seed=0)
    assert np.array_equal(edited, sources.reconstructions)
    assert figures["attribute_preservation"] == 1 and figures["identity"] == pytest.approx(1, abs=1e-5)
    assert figures["target_change"] == 0 or np.isnan(figures["target_change"])
    assert figures["unedited_distance"] == figures["counterfactual_distance"] == 0


def test_removing_moves_against_adding(tiny_pack, sources):
    """The tiny pack's maps follow the gradient of the logit: the sign of the direction must reach them."""
    codes = sources.codes
    added = Edit(tiny_pack.edit_maps, "Beard", "add").codes(codes, 1.0) - codes
    removed = Edit(tiny_pack.edit_maps, "Beard", "remove").codes(codes, 1.0) - codes
    assert np.sum(added * removed) < 0


def test_the_sweep_meets_the_verdict_at_the_same_strength(tiny_pack, sources):
    judges, chosen = Judges(tiny_pack), np.arange(12)
    edit = Edit(tiny_pack.edit_maps, "Eyeglasses", "add")
    figures, _ = judge(judges, sources, edit, chosen, sources.reconstructions, alpha=1.0, seed=0)
    (point,) = (p for p in sweep(judges, sources, edit, chosen) if p["alpha"] == 1.0)
    for key in ("target_change", "attribute_preservation", "identity"):
        assert point[key] == pytest.approx(figures[key], nan_ok=True)


def test_tied_attributes_are_left_out_whichever_of_the_two_lists_the_tie(tiny_pack):
    manifest = tiny_pack.manifest
    entries = [replace(a, exclusive=("Beard",)) if a.id == "Male" else a for a in manifest.attributes]
    manifest = replace(manifest, attributes=tuple(entries))
    names = ("Beard", "Smiling", "Male")
    for attribute, untied in (
        ("Male", [False, True, False]),
        ("Beard", [False, True, False]),
        ("Smiling", [True, False, True]),
    ):
        free, others = other_attributes(manifest, names, attribute)
        assert free.tolist() == untied
        assert others.tolist() == [name != attribute for name in names]


def test_means_are_over_attributes_and_skip_what_could_not_be_measured():
    def verdict(attribute: str, direction: str, change: float, n: int) -> Verdict:
        figures = {"target_change": change, "target_change_interval": (0, 1), "alpha": 1.0, "n": n, "n_changeable": n}
        return Verdict(attribute, direction, "LW", figures, [], ())

    verdicts = [verdict("A", "add", 1.0, 5), verdict("B", "add", 0.5, 1), verdict("A", "remove", float("nan"), 2)]
    means = mean_figures(verdicts, "LW")
    assert means["add"] == {"target_change": 0.75, "alpha": 1.0, "n": 6}
    assert np.isnan(means["remove"]["target_change"])
    assert means["both"]["target_change"] == 0.75 and means["both"]["n"] == 8
    assert mean_figures(verdicts, "LT") == {}


def test_means_over_edits_count_those_that_have_a_figure():
    rows = [{"change": 1.0, "n": 5, "kept": 0.5, "n_called_for": 2}, {"change": 2.0, "n": 1}]
    mean = mean_over_edits(rows, seed=0)
    assert (mean["change"], mean["n"], mean["kept"], mean["n_called_for"]) == (1.5, 6, 0.5, 2)
    assert mean["change_interval"] == (1.0, 2.0) and mean["kept_interval"] == (0.5, 0.5)
    assert "n_interval" not in mean
