"""Free photographs are found where they are, and degradations do what they say, the same each time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engines.evaluation.degradations import DARK_LIGHT, DEGRADATIONS, SHIFT_SHARE, degraded
from engines.evaluation.photos import PHOTOS, Photo, installed_photos, missing_packages
from engines.imaging.faces import FaceDetector

NAMES = [photo.name for photo in PHOTOS]


def test_every_photo_says_what_it_shows_and_who_may_use_it():
    assert len(set(NAMES)) == len(NAMES) >= 3
    for photo in PHOTOS:
        assert photo.shows and photo.source
        assert photo.licence.startswith(("public domain", "CC0"))


def test_what_is_installed_is_listed_and_what_is_not_is_named():
    installed = installed_photos()
    assert "astronaut" in [photo.name for photo in installed], "the project's own example"
    absent = {photo.package for photo in PHOTOS if photo not in installed}
    assert absent == set(missing_packages())
    lost = dataclasses.replace(PHOTOS[0], package="no_such_package")
    assert lost.path is None
    assert dataclasses.replace(PHOTOS[0], file="assets/examples/nosuch.jpg").path is None


@pytest.mark.parametrize("photo", PHOTOS, ids=NAMES)
def test_every_photo_shows_a_face(photo: Photo):
    if photo.path is None:
        pytest.skip(f"{photo.package} is not installed")
    picture = photo.read()
    (face,) = FaceDetector().detect(picture.pixels)
    assert face.size_px > 50


def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(20, 236, (8, 8, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)


@pytest.mark.parametrize("name", list(DEGRADATIONS))
def test_a_degradation_is_the_same_for_the_same_seed_only(name):
    before = picture()
    kept = before.copy()
    one, again, other = (DEGRADATIONS[name](before, *seed) for seed in ((1, 0), (1, 0), (1, 1)))
    assert one.shape == before.shape and one.dtype == np.uint8
    assert np.array_equal(one, again) and np.array_equal(before, kept)
    assert np.array_equal(one, before) == (name == "none")
    assert np.array_equal(one, other) == (name == "none")


def test_shifting_moves_every_picture_as_far_in_its_own_direction():
    """The centre of a small spot moves by SHIFT_SHARE of the side."""
    dark = np.zeros((100, 100, 3), np.uint8)
    dark[48:52, 48:52] = 255
    centres = []
    for index, moved in enumerate(degraded("shifted", np.stack([dark] * 6), seed=3)):
        assert np.array_equal(moved, DEGRADATIONS["shifted"](dark, 3, index))
        y, x = (np.average(np.arange(100), weights=moved[..., 0].sum(axis=axis) + 1e-9) for axis in (1, 0))
        centres.append(complex(x - 49.5, y - 49.5))
    assert np.abs(centres) == pytest.approx(100 * SHIFT_SHARE, abs=0.1)
    assert len({round(float(np.angle(centre)), 1) for centre in centres}) > 3


def test_darkening_leaves_the_share_of_light_it_says():
    grey = np.full((4, 4, 3), 200, np.uint8)
    for index in range(20):
        share = (DEGRADATIONS["darkened"](grey, 5, index)[0, 0, 0] / 200) ** 2.2
        assert DARK_LIGHT[0] - 0.02 < share < DARK_LIGHT[1] + 0.02


def test_recompressing_keeps_the_picture_but_not_its_detail():
    before = picture()
    after = DEGRADATIONS["recompressed"](before, 0)
    error = np.abs(after.astype(int) - before).mean()
    assert 2 < error < 30
    assert np.corrcoef(after.ravel(), before.ravel())[0, 1] > 0.9
