"""Training on objects: boxes move with their pictures, the temperature is the best one, statistics find what was planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.core.rng import torch_generator
from engines.training.object_statistics import mode_of, object_statistics
from engines.training.object_tasks import _temperature, moved_with_boxes


@pytest.mark.parametrize("mirror", [False, True])
def test_boxes_move_with_their_pictures(mirror):
    """White rectangles on black: after the move the rectangle that is seen is the box that is told."""
    size, count, draw = 96, 24, torch_generator(3)
    low = 0.2 + 0.3 * torch.rand(count, 2, generator=draw)
    boxes = torch.cat([low, low + 0.1 + 0.3 * torch.rand(count, 2, generator=draw)], dim=1)
    places = (torch.arange(size) + 0.5) / size
    images = torch.full((count, 3, size, size), -1.0)
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        inside = ((places > y0) & (places < y1))[:, None] & ((places > x0) & (places < x1))[None]
        images[i, :, inside] = 1.0
    moved, told = moved_with_boxes(images, boxes, torch_generator(4), mirror=mirror)
    for i in range(count):
        ys, xs = torch.nonzero(moved[i, 0] > 0, as_tuple=True)
        seen = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / size
        torch.testing.assert_close(told[i], seen, atol=2 / size, rtol=0)
    flipped = (told[:, 0] + told[:, 2] - 1).sign() != (boxes[:, 0] + boxes[:, 2] - 1).sign()
    far = (boxes[:, 0] + boxes[:, 2] - 1).abs() > 0.4
    assert mirror or not bool(flipped[far].any())
    assert (told - boxes).abs().max() > 0.05


def test_the_temperature_undoes_what_the_logits_were_multiplied_by():
    """Classes drawn from softmax(logits): three times these logits are three times too sure."""
    draw = torch_generator(5)
    logits = torch.randn(20_000, 4, generator=draw)
    classes = torch.multinomial(torch.softmax(logits, 1), 1, generator=draw)[:, 0]
    assert abs(float(_temperature(3 * logits, classes)) - 3) < 0.2


def test_statistics_find_the_planted_centre_size_and_mode():
    """Widths: six in ten around .4, the others spread from .5 to .9, so that mode and mean differ."""
    rng = np.random.default_rng(0)
    n = 4000
    widths = np.where(rng.random(n) < 0.6, rng.normal(0.4, 0.02, n), rng.uniform(0.5, 0.9, n))
    heights = np.full(n, 0.3)
    centres = np.stack([rng.normal(0.5, 0.02, n), rng.normal(0.6, 0.01, n)], axis=1)
    half = np.stack([widths, heights], axis=1) / 2
    found = object_statistics(np.concatenate([centres - half, centres + half], axis=1))
    assert found.centre_mean == pytest.approx((0.5, 0.6), abs=2e-3)
    assert found.centre_deviation == pytest.approx((0.02, 0.01), abs=3e-3)
    assert found.size_mode == pytest.approx((0.4, 0.3), abs=1e-2)
    assert found.size_mean[0] == pytest.approx(float(np.clip(widths, 0, 1).mean()), abs=5e-3) and found.pictures == n
    assert found.box == pytest.approx((0.3, 0.45, 0.7, 0.75), abs=1e-2)


def test_what_lies_beyond_the_picture_does_not_count():
    found = object_statistics(np.array([[-0.2, 0.1, 0.4, 0.5]] * 3))
    assert found.centre_mean == (0.2, 0.3) and found.size_mean == (0.4, 0.4)


def test_the_mode_of_equal_values_is_that_value():
    assert mode_of(np.full(50, 0.37)) == pytest.approx(0.37)
