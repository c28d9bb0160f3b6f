"""Edit maps against explicit matrix arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.core.rng import torch_generator
from engines.editing.edit_maps import DIRECTIONS, EditMaps

ATTRIBUTES = ("Eyeglasses", "Smiling", "Bald")
LAYERS, DIM, RANK = 5, 7, 3


def _random_maps(rank: int | None = RANK) -> EditMaps:
    maps = EditMaps(ATTRIBUTES, LAYERS, DIM, rank)
    generator = torch_generator(1)
    with torch.no_grad():
        for tensor in (*maps.parameters(), maps.mean):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        maps.scale.copy_(torch.rand(maps.scale.shape, generator=generator) + 0.5)
    return maps.requires_grad_(False)


def _codes(n: int = 4) -> torch.Tensor:
    return torch.randn(n, LAYERS, DIM, generator=torch_generator(2))


def _by_hand(maps: EditMaps, w_plus: torch.Tensor, alphas: dict[str, float]) -> np.ndarray:
    """Eq. 1 written out in float64, one code and one layer at a time."""
    z = w_plus.numpy().astype(np.float64)
    result = z.copy()
    for attribute, alpha in alphas.items():
        k, d = ATTRIBUTES.index(attribute), 0 if alpha > 0 else 1
        for n in range(len(z)):
            for layer in range(LAYERS):
                if maps.rank is None:
                    matrix = maps.matrix[k, d, layer].numpy().astype(np.float64)
                else:
                    matrix = maps.left[k, d, layer].numpy().astype(np.float64) @ maps.right[k, d, layer].numpy()
                change = (z[n, layer] - maps.mean[layer].numpy()) @ matrix + maps.bias[k, d, layer].numpy()
                result[n, layer] += abs(alpha) * float(maps.scale[k, d]) * change
    return result


@pytest.mark.parametrize("alphas", [{}, {"Bald": 0.0}, dict.fromkeys(ATTRIBUTES, 0.0), {"Smiling": -0.0}])
def test_no_strength_leaves_the_same_bits(alphas):
    codes = _codes()
    assert torch.equal(_random_maps().edit(codes, alphas), codes)


@pytest.mark.parametrize("rank", [RANK, None])
@pytest.mark.parametrize("alphas", [{"Smiling": 1.0}, {"Smiling": -0.7}, {"Bald": 1.5, "Eyeglasses": -2.0, "Smiling": 0.25}])
def test_an_edit_is_the_written_out_sum(rank, alphas):
    maps, codes = _random_maps(rank), _codes()
    np.testing.assert_allclose(maps.edit(codes, alphas).numpy(), _by_hand(maps, codes, alphas), atol=2e-4)


def test_the_order_of_edits_does_not_change_a_bit():
    maps, codes = _random_maps(), _codes()
    one = maps.edit(codes, {"Eyeglasses": 0.3, "Smiling": -1.1, "Bald": 0.9})
    other = maps.edit(codes, {"Bald": 0.9, "Smiling": -1.1, "Eyeglasses": 0.3})
    assert torch.equal(one, other)


def test_the_sign_of_alpha_chooses_the_map():
    """Only one direction's bias is set, so the other direction must do nothing."""
    maps = EditMaps(ATTRIBUTES, LAYERS, DIM, RANK).requires_grad_(False)
    maps.bias[1, DIRECTIONS.index("remove")] = 1.0
    codes = _codes()
    assert torch.equal(maps.edit(codes, {"Smiling": 2.0}), codes)
    assert torch.equal(maps.edit(codes, {"Smiling": -2.0}), codes + 2.0)


def test_layers_outside_the_range_keep_their_bits():
    maps, codes = _random_maps(), _codes()
    full = maps.edit(codes, {"Smiling": 1.0})
    part = maps.edit(codes, {"Smiling": 1.0}, layers=(1, 3))
    assert torch.equal(part[:, 1:3], full[:, 1:3])
    assert torch.equal(part[:, :1], codes[:, :1]) and torch.equal(part[:, 3:], codes[:, 3:])


def test_each_code_is_edited_alone():
    maps, codes = _random_maps(), _codes(6)
    together = maps.edit(codes, {"Bald": 1.0})
    alone = torch.cat([maps.edit(codes[i : i + 1], {"Bald": 1.0}) for i in range(6)])
    torch.testing.assert_close(together, alone)


def test_the_input_is_not_changed_or_shared():
    maps, codes = _random_maps(), _codes()
    before = codes.clone()
    for alphas in ({}, {"Bald": 1.0}):
        maps.edit(codes, alphas).zero_()
        assert torch.equal(codes, before)


def test_a_configuration_rebuilds_the_same_maps():
    maps = _random_maps()
    again = EditMaps.from_config(maps.config_json())
    again.load_state_dict(maps.state_dict())
    assert torch.equal(again.edit(_codes(), {"Smiling": 1.0}), maps.edit(_codes(), {"Smiling": 1.0}))


def test_mistakes_are_named():
    maps, codes = _random_maps(), _codes()
    with pytest.raises(KeyError, match="no edit map for Hat; there are Eyeglasses, Smiling, Bald"):
        maps.edit(codes, {"Hat": 1.0})
    with pytest.raises(ValueError, match=r"w_plus must have shape \[any, 5, 7\]"):
        maps.edit(codes[:, :4], {"Bald": 1.0})
    for layers in ((3, 3), (0, 6), (-1, 2)):
        with pytest.raises(ValueError, match="first < end <= 5"):
            maps.edit(codes, {"Bald": 1.0}, layers=layers)
    with pytest.raises(ValueError, match="distinct"):
        EditMaps(("A", "A"), 1, 2)
    with pytest.raises(ValueError, match="rank from 1 to 2"):
        EditMaps(("A",), 1, 2, rank=3)
