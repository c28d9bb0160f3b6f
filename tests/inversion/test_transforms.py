"""Transforms of pictures: inverse to each other, and in the coordinates that alignments speak of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.imaging.align import Alignment
from engines.inversion.transforms import Transform, initial_transform, transform_images, transform_masks

SIDE = 128
SOME = [
    Transform(),
    Transform((0.8, 0.7), (0.1, -0.15), 0.3),
    Transform((1.25, 1.4), (-0.2, 0.05), -0.4),
    Transform((0.9, 1.1), (0.0, 0.2), 0.0),
]


def _smooth(side: int = SIDE) -> torch.Tensor:
    """Waves a few of which fit into the picture, [1, 3, side, side] in about [-0.6, 0.6]."""
    at = (torch.arange(side) + 0.5) / side * 2 * math.pi
    x, y = at[None, :], at[:, None]
    return torch.stack([0.6 * torch.sin(x) * torch.cos(y), 0.5 * torch.cos(x + 1) + 0 * y, 0.4 * torch.sin(y + x)])[None]


@pytest.mark.parametrize("transform", SOME)
def test_inverse_undoes_a_transform_of_a_smooth_picture(transform):
    image = _smooth()
    there = transform_images(image, [transform])
    back = transform_images(there, [transform.inverse()], beyond="grey")
    covered = transform_masks(torch.ones(1, 1, SIDE, SIDE), [transform.inverse()])
    # Of what left the frame nothing can come back; next to its border the cubic sees beyond it.
    known = torch.nn.functional.max_pool2d((covered < 0.999).float(), 9, 1, 4) == 0
    # Where it shrinks, mirrored surroundings come in next to the picture's own border.
    known[:, :, :4], known[:, :, -4:], known[..., :4], known[..., -4:] = False, False, False, False
    assert known.float().mean() > 0.4
    assert float(((back - image).abs() * known).max()) < 1e-4


def test_sampling_is_that_of_an_affine_grid_sampler():
    """Where nothing shrinks, the linear kernel is torch's grid_sample; the paper's sampler."""
    mask, transform = (_smooth()[:, :1] + 1), Transform((0.8, 0.6), (0.3, -0.1))
    theta = torch.tensor([[[0.8, 0.0, 0.3], [0.0, 0.6, -0.1]]])
    grid = torch.nn.functional.affine_grid(theta, [1, 1, SIDE, SIDE], align_corners=False)
    expected = torch.nn.functional.grid_sample(mask, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    assert torch.allclose(transform_masks(mask, [transform]), expected, atol=1e-4)


def test_what_shrinks_is_averaged():
    """A chequerboard of single pixels becomes grey; skipping pixels would leave stripes."""
    board = torch.where((torch.arange(SIDE)[:, None] + torch.arange(SIDE)) % 2 == 0, 1.0, -1.0)[None, None].repeat(1, 3, 1, 1)
    assert float(transform_images(board, [Transform((2.2, 2.2))]).abs().mean()) < 0.01


@pytest.mark.parametrize("transform", SOME)
def test_inverse_undoes_a_transform_of_coordinates(transform):
    points = np.random.default_rng(0).uniform(0, SIDE, (50, 2))
    there, back = (Alignment(t.matrix(SIDE), SIDE) for t in (transform, transform.inverse()))
    assert np.abs(back.to_crop(there.to_crop(points)) - points).max() < 1e-9
    assert np.allclose(there.inverse(), back.matrix, atol=1e-12)
    twice = transform.inverse().inverse()
    assert np.allclose(
        [*twice.scale, *twice.shift, twice.brightness], [*transform.scale, *transform.shift, transform.brightness]
    )


@pytest.mark.parametrize("transform", SOME)
def test_the_matrix_says_where_things_go(transform):
    """A blob at a known place of the crop lies where the matrix maps that place."""
    centre = np.array([70.3, 55.8])
    x, y = (torch.arange(SIDE) + 0.5)[None, :], (torch.arange(SIDE) + 0.5)[:, None]
    blob = torch.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * 6.0**2))[None, None]
    moved = transform_masks(blob, [transform])[0, 0].double().numpy()
    found = np.array([(moved * x.numpy()).sum(), (moved * y.numpy()).sum()]) / moved.sum()
    expected = transform.matrix(SIDE)[:, :2] @ centre + transform.matrix(SIDE)[:, 2]
    assert np.abs(found - expected).max() < 0.1


def test_brightness_is_exactly_undone_and_multiplies_light():
    image = _smooth()
    brighter = transform_images(image, [Transform(brightness=0.5)])
    assert torch.allclose(brighter + 1, (image + 1) * math.exp(0.5), atol=1e-6)
    assert torch.allclose(transform_images(brighter, [Transform(brightness=-0.5)]), image, atol=1e-6)
    # Beyond the image it is grey, whatever the light.
    far = transform_images(image, [Transform((1, 1), (3, 0), 0.7)], beyond="grey")
    assert torch.allclose(far, torch.zeros_like(far), atol=1e-6)


def test_the_identity_changes_no_bit():
    image = _smooth()
    for beyond in ("mirror", "grey"):
        assert torch.equal(transform_images(image, [Transform()], beyond=beyond), image)


def test_a_batch_is_its_parts():
    images = torch.cat([_smooth(), _smooth().flip(2), _smooth().flip(3), -_smooth()])
    together = transform_images(images, SOME)
    alone = [transform_images(images[i : i + 1], [SOME[i]]) for i in range(4)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-6)
    # One picture under many transforms, many under one.
    assert torch.allclose(transform_images(images[:1], SOME)[2:3], transform_images(images[:1], SOME[2:3]), atol=1e-6)
    assert torch.allclose(SOME[1].apply(images)[3:], SOME[1].apply(images[3:]), atol=1e-6)


def test_masks_are_zero_beyond_their_frame():
    mask = transform_masks(torch.ones(1, 1, SIDE, SIDE), [Transform((2, 2))])
    assert float(mask.mean()) == pytest.approx(1 / 4, rel=0.02)
    assert mask[0, 0, 0, 0] == 0


def test_json_brings_a_transform_back():
    for transform in SOME:
        assert Transform.from_json(transform.to_json()) == transform
    with pytest.raises((KeyError, TypeError)):
        Transform.from_json({"scale": [1, 1]})


@pytest.mark.parametrize(
    "bad", [{"scale": (0.0, 1.0)}, {"scale": (1.0, -1.0)}, {"shift": (math.nan, 0.0)}, {"brightness": math.inf}]
)
def test_impossible_transforms_are_refused(bad):
    with pytest.raises(ValueError, match="finite values and scales above 0"):
        Transform(**bad)


# ---- where a search begins ----


def test_without_a_mask_the_picture_stays():
    assert initial_transform(None, 64, (0.1, 0.1, 0.9, 0.9)) == Transform()


def test_without_statistics_the_box_moves_to_the_middle_and_keeps_its_size():
    mask = (8.0, 16.0, 32.0, 24.0)
    transform = initial_transform(mask, 64)
    assert transform.scale == (1, 1)
    matrix = transform.matrix(64)
    assert np.allclose(matrix[:, :2] @ (20, 20) + matrix[:, 2], (32, 32))


def test_the_box_goes_to_where_the_generator_paints_its_objects():
    mask, usual = (10.0, 20.0, 30.0, 50.0), (0.25, 0.3, 0.65, 0.9)
    transform = initial_transform(mask, 100, usual)
    matrix = transform.matrix(100)
    low, high = (matrix[:, :2] @ corner + matrix[:, 2] for corner in (mask[:2], mask[2:]))
    assert np.allclose((low + high) / 2, (45, 60))
    # The side that asks for more room fits exactly, the other has room to spare.
    assert np.allclose(high - low, (40, 60))
    assert transform.scale[0] == transform.scale[1] == pytest.approx(0.5)
