"""The bundled pack ``faces``: photographs become codes, and sliders do to them what they say."""

from __future__ import annotations

import numpy as np
import pytest

from engines import api
from engines.core.paths import repository_dir
from engines.evaluation.judges import Judges
from engines.imaging.align import Alignment
from engines.packs.samples import decided_labels

EXAMPLES_DIR = repository_dir() / "assets" / "examples"
EXAMPLES = sorted(path for path in EXAMPLES_DIR.glob("*") if path.suffix in (".png", ".jpg"))
# Visible at 128 px, and common enough among the renders that the maps must know them.
PLAIN_TO_SEE = ("Eyeglasses", "Smiling", "Beard", "Gray_Hair", "Long_Hair", "Male")
STEPS, FEW_STEPS = 60, 25


def test_there_are_examples():
    assert EXAMPLES


@pytest.fixture(scope="module")
def pack() -> api.Pack:
    return api.open_pack("faces")


@pytest.fixture(scope="module")
def astronaut(pack) -> tuple[api.Picture, api.Inversion]:
    """A public-domain photograph (NASA), and its codes."""
    picture = api.read_image(EXAMPLES_DIR / "astronaut.jpg")
    return picture, api.finish(api.invert(pack, picture, steps=STEPS))


@pytest.fixture(scope="module")
def people(pack) -> list[api.Inversion]:
    """People who do not exist."""
    return [api.surprise(pack, seed) for seed in range(12)]


def test_the_pack_is_listed_with_what_the_editor_needs(pack):
    (info,) = [info for info in api.list_packs() if info.id == "faces"]
    assert info == api.pack_info(pack)
    assert info.resolution == 128
    assert set(PLAIN_TO_SEE) <= {attribute.id for attribute in info.attributes}
    assert all(a.alpha_min < 0 < a.calibrated_alpha <= a.alpha_max for a in info.attributes)


@pytest.mark.parametrize("attribute", ["Eyeglasses", "Beard", "Long_Hair", "Male"])
def test_samples_show_what_their_latents_decided(pack, attribute):
    decided = decided_labels(pack, 200, seed=0)[attribute]
    shown = [i for value in (True, False) for i in np.flatnonzero(decided == value)[:15]]
    k = pack.attribute_predictor.attributes.index(attribute)
    pictures = np.stack([api.surprise(pack, int(i), 1.0).reconstruction for i in shown])
    predicted = Judges(pack).probabilities(pictures)[:, k] > 0.5
    assert np.mean(predicted == decided[shown]) >= 0.9


@pytest.mark.parametrize("path", EXAMPLES[:4], ids=lambda path: path.stem)
def test_the_examples_have_faces_and_are_reconstructed(pack, path):
    inversion = api.finish(api.invert(pack, api.read_image(path), steps=FEW_STEPS))
    assert not any("No face" in warning for warning in inversion.warnings)
    # The best single colour leaves .2 to .3 of such a picture.
    flat = inversion.crop.reshape(-1, 3) / 127.5
    assert inversion.mse < 0.25 * flat.var(0).mean()


def test_refining_brings_a_photograph_near(pack, astronaut):
    picture, refined = astronaut
    encoded = api.finish(api.invert(pack, picture, method="encoder"))
    assert np.array_equal(encoded.crop, refined.crop)
    assert refined.mse < 0.5 * encoded.mse
    assert refined.perceptual < encoded.perceptual


def test_glasses_come_and_go_on_a_photograph(pack, astronaut):
    picture, inversion = astronaut
    before = api.render(pack, inversion, {})
    assert before.attributes["Eyeglasses"] < 0.5
    with_glasses = api.render(pack, inversion, {"Eyeglasses": 1.0})
    assert with_glasses.attributes["Eyeglasses"] > 0.5
    readings = {reading.id: reading for reading in api.report(pack, inversion, with_glasses)}
    assert readings["Eyeglasses"].changed
    # The reading was content with shadows around the eyes; rims are as dark as glasses have them.
    darker = before.image.mean(2) - with_glasses.image.mean(2)
    assert np.sort(darker, axis=None)[-100] > 100
    # The photo changes about the eyes and keeps its corners.
    exported = api.export(pack, inversion, with_glasses, picture)
    assert exported.shape == picture.pixels.shape
    assert np.array_equal(exported[:20, :20], picture.pixels[:20, :20])
    assert not np.array_equal(exported, picture.pixels)
    assert api.export(pack, inversion, before, picture).tobytes() == picture.pixels.tobytes()


