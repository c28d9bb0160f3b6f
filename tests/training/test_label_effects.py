"""Label effects against least squares and planted codes."""

from __future__ import annotations

import numpy as np
import torch

from engines.core.rng import numpy_generator
from engines.training.label_effects import label_effect


def _planted(n: int = 3000) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Codes are a sum of what three attributes add and noise; attribute 1 mostly follows attribute 0."""
    draw = numpy_generator(1)
    labels = draw.random((n, 3)) < 0.4
    labels[:, 1] = np.where(draw.random(n) < 0.8, labels[:, 0], labels[:, 1])
    effects = draw.standard_normal((3, 2, 4))
    codes = np.einsum("nk,kld->nld", labels, effects) + 0.5 * draw.standard_normal((n, 2, 4))
    return torch.from_numpy(codes).float(), labels, effects


def test_an_effect_is_the_coefficient_of_least_squares():
    codes, labels, _ = _planted()
    design = np.column_stack([labels, np.ones(len(labels))]).astype(float)
    coefficients = np.linalg.lstsq(design, codes.flatten(1).numpy().astype(float), rcond=None)[0]
    ours = label_effect(codes, labels, 1, "add", ridge=0.0).flatten().numpy()
    np.testing.assert_allclose(ours, coefficients[1], atol=1e-4)


def test_a_confounder_is_held():
    """The plain difference of means would add half of attribute 1's effect and more."""
    codes, labels, effects = _planted()
    np.testing.assert_allclose(label_effect(codes, labels, 0, "add").numpy(), effects[0], atol=0.1)
    plain = codes[torch.from_numpy(labels[:, 0])].mean(0) - codes[torch.from_numpy(~labels[:, 0])].mean(0)
    assert np.abs(plain.numpy() - effects[0]).max() > 0.5


def test_removing_is_the_opposite_of_adding():
    codes, labels, _ = _planted()
    assert torch.equal(label_effect(codes, labels, 2, "remove"), -label_effect(codes, labels, 2, "add"))


def test_what_is_implied_moves_along():
    """Attribute 1 always comes with attribute 0 here: adding 1 must bring what 0 adds, for those that lack both."""
    draw = numpy_generator(2)
    labels = draw.random((3000, 2)) < 0.5
    labels[:, 1] &= labels[:, 0]
    codes = torch.from_numpy(labels @ np.eye(2) + 0.1 * draw.standard_normal((3000, 2))).float()[:, None]
    added = label_effect(codes, labels, 1, "add")[0].numpy()
    # Of those without attribute 1 a third has attribute 0 already: it rises by 2/3 on average.
    np.testing.assert_allclose(added, [2 / 3, 1.0], atol=0.05)
    np.testing.assert_allclose(label_effect(codes, labels, 1, "remove")[0].numpy(), [0.0, -1.0], atol=0.05)


def test_doubt_shrinks_what_few_codes_say():
    codes, labels, _ = _planted(60)
    sizes = [label_effect(codes, labels, 0, "add", ridge=ridge).norm() for ridge in (0.0, 10.0, 1000.0)]
    assert sizes[0] > sizes[1] > sizes[2]
