"""Labels: exact rows, a class of its own for every seed, and means within classes as a loop would take them."""

from __future__ import annotations

import numpy as np
import torch

from engines.core.rng import torch_generator
from engines.generators.labels import labels_for_seeds, one_hot, random_labels, within_classes
from engines.generators.stylegan2 import Generator
from tests.generators.sizes import normal, tiny_config


def test_rows_are_those_of_the_identity():
    assert torch.equal(one_hot(np.array([2, 0, 2]), 3), torch.eye(3)[[2, 0, 2]])
    assert one_hot([5, 1], 0).shape == (2, 0)


def test_a_network_without_classes_takes_rows_of_no_width():
    mapping = Generator(tiny_config()).mapping
    z = normal(4, 6)
    assert torch.equal(mapping(z, one_hot(torch.arange(4), 0)), mapping(z))


def test_a_seed_has_one_class_whatever_else_is_drawn():
    alone = torch.cat([labels_for_seeds([seed], 5) for seed in range(200)])
    assert torch.equal(labels_for_seeds(range(200), 5), alone)
    # 200 draws of 5 classes: every class has 40, with a deviation of 5.7.
    assert (alone.sum(0) - 40).abs().max() < 20 and torch.equal(alone.sum(1), torch.ones(200))


def test_drawing_for_no_classes_leaves_the_generator_alone():
    one, other = torch_generator(3), torch_generator(3)
    assert random_labels(7, 0, one).shape == (7, 0)
    assert torch.equal(torch.randn(4, generator=one), torch.randn(4, generator=other))


def test_means_within_classes_are_those_of_a_loop():
    x, classes = normal(30, 4), torch.arange(30) % 3
    centred, means = within_classes(x, one_hot(classes, 4))
    for k in range(3):
        torch.testing.assert_close(means[k], x[classes == k].mean(0))
        torch.testing.assert_close(centred[classes == k], x[classes == k] - x[classes == k].mean(0))
    assert torch.equal(means[3], torch.zeros(4)), "a class without rows"
    centred, means = within_classes(x, one_hot(classes, 0))
    torch.testing.assert_close(centred, x - x.mean(0))
    torch.testing.assert_close(means, x.mean(0, keepdim=True))
