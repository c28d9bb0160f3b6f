from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines.core.errors import Cancelled
from engines.core.paths import repository_dir
from engines.core.progress import CancelToken
from engines.imaging.align import align_five_points
from engines.imaging.faces import FaceDetector
from engines.imaging.read import read_picture
from tests.imaging.test_align import Recipe

ASTRONAUT = repository_dir() / "assets" / "examples" / "astronaut.jpg"
# Read off the picture by hand, to a pixel or two: pupils, tip of the nose, corners of the mouth.
POINTS = np.array([(203.5, 101), (247.5, 103.5), (224.5, 127.5), (203, 140), (244.5, 141)])


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return read_picture(Path(ASTRONAUT)).pixels


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def test_the_face_in_a_photo_is_found_with_its_points(detector, astronaut):
    (face,) = detector.detect(astronaut)
    assert face.confidence > 0.99
    assert np.abs(face.points - POINTS).max() < 4
    x0, y0, x1, y1 = face.box
    assert (face.points > (x0, y0)).all() and (face.points < (x1, y1)).all()
    assert 80 < face.size_px < 120


@pytest.mark.parametrize(("width", "height"), [(128, 128), (1100, 1100), (700, 600)])
def test_points_are_in_pixels_of_the_picture_given(detector, astronaut, width, height):
    face = detector.detect(resized(astronaut, width, height))[0]
    scale = np.array([width / 512, height / 512])
    assert np.abs(face.points / scale - POINTS).max() < 4


def test_an_aligned_face_has_its_points_where_the_recipe_wants_them(detector, astronaut):
    face = detector.detect(astronaut)[0]
    crop, _ = align_five_points(astronaut, face.points, Recipe(), 128)
    again = detector.detect(crop)[0]
    # The recipe's face is a little wider than this one: a similarity leaves that.
    assert np.abs(again.points - np.array(Recipe.points)).max() < 5
    # Aligning what is aligned moves next to nothing.
    _, alignment = align_five_points(crop, again.points, Recipe(), 128)
    assert np.abs(alignment.corners() - [(0, 0), (128, 0), (128, 128), (0, 128)]).max() < 3


@pytest.mark.parametrize("half", [62, 46, 40, 34])
def test_close_ups_that_fill_or_overfill_the_frame_are_found_as_exactly(detector, astronaut, half):
    """The face is 110 pixels high; at the frame's edge a single look at it is wrong by up to 19 of them."""
    crop = astronaut[122 - half : 122 + half, 224 - half : 224 + half]
    for side in (64, 300):
        points = detector.detect(resized(crop, side, side))[0].points * (2 * half / side) + (224 - half, 122 - half)
        assert np.abs(points - POINTS).max() < 4


def test_small_grey_dark_and_tilted_faces_are_found(detector, astronaut):
    field = np.full((1800, 2400, 3), 110, np.uint8)
    field[900:1028, 2000:2128] = resized(astronaut[50:250, 124:324], 128, 128)
    centre = np.array(detector.detect(field)[0].box).reshape(2, 2).mean(axis=0)
    assert np.abs(centre - (2064, 945)).max() < 20
    grey = np.repeat(astronaut.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    for changed in (grey, astronaut // 4, np.asarray(Image.fromarray(astronaut).rotate(40, center=(224, 122)))):
        assert len(detector.detect(changed)) == 1


def test_several_faces_come_largest_first(detector, astronaut):
    face = astronaut[20:220, 124:324]
    group = np.full((300, 700, 3), 128, np.uint8)
    group[20:120, 30:130] = resized(face, 100, 100)
    group[40:240, 200:400] = face
    group[20:170, 480:630] = resized(face, 150, 150)
    found = detector.detect(group)
    middles = [(face.box[0] + face.box[2]) / 2 for face in found]
    assert np.abs(np.array(middles) - (300, 555, 80)).max() < 12
    assert [face.size_px for face in found] == sorted((face.size_px for face in found), reverse=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (20, 20), (21, 500), (200, 150)])
def test_pictures_without_a_face_give_none(detector, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert detector.detect(noise) == []
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_threads_share_a_detector_and_get_the_same_answer(detector, astronaut):
    small = resized(astronaut, 256, 256)
    expected = detector.detect(small)[0].points
    answers: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: answers.append(detector.detect(small)[0].points)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(np.array_equal(points, expected) for points in answers)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_picture_on_its_side_or_head_is_turned_upright(detector, astronaut, quarters):
    """On one of its sides a face is found that is none; upright it is surer."""
    lying = np.ascontiguousarray(np.rot90(astronaut, quarters))
    assert np.array_equal(detector.turned(lying, detector.detect(lying)), astronaut)


def test_a_picture_that_stands_well_or_shows_no_face_is_left_alone(detector, astronaut):
    assert detector.turned(astronaut, detector.detect(astronaut)) is None
    ramp = np.repeat(np.linspace(0, 255, 300).astype(np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)
    assert detector.turned(ramp, []) is None


class Token(CancelToken):
    """One that is cancelled when it has been looked at so many times; the first look waits for `gate`."""

    def __init__(self, looks: int, gate: threading.Event | None = None) -> None:
        super().__init__()
        self.looks, self.gate, self.looked_at = looks, gate, threading.Event()

    def raise_if_cancelled(self) -> None:
        self.looked_at.set()
        if self.gate is not None:
            self.gate.wait(5)
            self.gate.set()
        self.looks -= 1
        if self.looks < 0:
            self.cancel()
        super().raise_if_cancelled()


@pytest.mark.parametrize("looks", [0, 1, 5, 12])
def test_a_search_can_be_cancelled_between_any_two_passes(detector, astronaut, looks):
    empty = np.full((300, 400, 3), 90, np.uint8)
    for search in (
        lambda token: detector.detect(astronaut, cancel=token),
        lambda token: detector.detect(empty, cancel=token),
        lambda token: detector.turned(empty, [], cancel=token),
    ):
        with pytest.raises(Cancelled):
            search(Token(looks))
    token = Token(1000)
    assert len(detector.detect(astronaut, cancel=token)) == 1
    looked = token.looks
    # Nothing of it is left with the network.
    assert len(detector.detect(astronaut)) == 1
    assert token.looks == looked < 1000 - 12


def test_who_waits_for_another_search_can_cancel_too(detector, astronaut):
    gate = threading.Event()
    slow = Token(1000, gate)
    thread = threading.Thread(target=lambda: detector.detect(astronaut, cancel=slow))
    thread.start()
    try:
        assert slow.looked_at.wait(10)
        with pytest.raises(Cancelled):
            detector.detect(astronaut, cancel=Token(2))
        assert not gate.is_set()
    finally:
        gate.set()
        thread.join()


def test_wrong_pictures_are_programming_errors(detector):
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros((8, 8), np.uint8))
