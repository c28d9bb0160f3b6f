"""Live frames: pure, exact where nothing is edited, and true to what the predictors say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from engines import api
from engines.core.errors import InversionFileError, OptionError
from engines.imaging.convert import to_tensor
from tests.tiny_pack import TINY_ATTRIBUTES


@pytest.fixture
def person(tiny_pack) -> api.Inversion:
    return api.surprise(tiny_pack, 5)


def test_the_unedited_state_is_the_reconstruction_bit_for_bit(tiny_pack, person):
    for alphas in ({}, {"Male": 0.0}, {"Male": -0.0, "Beard": 0}):
        frame = api.render(tiny_pack, person, alphas)
        assert frame.image.tobytes() == person.reconstruction.tobytes()
        assert frame.identity_similarity == 1.0


def test_the_smallest_strength_hardly_moves_the_picture(tiny_pack, person):
    # The reconstruction and an edit come by the same way: no jump between them.
    frame = api.render(tiny_pack, person, {"Male": 1e-9})
    assert np.abs(frame.image.astype(int) - person.reconstruction).max() <= 1
    assert frame.identity_similarity == pytest.approx(1, abs=1e-3)


def test_a_frame_is_what_the_formula_says(tiny_pack, person):
    alphas = {"Beard": -0.7, "Smiling": 1.2}
    frame = api.render(tiny_pack, person, alphas)
    maps, w_plus = tiny_pack.edit_maps, torch.from_numpy(person.w_plus.copy())[None]
    with torch.no_grad():
        edited = w_plus.clone()
        for attribute, alpha in alphas.items():
            direction = 0 if alpha > 0 else 1
            k = maps.attributes.index(attribute)
            moved = torch.einsum("nld,ldr,lrm->nlm", w_plus - maps.mean, maps.left[k, direction], maps.right[k, direction])
            edited += abs(alpha) * maps.scale[k, direction] * (moved + maps.bias[k, direction])
        image = tiny_pack.generator.synthesis(edited)[0].permute(1, 2, 0).numpy()
        picture = np.clip(np.rint((image + 1) * 127.5), 0, 255).astype(np.uint8)
        assert np.abs(frame.image.astype(int) - picture).max() <= 1
        logits = tiny_pack.attribute_predictor(to_tensor(frame.image.copy()))[0]
        expected = 1 / (1 + np.exp(-logits.numpy()))
        one, other = (tiny_pack.identity(to_tensor(x.copy()))[0] for x in (frame.image, person.reconstruction))
    assert list(frame.attributes) == list(TINY_ATTRIBUTES)
    assert np.allclose(list(frame.attributes.values()), expected, atol=1e-4)
    assert frame.identity_similarity == pytest.approx(float(torch.dot(one, other)), abs=1e-4)


def test_strength_has_the_sign_of_what_it_does(tiny_pack):
    people = [api.surprise(tiny_pack, seed) for seed in range(8)]
    for attribute in TINY_ATTRIBUTES:
        less, same, more = (
            np.mean([api.render(tiny_pack, person, {attribute: alpha}).attributes[attribute] for person in people])
            for alpha in (-0.5, 0.0, 0.5)
        )
        assert less < same < more, attribute


def test_the_same_state_gives_the_same_bytes_in_any_order_and_thread(tiny_pack, person):
    def painted(alphas):
        frame = api.render(tiny_pack, person, alphas)
        return frame.image.tobytes(), tuple(frame.attributes.items()), frame.identity_similarity

    alphas = {"Beard": 0.5, "Male": -1.0, "Smiling": 0.25}
    expected = painted(alphas)
    backwards = dict(reversed(alphas.items()))
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(painted, [alphas, backwards] * 6)) == {expected}


def test_coming_back_to_zero_is_exact(tiny_pack, person):
    start = api.render(tiny_pack, person, {})
    for alpha in (0.5, 1.7, -2.0):
        assert api.render(tiny_pack, person, {"Male": alpha}).image.tobytes() != start.image.tobytes()
    again = api.render(tiny_pack, person, {"Male": 0.0})
    assert again.image.tobytes() == start.image.tobytes()
    assert again.attributes == start.attributes


def test_layers_that_may_not_change_do_not(tiny_pack, person):
    # Only the last layer's codes move: the coarse shape stays, so the picture changes less than with all layers.
    full, fine = (api.render(tiny_pack, person, {"Male": 2.0}, layers=layers).image for layers in (None, (7, 8)))
    start = person.reconstruction.astype(int)
    assert np.abs(fine - start).sum() < np.abs(full - start).sum()
    assert api.render(tiny_pack, person, {"Male": 2.0}, layers=(0, 8)).image.tobytes() == full.tobytes()


def test_frames_cannot_be_written_to(tiny_pack, person):
    with pytest.raises(ValueError, match="read-only"):
        api.render(tiny_pack, person, {"Male": 1.0}).image[0, 0] = 0


@pytest.mark.parametrize(
    ("alphas", "layers", "text"),
    [
        ({"Glasses": 1.0}, None, "did you mean Eyeglasses"),
        ({"Male": 2.5}, None, "between -2 and 2"),
        ({"Male": float("nan")}, None, "Male=nan"),
        ({"Male": 1.0}, (3, 3), "layers"),
        ({"Male": 1.0}, (0, 9), "end <= 8"),
    ],
)
def test_edits_that_cannot_be_made_are_refused_with_the_reason(tiny_pack, person, alphas, layers, text):
    with pytest.raises(OptionError, match=text):
        api.render(tiny_pack, person, alphas, layers=layers)


def test_codes_of_another_pack_are_refused(tiny_pack, person):
    import dataclasses

    for change in ({"pack_id": "other"}, {"pack_hash": "0" * 16}):
        with pytest.raises(InversionFileError, match="this inversion"):
            api.render(tiny_pack, dataclasses.replace(person, **change), {})
