"""The figures of one method on one set, against sums by hand; and uploads that are seen twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from engines.evaluation.inversion_runs import Outcome, outcome_of
from engines.evaluation.inversion_trials import Trial, with_ratios
from engines.evaluation.judges import Judges, samples
from engines.evaluation.photos import PHOTOS
from engines.evaluation.picture_sets import CUT_SHARE, RESCALING, another_upload, seam_of, uploaded_twice
from engines.evaluation.ways import inverted
from engines.imaging.align import Alignment, align_whole, resample


@pytest.fixture
def crops(tiny_pack) -> np.ndarray:
    return samples(tiny_pack, 4, seed=0)


def _trial(pack, crops, method: str, off: int, *, tuned: bool = False) -> Trial:
    """A method that is wrong by `off` levels everywhere."""
    base = inverted(pack, crops[0], "encoder", seconds=None, steps=None, seed=0)
    differences = {"b4.const": np.ones(3, np.float32)} if tuned else {}
    made = [
        dataclasses.replace(
            base,
            crop=crop,
            reconstruction=_off(crop, off),
            seconds=float(index),
            evaluations=10 * index,
            weight_differences=differences,
        )
        for index, crop in enumerate(crops)
    ]
    return Trial(method, [outcome_of(Judges(pack), inversion) for inversion in made])


def _off(picture: np.ndarray, levels: int) -> np.ndarray:
    return (picture.astype(int) + np.where(picture > 127, -levels, levels)).astype(np.uint8)


def test_figures_are_those_of_the_pictures(tiny_pack, crops):
    judges = Judges(tiny_pack)
    trial = _trial(tiny_pack, crops, "a", 20)
    figures = trial.figures(seed=0)
    assert figures["mse_mean"] == pytest.approx((20 / 127.5) ** 2, rel=1e-6)
    assert figures["mse_median"] == figures["mse_worst"] == pytest.approx(figures["mse_mean"])
    assert (figures["seconds_mean"], figures["evaluations_mean"], figures["n"]) == (1.5, 15, 4)
    assert figures["perceptual_mean"] == pytest.approx(judges.perceptual(crops, _off(crops, 20)).mean(), rel=1e-5)
    assert np.isnan(figures["twice_identity"])
    assert np.isnan(figures["seam_worst"])
    more = dataclasses.replace(trial, twice=np.array([0.5, 1.0]), seams=np.array([0.01, -0.04, 0.02]))
    figures = more.figures(seed=0)
    assert (figures["twice_identity"], figures["twice_n"], figures["seam_worst"]) == (0.75, 2, 0.04)


def test_a_perfect_method_keeps_everything(tiny_pack, crops):
    figures = _trial(tiny_pack, crops, "a", 0).figures(seed=0)
    assert (figures["mse_mean"], figures["attributes_kept"]) == (0, 1)
    assert figures["identity_mean"] == pytest.approx(1)


def _outcomes(errors: Sequence[float], *, identity: float | None = None, tuned: bool = False) -> list[Outcome]:
    return [Outcome(error, 0.1, identity, 1.0, 1.0, 1, tuned) for error in errors]


def test_a_pack_without_identity_has_no_figure_of_it():
    assert np.isnan(Trial("a", _outcomes([0.1, 0.2])).figures(seed=0)["identity_mean"])
    assert Trial("a", _outcomes([0.1, 0.2], identity=0.5)).figures(seed=0)["identity_mean"] == 0.5


def test_errors_are_compared_with_the_best_method_that_leaves_the_generator_alone():
    trials = [Trial("poor", _outcomes([0.6, 0.2])), Trial("good", _outcomes([0.1, 0.1]))]
    trials += [Trial("tuned", _outcomes([0.02, 0.03], tuned=True))]
    figures = with_ratios(trials, seed=0)
    assert {name: row["mse_to_best_fixed"] for name, row in figures.items()} == pytest.approx(
        {"poor": 4, "good": 1, "tuned": 1 / 4}
    )
    (alone,) = with_ratios(trials[2:], seed=0).values()
    assert np.isnan(alone["mse_to_best_fixed"])


def test_another_upload_is_cut_and_rescaled_within_bounds_and_repeats():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    sizes = set()
    for index in range(10):
        upload = another_upload(pixels, 3, index)
        assert np.array_equal(upload, another_upload(pixels, 3, index))
        for got, was in zip(upload.shape[:2], pixels.shape[:2], strict=True):
            assert (1 - 2 * CUT_SHARE) * RESCALING[0] * was - 2 < got < RESCALING[1] * was + 1
        sizes.add(upload.shape)
    assert len(sizes) > 5


def test_a_perfect_reconstruction_of_a_photo_leaves_no_seam():
    pixels = PHOTOS[0].read().pixels
    photo = pixels[40:440, 20:420]
    crop, alignment = align_whole(photo, 128)
    # The crop is the whole picture: it has no border. Half the scale lets it lie in the middle of a larger one.
    assert np.isnan(seam_of(photo, alignment, crop))
    inside = Alignment(alignment.then(np.array([[2.0, 0, -64], [0, 2.0, -64]])).matrix, 128)
    assert abs(seam_of(photo, inside, resample(photo, inside))) < 0.02


def test_both_uploads_of_a_photo_give_about_the_same_crop(tiny_pack):
    astronaut = PHOTOS[0].read().pixels
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    first, second = uploaded_twice(tiny_pack, [noise, astronaut], seed=1)
    assert first.shape == second.shape == (1, 32, 32, 3), "noise shows no face"
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.97
    assert not np.array_equal(first, second)