@pytest.mark.parametrize("attribute", PLAIN_TO_SEE)
def test_adding_and_removing_move_the_reading(pack, people, attribute):
    before = np.array([api.render(pack, person, {}).attributes[attribute] for person in people])
    for direction, group in ((1, before < 0.5), (-1, before >= 0.5)):
        chosen = [person for person, member in zip(people, group, strict=True) if member]
        after = np.array([api.render(pack, person, {attribute: 1.0 * direction}).attributes[attribute] for person in chosen])
        if len(chosen) >= 2:
            assert (direction * (after - before[group])).mean() > 0.25
    assert (before < 0.5).any()


def test_no_slider_goes_the_wrong_way(pack, people):
    wrong = []
    for attribute in pack.manifest.attributes:
        less, more = (
            np.mean([api.render(pack, person, {attribute.id: alpha}).attributes[attribute.id] for person in people[:4]])
            for alpha in (-1.0, 1.0)
        )
        if not less < more:
            wrong.append(attribute.id)
    assert not wrong


def test_a_small_edit_keeps_the_person(pack, people):
    similarities = [api.render(pack, person, {"Smiling": 0.5}).identity_similarity for person in people]
    assert np.median(similarities) > 0.7


def test_sliders_back_at_zero_give_the_reconstruction(pack, astronaut):
    _, inversion = astronaut
    assert api.render(pack, inversion, {"Smiling": 0.0}).image.tobytes() == inversion.reconstruction.tobytes()


def test_an_edit_leaves_the_photo_alone_where_its_attribute_never_shows(pack, astronaut):
    """In the frame eyes lie at 52 % of the height, the mouth at 77 %."""
    photo, inversion = astronaut
    corners = Alignment.from_json(inversion.alignment).corners()
    top, height = corners[:, 1].min(), np.ptp(corners[:, 1])
    for name, shows in (("Eyeglasses", (0.35, 0.7)), ("Eyes_Closed", (0.4, 0.65)), ("Mouth_Open", (0.55, 1.0))):
        pasted = api.export(pack, inversion, api.render(pack, inversion, {name: 1.0}), photo)
        rows = np.flatnonzero((pasted != photo.pixels).any(axis=(1, 2)))
        first, last = ((row - top) / height for row in (rows[0], rows[-1]))
        assert shows[0] < first + 0.05 and last - 0.05 < shows[1], (name, first, last)


def test_an_edit_of_a_photograph_ends_where_the_hair_or_the_face_does(pack, astronaut):
    """The region network learned from renders alone; in the frame the mouth lies at 77 % of the height, the hair at 15 %."""
    photo, inversion = astronaut
    corners = Alignment.from_json(inversion.alignment).corners()
    (left, top), side = corners.min(axis=0), np.ptp(corners, axis=0)

    def change(alphas, x: tuple[float, float], y: tuple[float, float], since=photo.pixels) -> float:
        """Mean change in levels of a rectangle, in shares of the frame."""
        pasted = api.export(pack, inversion, api.render(pack, inversion, alphas), photo)
        (x0, x1), (y0, y1) = (
            (np.array(span) * size + start).astype(int) for span, size, start in ((x, side[0], left), (y, side[1], top))
        )
        return float(np.abs(pasted.astype(int) - since)[y0:y1, x0:x1].mean())

    hair, mouth, background = ((0.35, 0.65), (0.12, 0.24)), ((0.4, 0.6), (0.68, 0.86)), ((0.0, 0.1), (0.25, 0.55))
    for alphas, where, elsewhere in (
        ({"Black_Hair": 1.0}, hair, (mouth, background)),
        ({"Beard": 1.0}, ((0.42, 0.58), (0.86, 0.95)), (hair, background)),
    ):
        assert change(alphas, *where) > 10
        assert max(change(alphas, *place) for place in elsewhere) < 1
    # With a smile taken away the face is one that may change, but not by a colour of hair.
    serious = {"Smiling": -1.0}
    alone = api.export(pack, inversion, api.render(pack, inversion, serious), photo)
    both = serious | {"Black_Hair": 1.0}
    assert change(both, *hair, since=alone) > 10 and change(both, *mouth, since=alone) < 2 < change(serious, *mouth)
