"""The facade, as a script would use it."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from engines import api
from engines.core.cache import BoundedCache
from engines.core.errors import InversionFileError, NoFaceError, OptionError
from engines.core.paths import repository_dir
from engines.imaging.align import align_five_points, align_whole
from engines.inversion.options import InversionOptions
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.packs.load import Pack
from engines.tuning.methods import METHODS
from tests.tiny_pack import TINY_ATTRIBUTES


@pytest.fixture
def photo(tmp_path) -> api.Picture:
    """A picture without a face, wider than high."""
    rng = np.random.default_rng(3)
    pixels = np.asarray(Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize((300, 200)))
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return api.read_image(tmp_path / "photo.png")


@pytest.fixture
def astronaut() -> api.Picture:
    """A public-domain photo with one face (NASA)."""
    return api.read_image(repository_dir() / "assets" / "examples" / "astronaut.jpg")


def test_the_list_of_packs_and_an_open_pack_say_the_same(tiny_pack):
    listed = {info.id: info for info in api.list_packs()}
    info = api.pack_info(tiny_pack)
    assert listed["tiny"] == info
    assert (info.resolution, info.latent_shape) == (32, (8, 16))
    assert tuple(attribute.id for attribute in info.attributes) == TINY_ATTRIBUTES
    assert info.bytes == sum(path.stat().st_size for path in tiny_pack.folder.glob("*.safetensors"))
    assert info.methods == tuple(METHOD_COMPONENTS) == tuple(METHODS)


def test_an_unknown_pack_is_told_with_those_there_are(tiny_pack):
    with pytest.raises(api.PackNotFoundError, match="tiny"):
        api.open_pack("nosuch")


def test_a_picture_without_a_face_is_taken_from_the_middle_with_a_warning(tiny_pack, photo):
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder"))
    crop, alignment = align_whole(photo.pixels, 32)
    assert np.array_equal(inversion.crop, crop)
    assert inversion.alignment == {**alignment.to_json(), "picture_px": [300, 200]}
    assert any("No face" in warning for warning in inversion.warnings)
    whole = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    assert whole.w_plus.tobytes() == inversion.w_plus.tobytes()
    assert not any("No face" in warning for warning in whole.warnings)


def test_a_face_is_found_and_aligned_as_the_pack_says(tiny_pack, astronaut):
    (face,) = api.find_faces(astronaut)
    x0, y0, x1, y1 = face.box
    # The astronaut's eyes are at about (207, 107) and (243, 109) in the picture of 512 x 512.
    assert x0 < 207 < 243 < x1
    assert y0 < 108 < y1
    inversion = api.finish(api.invert(tiny_pack, astronaut, method="encoder"))
    crop, _ = align_five_points(astronaut.pixels, face.points, tiny_pack.manifest.alignment, 32)
    assert np.array_equal(inversion.crop, crop)
    assert np.array_equal(api.finish(api.invert(tiny_pack, astronaut, method="encoder", face=0)).crop, crop)


def test_a_face_that_is_not_there_is_an_error(tiny_pack, photo, astronaut):
    with pytest.raises(NoFaceError, match="no face"):
        api.invert(tiny_pack, photo, face=0)
    with pytest.raises(NoFaceError, match="1 face"):
        api.invert(tiny_pack, astronaut, face=1)
    with pytest.raises(OptionError, match="face"):
        api.invert(tiny_pack, photo, face=-1)


def test_a_poor_reconstruction_is_said_to_be_one(tiny_pack, photo):
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    # The tiny pack claims .01 for its held-out pictures; random weights are far from that.
    assert inversion.mse > 0.05
    assert any("poor" in warning and f"{inversion.mse:.3f}" in warning for warning in inversion.warnings)


def test_options_are_checked_before_any_work(tiny_pack, photo):
    with pytest.raises(OptionError, match="did you mean encoder-refine"):
        api.invert(tiny_pack, photo, method="encoder-refined")
    for options in ({"seconds": -1.0}, {"seconds": float("nan")}, {"steps": -5}):
        with pytest.raises(OptionError, match="budget"):
            api.invert(tiny_pack, photo, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0: the budget must be above 0"),
        ({"evaluations": 0}, "evaluations=0: the budget must be above 0"),
        ({"seconds": 0}, "seconds=0: the budget must be above 0"),
        ({"seconds": 10**400}, "the budget must be above 0, and finite"),
        ({"seconds": 10**5000}, "seconds=a number too long to show: the budget"),
        ({"seed": -1}, "seed='-1': a whole number from 0 on is needed"),
        ({"seed": 0.5}, "seed='0.5': a whole number from 0 on is needed"),
        ({"space": "x"}, "space='x': use one of z, w, w+"),
        ({"transform": "all"}, "transform='all': use one of none, spatial, colour, both"),
        ({"outside_weight": 1.5}, "outside_weight=1.5: use 0 to 1"),
        ({"outside_weight": float("nan")}, "outside_weight=nan: use 0 to 1"),
        ({"pixel_loss": "l3"}, "pixel_loss='l3': use one of l1, laplacian"),
        ({"mask": "everything"}, "mask='everything': give auto, or four numbers x0, y0, x1, y1"),
        ({"mask": (1, 2, 3)}, "four numbers x0, y0, x1, y1 are needed"),
        ({"mask": (10, 10, float("nan"), 20)}, "four numbers x0, y0, x1, y1 are needed"),
        ({"mask": (50, 20, 50, 90)}, "the rectangle has no area"),
        ({"mask": (-90, -90, -10, -10)}, "lies outside the picture of 300 x 200 pixels"),
        ({"mask": (0, 0, 40, 200)}, "lies outside the part of the picture that is edited"),
    ],
)
def test_options_of_searches_are_checked_before_any_work(tiny_pack, photo, options, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        api.invert(tiny_pack, photo, method="adam", face=None, **options)


def test_a_method_that_the_pack_cannot_do_is_told_with_what_it_lacks(tiny_pack):
    parts = {kind: part for kind, part in tiny_pack.manifest.components.items() if kind != "statistics"}
    poorer = Pack(
        tiny_pack.folder,
        dataclasses.replace(tiny_pack.manifest, components=parts),
        BoundedCache(0),
        device=tiny_pack.device,
    )
    with pytest.raises(
        OptionError, match=r"'adam' needs what the pack tiny lacks \(statistics\); it can do encoder, iterated-encoder"
    ):
        api.check_method(poorer, "adam")
    api.check_method(poorer, "encoder")


def test_a_space_that_the_pack_does_not_have_is_told(tiny_pack, photo):
    latent = dataclasses.replace(tiny_pack.manifest.latent, spaces=("w", "w+"))
    poorer = Pack(
        tiny_pack.folder,
        dataclasses.replace(tiny_pack.manifest, latent=latent),
        BoundedCache(0),
        device=tiny_pack.device,
    )
    with pytest.raises(OptionError, match=r"space='z': the pack tiny has w, w\+"):
        api.invert(poorer, photo, method="adam", face=None, space="z")


def test_a_search_knows_the_mask_in_pixels_of_the_crop(tiny_pack, photo):
    inversion = api.finish(api.invert(tiny_pack, photo, method="adam", face=None, steps=2, mask=(100, 50, 200, 150)))
    # The middle square of 200 pixels became 32.
    assert inversion.mask == pytest.approx((8.0, 8.0, 24.0, 24.0))
    assert inversion.alignment is not None
    assert inversion.evaluations >= 2


def test_surprise_is_the_same_person_for_the_same_seed(tiny_pack):
    one, again, other = (api.surprise(tiny_pack, seed) for seed in (1, 1, 2))
    assert one.id == again.id != other.id
    assert one.mse == 0
    assert np.array_equal(one.crop, one.reconstruction)
    mean, same = (api.surprise(tiny_pack, seed, truncation=0.0) for seed in (1, 2))
    assert np.array_equal(mean.reconstruction, same.reconstruction)


def test_a_saved_inversion_goes_on_where_it_was(tiny_pack, photo, tmp_path):
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder-refine", steps=3))
    inversion.save(tmp_path / "a.safetensors")
    loaded = api.load_inversion(tmp_path / "a.safetensors", tiny_pack)
    assert loaded.id == inversion.id
    one, other = (api.render(tiny_pack, x, {"Male": 1.0}) for x in (inversion, loaded))
    assert one.image.tobytes() == other.image.tobytes()
    with pytest.raises(InversionFileError, match="nosuch"):
        api.load_inversion(tmp_path / "nosuch.safetensors", tiny_pack)


def test_the_report_tells_before_after_and_flips(tiny_pack):
    person = api.surprise(tiny_pack, 3)
    start = api.render(tiny_pack, person, {}).attributes
    present = max(TINY_ATTRIBUTES, key=start.get)
    frame = api.render(tiny_pack, person, {present: -2.0})
    readings = api.report(tiny_pack, person, frame)
    assert [reading.id for reading in readings] == list(TINY_ATTRIBUTES)
    for reading in readings:
        assert (reading.before, reading.after) == (start[reading.id], frame.attributes[reading.id])
        assert reading.changed == ((reading.before >= 0.5) != (reading.after >= 0.5))
    assert not any(reading.changed for reading in api.report(tiny_pack, person, api.render(tiny_pack, person, {})))


def test_export_of_no_edit_is_the_photo_itself(tiny_pack, photo):
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    frame = api.render(tiny_pack, inversion, {})
    assert api.export(tiny_pack, inversion, frame, photo).tobytes() == photo.pixels.tobytes()


def test_export_changes_the_photo_inside_the_square_only(tiny_pack, photo):
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    frame = api.render(tiny_pack, inversion, {"Male": 2.0})
    exported = api.export(tiny_pack, inversion, frame, photo)
    # The middle square of 300 x 200 spans columns 50 to 250.
    assert np.array_equal(exported[:, :50], photo.pixels[:, :50])
    assert np.array_equal(exported[:, 250:], photo.pixels[:, 250:])
    assert not np.array_equal(exported[:, 50:250], photo.pixels[:, 50:250])


def test_export_without_a_photo_or_a_paste_is_the_square(tiny_pack, photo):
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    frame = api.render(tiny_pack, inversion, {"Male": 1.0})
    assert api.export(tiny_pack, inversion, frame, None) is frame.image
    assert api.export(tiny_pack, inversion, frame, photo, paste_back=False) is frame.image


def test_export_into_another_photo_is_refused(tiny_pack, photo, astronaut):
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    frame = api.render(tiny_pack, inversion, {"Male": 1.0})
    with pytest.raises(OptionError, match="512 x 512"):
        api.export(tiny_pack, inversion, frame, astronaut)


def test_a_cancelled_inversion_gives_the_best_so_far(tiny_pack, photo):
    cancel = api.CancelToken()
    progress = api.invert(tiny_pack, photo, seconds=60, face=None, cancel=cancel)
    next(progress)
    cancel.cancel()
    assert "cancelled" in api.finish(progress).warnings


def test_finish_needs_an_iterator_that_is_not_used_up(tiny_pack, photo):
    progress = api.invert(tiny_pack, photo, method="encoder", face=None)
    api.finish(progress)
    with pytest.raises(ValueError, match="fresh"):
        api.finish(progress)


@pytest.mark.parametrize("mask", [(1, 2, 3), 7, ("a", 0, 1, 1), (0, 0, float("inf"), 9), (0, 0, 10**400, 9)])
def test_a_mask_is_four_finite_numbers(mask):
    with pytest.raises(OptionError, match="four finite numbers"):
        InversionOptions(mask=mask)


@pytest.mark.parametrize("alpha", ["x", None, True, float("nan"), 10**400, [1.0]])
def test_a_strength_is_a_number_in_its_range(tiny_pack, alpha):
    with pytest.raises(OptionError, match=r"Smiling=.*the strength must"):
        api.check_edits(tiny_pack, {"Smiling": alpha})


@pytest.mark.parametrize("layers", [(3,), (2, 1), ("a", "b"), 4, (0, 99)])
def test_layers_are_two_numbers_in_order(tiny_pack, layers):
    with pytest.raises(OptionError, match=r"layers=.*give \(first, end\)"):
        api.check_edits(tiny_pack, {"Smiling": 1.0}, layers=layers)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, float("nan")), "truncation=nan"),
        ((0, float("inf")), "truncation=inf"),
        ((0, "x"), "truncation=x"),
        ((-1, 0.7), "seed=-1: a whole number from 0 on"),
        ((0.5, 0.7), "seed=0.5: a whole number from 0 on"),
    ],
)
def test_a_sample_has_a_seed_and_a_truncation(tiny_pack, values, message):
    with pytest.raises(OptionError, match=message):
        api.surprise(tiny_pack, *values)
