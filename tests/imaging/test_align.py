from __future__ import annotations

import functools
import json
from dataclasses import dataclass

import numpy as np
import pytest

from engines.imaging.align import Alignment, align_five_points, align_whole, resample, similarity


@dataclass(frozen=True)
class Recipe:
    points: tuple[tuple[float, float], ...] = ((50, 66), (79, 66), (64, 85), (52, 99), (76, 99))
    reference_px: int = 128


def photo(height: int = 300, width: int = 260) -> np.ndarray:
    """A picture with detail at all scales: blocks of noise from 1 to 32 pixels, averaged."""
    return _photo(height, width).copy()


@functools.cache
def _photo(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    layers = []
    for block in (1, 2, 4, 8, 16, 32):
        small = rng.integers(0, 256, (-(-height // block), -(-width // block), 3))
        layers.append(small.repeat(block, axis=0).repeat(block, axis=1)[:height, :width])
    return np.mean(layers, axis=0).round().astype(np.uint8)


def turned(span: float, angle: float, centre: tuple[float, float], crop_px: int) -> Alignment:
    """The crop of `span` picture pixels a crop pixel, turned about a point of the picture that lies in its middle."""
    factor = np.exp(1j * angle) / span
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return Alignment(np.column_stack([linear, np.full(2, crop_px / 2) - linear @ centre]), crop_px)


def area_average(pixels: np.ndarray, alignment: Alignment, samples: int) -> np.ndarray:
    """Slow truth: the mean over each crop pixel's square of a picture whose pixels are squares of one colour."""
    inverse = alignment.inverse()
    grid = (np.arange(alignment.crop_px * samples) + 0.5) / samples
    x, y = (row[0] * grid[None] + row[1] * grid[:, None] + row[2] for row in inverse)
    values = pixels[np.floor(y).astype(int), np.floor(x).astype(int)].astype(np.float64)
    return values.reshape(alignment.crop_px, samples, alignment.crop_px, samples, 3).mean(axis=(1, 3))


# ---- the similarity --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0, 0.3, -1.2, 3.1])
@pytest.mark.parametrize("scale", [0.01, 1, 40])
def test_a_similarity_is_recovered_exactly(angle, scale):
    points = np.random.default_rng(1).normal(size=(5, 2)) * 100
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity(points, points @ linear.T + (7, -3))
    assert np.allclose(found, np.column_stack([linear, (7, -3)]), rtol=1e-12, atol=1e-12)


def test_the_similarity_is_the_least_squares_one():
    """In the unknowns (a, b, t_x, t_y) of x' = a x - b y + t_x, y' = b x + a y + t_y the problem is linear."""
    rng = np.random.default_rng(2)
    source, target = rng.normal(size=(5, 2)) * 50, rng.normal(size=(5, 2)) * 20
    x, y = source.T
    one, zero = np.ones(5), np.zeros(5)
    system = np.concatenate([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])
    a, b, shift_x, shift_y = np.linalg.lstsq(system, target.T.ravel(), rcond=None)[0]
    assert np.allclose(similarity(source, target), [[a, -b, shift_x], [b, a, shift_y]])


def test_mirrored_points_are_not_matched_by_a_mirror():
    points = np.array(Recipe.points, dtype=float)
    assert np.linalg.det(similarity(points, points * (-1, 1))[:, :2]) > 0


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.zeros((4, 2)), np.zeros(5)])
def test_points_without_a_similarity_are_refused(points):
    with pytest.raises(ValueError):
        similarity(points, np.array(Recipe.points))


# ---- the record ------------------------------------------------------------------------------------------------------


def test_the_inverse_undoes_the_alignment():
    alignment = turned(7.3, 0.4, (1000, 700), 128)
    points = np.random.default_rng(0).uniform(0, 2000, (50, 2))
    assert np.abs(alignment.to_picture(alignment.to_crop(points)) - points).max() < 1e-9
    both = np.vstack([alignment.matrix, (0, 0, 1)]) @ np.vstack([alignment.inverse(), (0, 0, 1)])
    assert np.abs(both - np.eye(3)).max() < 1e-12


def test_an_alignment_followed_by_another_map_is_both():
    alignment = turned(7.3, 0.4, (1000, 700), 128)
    frame = np.array([[0.8, 0.1, 9.0], [-0.2, 1.3, 4.0]])
    points = np.random.default_rng(0).uniform(0, 2000, (50, 2))
    expected = alignment.to_crop(points) @ frame[:, :2].T + frame[:, 2]
    assert np.abs(alignment.then(frame).to_crop(points) - expected).max() < 1e-9


def test_an_alignment_survives_json_to_the_last_bit():
    alignment = turned(np.pi, 0.1, (33.3, 44.4), 128)
    again = Alignment.from_json(json.loads(json.dumps(alignment.to_json())))
    assert again == alignment and hash(again) == hash(alignment)
    assert again.matrix.tobytes() == alignment.matrix.tobytes()
    assert again != turned(np.pi, 0.1, (33.3, 44.5), 128)


def test_span_and_corners_are_those_of_the_construction():
    alignment = turned(2.5, np.pi / 2, (100, 50), 40)
    assert alignment.picture_px_per_crop_px == pytest.approx(2.5)
    # A quarter turn of the crop's axes; half a side is 20 crop pixels or 50 of the picture.
    assert np.allclose(alignment.corners(), [(50, 100), (50, 0), (150, 0), (150, 100)])


def test_an_alignment_cannot_be_changed_or_singular():
    alignment = turned(1, 0, (0, 0), 8)
    with pytest.raises(ValueError):
        alignment.matrix[0, 0] = 2
    for matrix in (np.zeros((2, 3)), np.full((2, 3), np.nan), np.eye(2)):
        with pytest.raises(ValueError):
            Alignment(matrix, 8)
    with pytest.raises(ValueError):
        Alignment(np.eye(2, 3), 0)


# ---- sampling --------------------------------------------------------------------------------------------------------


def test_whole_pixel_shifts_copy_the_picture():
    pixels = photo()
    crop = resample(pixels, Alignment(np.array([[1, 0, -20], [0, 1, -30]]), 64))
    assert np.array_equal(crop, pixels[30:94, 20:84])


@pytest.mark.parametrize("span", [2, 3, 5, 10, 15])
def test_whole_reductions_are_block_means(span):
    pixels = photo()
    crop_px = 240 // span
    crop = resample(pixels, Alignment(np.array([[1 / span, 0, 0], [0, 1 / span, 0]]), crop_px))
    blocks = pixels[: crop_px * span, : crop_px * span].reshape(crop_px, span, crop_px, span, 3).mean(axis=(1, 3))
    # Bilinear samples blend half a pixel into the neighbouring block; it weighs less the larger the blocks are.
    assert np.abs(crop - blocks).mean() < 8 / span + 0.3


@pytest.mark.parametrize("span", [2.2, 4.1, 6.5, 9.7, 12.3])
def test_shrinking_averages_areas_as_a_slow_reference_does(span):
    pixels = photo(900, 900)
    alignment = turned(span, 0.35, (450, 450), 48)
    crop, truth = resample(pixels, alignment), area_average(pixels, alignment, 24)
    assert np.abs(crop - truth).mean() < 3.5 / span + 0.4
    assert abs((crop - truth).mean()) < 0.2
    # As much contrast is left as averaging leaves: neither aliased (more) nor blurred (less).
    assert crop.std() / truth.std() == pytest.approx(1, abs=0.06)


def test_what_is_finer_than_a_crop_pixel_disappears_without_aliasing():
    """A checkerboard of single pixels has no mean other than grey in any square of several pixels."""
    y, x = np.mgrid[0:600, 0:600]
    board = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    for span in (2.3, 5, 8.7):
        crop = resample(board, turned(span, 0.2, (300, 300), 40))
        assert np.abs(crop.astype(float) - 127.5).max() < 60 / span**2 + 3


def test_a_ramp_stays_a_ramp_at_every_scale():
    """Linear functions are kept by every symmetric kernel, so any shift by part of a pixel would show here."""
    y, x = np.mgrid[0:700, 0:700] + 0.5
    ramp = np.repeat(((0.2 * x + 0.15 * y).round().astype(np.uint8))[..., None], 3, axis=2)
    for span in (0.4, 1, 3, 8.1, 13):
        alignment = turned(span, 0.5, (350, 350), 32)
        centres = np.stack(np.meshgrid(np.arange(32) + 0.5, np.arange(32) + 0.5), axis=-1)
        expected = alignment.to_picture(centres) @ (0.2, 0.15)
        error = resample(ramp, alignment)[..., 0] - expected
        assert abs(error.mean()) < 0.2
        assert np.abs(error).max() < 1


@pytest.mark.parametrize("block_span", [1.5, 8])
def test_only_what_lies_beyond_the_photo_is_invented(block_span):
    """A crop that reaches over the edge equals, well inside the photo, the crop of a larger photo around it."""
    larger = photo(900, 900)
    inner = larger[200:700, 200:700]
    alignment = turned(block_span, 0.2, (480, 250), 60)
    shifted = Alignment(np.column_stack([alignment.matrix[:, :2], alignment.to_crop(np.array((-200, -200)))]), 60)
    centres = np.stack(np.meshgrid(np.arange(60) + 0.5, np.arange(60) + 0.5), axis=-1)
    inside = (np.abs(alignment.to_picture(centres) - 250) < 250 - 2 * block_span).all(axis=-1)
    assert 0.3 < inside.mean() < 0.9
    difference = resample(inner, alignment)[inside].astype(int) - resample(larger, shifted)[inside]
    # Blocks begin at multiples of their size in both photos, but 200 need not be one.
    assert np.abs(difference).max() <= (0 if block_span < 5 else 6)


def test_far_beyond_the_photo_is_its_median_colour():
    pixels = photo()
    crop = resample(pixels, turned(2.0, 0, (0, 0), 128))
    assert np.ptp(crop[:20, :20].reshape(-1, 3), axis=0).max() <= 1
    assert np.abs(crop[10, 10].astype(float) - np.median(pixels[:130, :130], axis=(0, 1))).max() < 12


def test_a_crop_without_any_photo_in_it_is_still_a_picture():
    assert resample(photo(), turned(1, 0, (5000, -9000), 32)).shape == (32, 32, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (2, 3)])
def test_tiny_and_thin_pictures_can_be_aligned(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    crop, alignment = align_whole(pixels, 128)
    assert crop.shape == (128, 128, 3)
    middle = pixels[(shape[0] - 1) // 2, (shape[1] - 1) // 2]
    if min(shape) == 1:
        assert (crop[64, 64] == middle).all()
    assert resample(pixels, turned(0.01, 0.7, (50, 50), 16)).shape == (16, 16, 3)
    assert alignment.crop_px == 128


def test_the_whole_picture_is_its_middle_square():
    pixels = photo(128, 200)
    crop, alignment = align_whole(pixels, 128)
    assert np.array_equal(crop, pixels[:, 36:164])
    assert np.allclose(alignment.corners(), [(36, 0), (164, 0), (164, 128), (36, 128)])


def test_wrong_pictures_are_programming_errors():
    for wrong in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            align_whole(np.ones((4, 4, 3), np.uint8), 8) and resample(wrong, turned(1, 0, (0, 0), 4))


@pytest.mark.parametrize(("span", "angle"), [(0.6, 0.0), (3.0, 0.4), (9.0, -0.7)])
def test_the_points_of_a_face_land_on_the_recipe(span, angle):
    """Blobs painted at the points are found, by their centre of mass, where the recipe wants them."""
    expected = np.array(Recipe.points, dtype=float)
    placed = turned(span, angle, (600, 600), 128)
    points = placed.to_picture(expected)
    y, x = np.mgrid[0:1200, 0:1200] + 0.5
    sigma = 2.5 * span
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    pixels = np.repeat((255 * np.minimum(light, 1)).round().astype(np.uint8)[..., None], 3, axis=2)
    crop, alignment = align_five_points(pixels, points, Recipe(), 128)
    assert np.allclose(alignment.matrix, placed.matrix)
    rows, columns = np.mgrid[0:128, 0:128] + 0.5
    for want_x, want_y in expected:
        weight = crop[..., 0] * ((columns - want_x) ** 2 + (rows - want_y) ** 2 < 64)
        assert (weight * columns).sum() / weight.sum() == pytest.approx(want_x, abs=0.1)
        assert (weight * rows).sum() / weight.sum() == pytest.approx(want_y, abs=0.1)


def test_recipes_scale_with_the_crop():
    points = np.array(Recipe.points, dtype=float) * 3 + 40
    pixels = photo(500, 500)
    _, small = align_five_points(pixels, points, Recipe(), 64)
    _, large = align_five_points(pixels, points, Recipe(), 256)
    assert np.allclose(small.corners(), large.corners())
    assert np.allclose(large.matrix, 4 * small.matrix)
