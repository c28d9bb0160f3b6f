from __future__ import annotations

import numpy as np
import pytest

from engines.imaging.align import Alignment, resample
from engines.imaging.paste import paste_back, paste_blended, pasted_region
from engines.imaging.seam import seam
from tests.imaging.test_align import photo, turned

R = 64


def crops(value: int = 100) -> np.ndarray:
    return np.full((R, R, 3), value, np.uint8)


def smooth_edit(strength: float = 60, spread: float = 8) -> tuple[np.ndarray, np.ndarray]:
    """A reconstruction and the same with a smooth bump in the middle."""
    y, x = np.mgrid[0:R, 0:R] + 0.5
    bump = strength * np.exp(-((x - R / 2) ** 2 + (y - R / 2) ** 2) / (2 * spread**2))
    return crops(), np.clip(crops() + bump[..., None], 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("alignment", [turned(3, 0.3, (150, 130), R), turned(0.4, 1, (150, 130), R), turned(9, 0, (0, 0), R)])
def test_no_edit_gives_the_photo_bit_for_bit(alignment):
    pixels = np.random.default_rng(0).integers(0, 256, (260, 300, 3), dtype=np.uint8)
    crop = np.random.default_rng(1).integers(0, 256, (R, R, 3), dtype=np.uint8)
    result = paste_back(pixels, alignment, crop, crop.copy())
    assert np.array_equal(result, pixels)
    assert result is not pixels


@pytest.mark.parametrize("span", [0.4, 1, 2.7, 8])
@pytest.mark.parametrize("levels", [9, -40])
def test_a_constant_difference_is_added_inside_and_nothing_outside(span, levels):
    pixels = np.full((700, 800, 3), 120, np.uint8)
    alignment = turned(span, 0.3, (400, 350), R)
    added = paste_back(pixels, alignment, crops(100), crops(100 + levels)).astype(int) - 120
    centres = np.stack(np.meshgrid(np.arange(800) + 0.5, np.arange(700) + 0.5), axis=-1)
    from_edge = (R / 2 - np.abs(alignment.to_crop(centres) - R / 2)).min(axis=-1)
    assert (added[from_edge > 0.1 * R] == levels).all()
    assert (added[from_edge < 0] == 0).all()
    assert ((np.sign(levels) * added >= 0) & (np.abs(added) <= abs(levels))).all()


def test_the_crops_edge_does_not_show():
    pixels = np.full((600, 600, 3), 120, np.uint8)
    result = paste_back(pixels, turned(6, 0.0, (300, 300), R), crops(100), crops(200))
    steps = np.abs(np.diff(result[300, :, 0].astype(int)))
    # 100 levels over 7 % of the crop; a smooth step is at most 1.5 times as steep as a straight one.
    assert steps.max() <= np.ceil(1.6 * 100 / (0.07 * R * 6)) + 1


def test_what_is_pasted_is_seen_when_the_photo_is_aligned_again():
    """Cropping after pasting shows the edit itself: the two samplings are inverse to each other for smooth edits."""
    for span in (0.5, 1.3, 4, 9):
        pixels = photo(700, 700) // 2 + 40
        alignment = turned(span, 0.4, (350, 350), R)
        reconstruction, edited = smooth_edit()
        result = paste_back(pixels, alignment, reconstruction, edited)
        seen = resample(result, alignment).astype(float) - resample(pixels, alignment)
        # Enlarging below the photo's resolution costs the peak of the bump a little.
        assert np.abs(seen - (edited.astype(float) - reconstruction)).max() < 3


def test_an_edge_in_the_difference_gets_no_halo():
    edited = crops()
    edited[:, R // 2 :] += 90
    pixels = np.full((700, 700, 3), 120, np.uint8)
    added = paste_back(pixels, turned(9, 0.2, (350, 350), R), crops(), edited).astype(int) - 120
    assert added.min() == 0
    assert added.max() == 90


def test_detail_of_the_photo_is_kept_under_the_edit():
    """Where the difference is constant the photo's own differences between pixels are those of before."""
    pixels = (photo(500, 500) // 2 + 60).astype(np.uint8)
    result = paste_back(pixels, turned(5, 0.1, (250, 250), R), crops(100), crops(130))
    middle = (slice(150, 350), slice(150, 350))
    assert np.array_equal(result[middle].astype(int), pixels[middle].astype(int) + 30)


def test_values_are_clipped_and_do_not_wrap():
    pixels = np.full((200, 200, 3), 250, np.uint8)
    assert paste_back(pixels, turned(3, 0, (100, 100), R), crops(100), crops(200))[100, 100].tolist() == [255] * 3
    assert paste_back(255 - pixels, turned(3, 0, (100, 100), R), crops(200), crops(100))[100, 100].tolist() == [0] * 3


@pytest.mark.parametrize("span", [0.7, 6])
def test_a_crop_beyond_the_photo_is_pasted_as_into_a_larger_photo(span):
    larger = photo(800, 800)
    inner = larger[200:600, 200:600]
    alignment = turned(span, 0.6, (15, 380), R)
    shifted = Alignment(np.column_stack([alignment.matrix[:, :2], alignment.to_crop(np.array((-200, -200)))]), R)
    reconstruction, edited = smooth_edit(spread=20)
    cut = paste_back(larger, shifted, reconstruction, edited)[200:600, 200:600]
    difference = paste_back(inner, alignment, reconstruction, edited).astype(int) - cut
    # The same sums in another order: a value in the middle between two levels may fall to either.
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-3


def test_a_crop_that_misses_the_photo_changes_nothing():
    assert np.array_equal(paste_back(photo(), turned(1, 0, (5000, 5000), R), crops(0), crops(200)), photo())


def test_only_the_surroundings_of_the_edit_change():
    reconstruction = crops()
    edited = reconstruction.copy()
    edited[40:44, 20:24] += 50
    pixels = photo(700, 700)
    alignment = turned(8, 0.25, (350, 350), R)
    changed = (paste_back(pixels, alignment, reconstruction, edited) != pixels).any(axis=2)
    rows, columns = np.nonzero(changed)
    reached = alignment.to_crop(np.stack([columns + 0.5, rows + 0.5], axis=1))
    assert changed.any()
    assert (reached.min(axis=0) > (20 - 2, 40 - 2)).all()
    assert (reached.max(axis=0) < (24 + 2, 44 + 2)).all()


def test_flicker_of_single_levels_is_not_an_edit():
    flicker = (np.random.default_rng(0).random((R, R, 1)) < 0.15).astype(np.uint8)
    pixels = photo()
    assert np.array_equal(paste_back(pixels, turned(3, 0.1, (130, 150), R), crops(), crops() + flicker), pixels)


def test_rounding_has_no_bias():
    """What is added sums to the difference times the area, for a difference mostly of parts of levels."""
    reconstruction, edited = smooth_edit(strength=12, spread=14)
    pixels = np.full((800, 800, 3), 120, np.uint8)
    alignment = turned(7.3, 0.3, (400, 400), R)
    added = paste_back(pixels, alignment, reconstruction, edited).astype(int) - 120
    inside = slice(8, -8)
    expected = (edited.astype(int) - reconstruction)[inside, inside].sum() * 7.3**2
    centres = np.stack(np.meshgrid(np.arange(800) + 0.5, np.arange(800) + 0.5), axis=-1)
    seen = (np.abs(alignment.to_crop(centres) - R / 2) < R / 2 - 8).all(axis=-1)
    assert added[seen].sum() == pytest.approx(expected, rel=0.01)


def test_a_crop_finer_than_the_photo_is_averaged():
    """One photo pixel that spans the whole crop gets about the mean of what the crop adds."""
    pixels = np.full((1, 1, 3), 100, np.uint8)
    alignment = Alignment(np.array([[R, 0, 0], [0, R, 0]]), R)
    edited = crops()
    edited[:, : R // 2] += 80
    added = int(paste_back(pixels, alignment, crops(), edited)[0, 0, 0]) - 100
    feather = 0.07
    assert added == pytest.approx(40 * (1 - feather) ** 2, abs=2)


def test_wrong_shapes_are_programming_errors():
    alignment = turned(1, 0, (0, 0), R)
    with pytest.raises(ValueError, match="64 x 64"):
        paste_back(photo(), alignment, crops()[:32], crops())
    with pytest.raises(ValueError, match="uint8"):
        paste_back(photo().astype(float), alignment, crops(), crops())


# ---- the blended paste -----------------------------------------------------------------------------------------------


def photo_and_its_crop(span: float = 5.0, angle: float = 0.2, px: int = 500) -> tuple[np.ndarray, Alignment, np.ndarray]:
    """A photo, an alignment into it, and what a perfect generator would paint: the crop itself."""
    pixels = (photo(px, px) // 2 + 60).astype(np.uint8)
    alignment = turned(span, angle, (px / 2, px / 2), R)
    return pixels, alignment, resample(pixels, alignment)


@pytest.mark.parametrize("mask", [None, (12, 20, 50, 60)])
def test_a_blended_picture_is_seen_when_the_photo_is_aligned_again(mask):
    """Inside the region the gradients are the picture's: aligned again the photo shows it, up to its level."""
    pixels, alignment, _ = photo_and_its_crop()
    picture = photo(R * 4, R * 4).reshape(R, 4, R, 4, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    seen = resample(paste_blended(pixels, alignment, picture, mask=mask), alignment).astype(float)
    inner = np.s_[28:52, 20:42]
    difference = seen[inner] - picture[inner]
    assert (difference - difference.mean(axis=(0, 1))).std() < 0.35 * picture[inner].std()
    assert np.corrcoef(seen[inner].ravel(), picture[inner].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("mask", [None, (12, 20, 50, 60)])
@pytest.mark.parametrize("centre", [(250, 250), (30, 460)])
def test_nothing_outside_the_region_changes(mask, centre):
    pixels = photo(500, 500)
    alignment = turned(4, 0.4, centre, R)
    pasted = paste_blended(pixels, alignment, crops(200), mask=mask)
    region = pasted_region(500, 500, alignment, mask=mask)
    assert (pasted != pixels).any()
    assert np.array_equal(pasted[~region], pixels[~region])
    x0, y0, x1, y1 = (0, 0, R, R)
    if mask is not None:  # and what fades around it
        fade = 0.12 * min(mask[2] - mask[0], mask[3] - mask[1])
        x0, y0, x1, y1 = mask[0] - fade, mask[1] - fade, mask[2] + fade, mask[3] + fade
    rows, columns = np.nonzero(region)
    reached = alignment.to_crop(np.stack([columns + 0.5, rows + 0.5], axis=1))
    assert (reached > (x0, y0)).all() and (reached < (x1, y1)).all()
    if centre == (250, 250):
        assert region.sum() == pytest.approx((x1 - x0) * (y1 - y0) * 4**2, rel=0.02)


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_an_object_is_replaced_up_to_the_edges_of_its_mask(angle):
    """It touches them all: no rim of what it was is left, and outside of it the ground stays."""
    alignment = turned(4, angle, (128, 128), R)
    x, y = np.moveaxis(alignment.to_crop(np.indices((256, 256))[::-1].reshape(2, -1).T + 0.5).reshape(256, 256, 2), 2, 0)
    ground, before, after = np.array([40, 90, 120]), np.array([200, 60, 30]), np.array([30, 190, 80])

    def scene(x: np.ndarray, y: np.ndarray, colour: np.ndarray) -> np.ndarray:
        return np.where((np.hypot(x - 30, y - 34) < 15)[..., None], colour, ground).astype(np.uint8)

    pasted = paste_blended(scene(x, y, before), alignment, resample(scene(x, y, after), alignment), mask=(15, 19, 45, 49))
    distance = np.hypot(x - 30, y - 34)
    away_from_the_outline = np.abs(distance - 15) > 1.5
    wrong = np.abs(pasted.astype(int) - scene(x, y, after))[away_from_the_outline]
    assert wrong.max() < 8 and wrong.mean() < 1


@pytest.mark.parametrize("span", [0.6, 1, 3, 7])
def test_a_good_reconstruction_leaves_no_seam(span):
    """The generator's picture is the photo at the crop's resolution, a little brighter: the border must not tell."""
    pixels, alignment, crop = photo_and_its_crop(span)
    pasted = paste_blended(pixels, alignment, np.clip(crop.astype(int) + 12, 0, 255).astype(np.uint8))
    region = pasted_region(500, 500, alignment)
    assert abs(seam(pixels, pasted, region)) < 0.02


def test_a_transform_of_the_picture_is_undone():
    """The generator painted T(crop), T a shift and a scale: pasting through T^-1 is as pasting the crop itself."""
    pixels, alignment, _ = photo_and_its_crop(span=4, angle=0.0)
    to_frame = np.array([[0.8, 0, 9.0], [0, 0.7, 4.0]])
    moved = Alignment(np.column_stack([to_frame[:, :2] @ alignment.matrix[:, :2], to_frame @ (*alignment.matrix[:, 2], 1)]), R)
    painted = resample(pixels, moved)
    before = resample(pixels, alignment).astype(float)[16:44, 16:44]

    def likeness(**options) -> float:
        pasted = paste_blended(pixels, alignment, painted, mask=(10, 10, 50, 50), **options)
        return float(np.corrcoef(resample(pasted, alignment)[16:44, 16:44].ravel(), before.ravel())[0, 1])

    assert likeness(to_frame=to_frame) > 0.95
    assert likeness() < 0.8


def test_a_blend_into_a_photo_smaller_than_the_crop_keeps_its_level():
    """No pixel of the photo is fixed: the result has the photo's mean."""
    pixels = np.full((20, 24, 3), 90, np.uint8)
    alignment = turned(2, 0.1, (12, 10), R)
    _, edited = smooth_edit(spread=3)
    pasted = paste_blended(pixels, alignment, edited)
    assert pasted.mean() == pytest.approx(90, abs=0.2)
    assert pasted.std() > 1


def test_a_blend_that_misses_the_photo_changes_nothing():
    assert np.array_equal(paste_blended(photo(), turned(1, 0, (5000, 5000), R), crops(0)), photo())


def test_blending_wrong_shapes_is_a_programming_error():
    with pytest.raises(ValueError, match="64 x 64"):
        paste_blended(photo(), turned(1, 0, (0, 0), R), crops()[:32])
