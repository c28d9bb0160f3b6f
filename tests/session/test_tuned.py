"""Tuned inversions through the facade: kept for the next visit, edited live, and nobody in anybody's way."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from engines import api
from engines.core.errors import InversionFileError, OptionError
from engines.generators.weight_differences import tuned
from engines.imaging.convert import to_uint8
from engines.imaging.read import Picture
from engines.tuning import run as course


@pytest.fixture(autouse=True)
def _short_search_for_the_codes(monkeypatch):
    monkeypatch.setattr(course, "PIVOT_STEPS", 10)


@pytest.fixture
def photo() -> Picture:
    """48 x 40 pixels of a smooth pattern: no face in it."""
    x, y = np.meshgrid(np.linspace(0, 1, 48), np.linspace(0, 1, 40))
    planes = (np.sin(7 * x + 2 * y), np.cos(5 * y), np.sin(3 * x - 6 * y))
    return Picture(np.stack([np.rint(127.5 + 90 * plane) for plane in planes], axis=-1).astype(np.uint8), "photo.png", ())


def _clone(pack, picture, **options) -> api.Inversion:
    return api.finish(api.invert(pack, picture, **{"method": "clone", "face": None, "steps": 15, **options}))


def test_the_second_visit_is_instant_and_says_so(tiny_pack, photo):
    first = list(api.invert(tiny_pack, photo, method="clone", face=None, steps=15))
    second = list(api.invert(tiny_pack, photo, method="clone", face=None, steps=15))
    assert not any(record.from_store for record in first)
    assert [record.from_store for record in second] == [True]
    assert second[0].result.id == first[-1].result.id
    assert second[0].elapsed_sec < 2
    # The store keeps what was found in the crop; where that lies in the photo comes from this visit.
    assert second[0].result.alignment == first[-1].result.alignment
    assert second[0].result.warnings == first[-1].result.warnings


def test_the_store_can_be_looked_at_and_emptied(tiny_pack, photo):
    assert api.tuned_entries() == []
    inversion = _clone(tiny_pack, photo)
    (entry,) = api.tuned_entries()
    assert (entry.pack, entry.method, entry.mse) == ("tiny", "clone", inversion.mse)
    assert api.clear_tuned(older_than_days=1) == []
    assert [entry.method for entry in api.clear_tuned()] == ["clone"]
    assert api.tuned_entries() == []
    with pytest.raises(OptionError, match="older_than_days"):
        api.clear_tuned(older_than_days=-1)


def test_methods_that_do_not_tune_are_not_kept(tiny_pack, photo):
    api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    assert api.tuned_entries() == []


def test_edits_are_painted_by_the_tuned_generator(tiny_pack, photo):
    inversion = _clone(tiny_pack, photo)
    assert inversion.weight_differences
    frame = api.render(tiny_pack, inversion, {"Male": 1.0})
    with torch.no_grad():
        codes = tiny_pack.edit_maps.edit(torch.from_numpy(inversion.w_plus.copy())[None], {"Male": 1.0})
        image = tuned(tiny_pack.generator, inversion.weight_differences).synthesis(codes)
        untuned = to_uint8(tiny_pack.generator.synthesis(codes))[0]
    assert np.array_equal(frame.image, to_uint8(image)[0])
    assert not np.array_equal(frame.image, untuned)
    assert frame.state.tuned_id == frame.state.canonical()["tuned"] == inversion.id
    assert [reading.after for reading in api.report(tiny_pack, inversion, frame)] == list(frame.attributes.values())


def test_a_tuned_inversion_starts_at_its_own_reconstruction_without_a_jump(tiny_pack, photo):
    inversion = _clone(tiny_pack, photo)
    assert api.render(tiny_pack, inversion, {}).image.tobytes() == inversion.reconstruction.tobytes()
    smallest = api.render(tiny_pack, inversion, {"Male": 1e-9}).image
    assert np.abs(smallest.astype(int) - inversion.reconstruction).max() <= 1


def test_two_users_and_the_shared_generator_do_not_disturb_each_other(tiny_pack, photo):
    upside_down = dataclasses.replace(photo, pixels=np.ascontiguousarray(photo.pixels[::-1]))
    people = [_clone(tiny_pack, photo), _clone(tiny_pack, upside_down), api.surprise(tiny_pack, 5)]
    alphas = {"Smiling": 0.8, "Beard": -0.5}
    expected = [api.render(tiny_pack, person, alphas).image.tobytes() for person in people]
    assert len(set(expected)) == 3
    assert api.render(tiny_pack, people[2], alphas).state.tuned_id is None
    with ThreadPoolExecutor(6) as threads:
        painted = threads.map(
            lambda i: api.render(tiny_pack, people[i % 3], alphas).image.tobytes() == expected[i % 3], range(60)
        )
        assert all(painted)


def test_a_tuned_inversion_is_saved_loaded_and_exported(tiny_pack, photo, tmp_path):
    inversion = _clone(tiny_pack, photo)
    inversion.save(tmp_path / "inversion.safetensors")
    again = api.load_inversion(tmp_path / "inversion.safetensors", tiny_pack)
    frames = [api.render(tiny_pack, each, {"Male": 1.0}) for each in (inversion, again)]
    assert frames[0].image.tobytes() == frames[1].image.tobytes()
    exported = api.export(tiny_pack, again, frames[1], photo)
    assert exported.shape == photo.pixels.shape
    assert not np.array_equal(exported, photo.pixels)


def test_weights_of_another_generator_are_refused_with_a_sentence(tiny_pack, photo):
    inversion = _clone(tiny_pack, photo)
    wrong = dataclasses.replace(inversion, weight_differences={"synthesis.b999.weight": np.zeros((2, 2), np.float16)})
    with pytest.raises(InversionFileError, match="make the inversion again"):
        api.render(tiny_pack, wrong, {"Male": 1.0})


def test_a_global_loss_that_there_is_not_is_refused(tiny_pack, photo):
    with pytest.raises(OptionError, match="global_loss='all': use one of frozen, gan, both, none"):
        api.invert(tiny_pack, photo, method="clone", global_loss="all")
