"""Edit families: one interface, one table, and edits after one another against arithmetic by hand."""

from __future__ import annotations

import pytest
import torch

from engines.core.rng import torch_generator
from engines.editing.compose import Applied, composed
from engines.editing.edit_maps import EditMaps
from engines.editing.families import DEFAULT_FAMILY, FAMILIES, offered_families
from engines.editing.family import EditFamily
from engines.editing.mlp_maps import MlpMaps
from engines.editing.shared_maps import SharedMaps
from engines.editing.style_channels import StyleChannels
from engines.packs.components import COMPONENTS

ATTRIBUTES, LAYERS, DIM = ("Smiling", "Bald"), 3, 4


def _maps(rank: int | None) -> SharedMaps:
    maps, draw = SharedMaps(ATTRIBUTES, LAYERS, DIM, rank).requires_grad_(False), torch_generator(1)
    for tensor in (*maps.parameters(), maps.mean):
        tensor.copy_(torch.randn(tensor.shape, generator=draw))
    maps.scale.copy_(torch.tensor([[2.0, 3.0], [1.0, 0.5]]))
    return maps


def _channels() -> StyleChannels:
    family = StyleChannels(ATTRIBUTES, [("b4.conv1.affine.bias", 0, 2)])
    family.shift.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
    return family


def _codes() -> torch.Tensor:
    return torch.randn(2, LAYERS, DIM, generator=torch_generator(2))


@pytest.mark.parametrize(
    "family",
    [EditMaps(ATTRIBUTES, LAYERS, DIM, 2), MlpMaps(ATTRIBUTES, LAYERS, DIM, components=3, hidden=2), _maps(2), _channels()],
)
def test_every_family_fits_the_one_interface(family):
    assert isinstance(family, EditFamily)
    assert torch.equal(family.edit(_codes(), {}), _codes())
    assert family.style_shifts({}) == {}
    assert family.scale.shape == (2, 2)
    rebuilt = type(family).from_config(family.config_json())
    rebuilt.load_state_dict(family.state_dict())
    with pytest.raises(KeyError, match="Hat"):
        family.style_shifts({"Hat": 1.0}) if isinstance(family, StyleChannels) else family.edit(_codes(), {"Hat": 1.0})


def test_maps_that_hold_for_encoded_codes_are_asked_about_these():
    """What they say of the encoder's codes, moved by the edits before, is done to the codes themselves; others ignore them."""
    bent = MlpMaps(ATTRIBUTES, LAYERS, DIM, components=3, hidden=5).requires_grad_(False)
    draw = torch_generator(7)
    for tensor in bent.parameters():
        tensor.copy_(torch.randn(tensor.shape, generator=draw))
    bent.set_coordinates(torch.zeros(LAYERS, DIM), torch.linalg.qr(torch.randn(LAYERS * DIM, 3, generator=draw))[0].T)
    plain, codes, encoded = _maps(2), _codes(), torch.randn(2, LAYERS, DIM, generator=draw)
    bent_edit, plain_edit = Applied(bent, {"Smiling": 0.8}), Applied(plain, {"Bald": 1.0})
    torch.testing.assert_close(composed(codes, [plain_edit], encoded).w_plus, composed(codes, [plain_edit]).w_plus)
    alone = composed(codes, [bent_edit], encoded).w_plus
    torch.testing.assert_close(alone, codes + 0.8 * bent.change(encoded, "Smiling", "add"))
    moved = plain.edit(codes, {"Bald": 1.0})
    both = composed(codes, [plain_edit, bent_edit], encoded).w_plus
    torch.testing.assert_close(both, moved + 0.8 * bent.change(encoded + (moved - codes), "Smiling", "add"))
    assert (composed(codes, [bent_edit]).w_plus - alone).abs().max() > 0.01


def test_the_table_names_components_that_exist_and_lw_comes_first():
    assert next(iter(FAMILIES)) == DEFAULT_FAMILY
    assert {row.kind for row in FAMILIES.values()} <= set(COMPONENTS)
    assert len({row.kind for row in FAMILIES.values()}) == len(FAMILIES)
    assert offered_families(["edits_sefa", "generator", "edit_maps"]) == ("LW", "SeFa")


@pytest.mark.parametrize("rank", [0, 2, None])
@pytest.mark.parametrize(("alpha", "scale"), [(0.7, 2.0), (-0.7, 3.0)])
def test_one_map_adds_and_removes(rank, alpha, scale):
    """z + alpha * scale of the direction * ((z - mean) A B + b), a layer at a time."""
    maps, codes = _maps(rank), _codes()
    wanted = codes.clone()
    for layer in range(LAYERS):
        change = maps.bias[0, layer].expand(2, -1).clone()
        if rank != 0:
            matrix = maps.matrix[0, layer] if rank is None else maps.left[0, layer] @ maps.right[0, layer]
            change += (codes[:, layer] - maps.mean[layer]) @ matrix
        wanted[:, layer] += alpha * scale * change
    torch.testing.assert_close(maps.edit(codes, {"Smiling": alpha}), wanted)


def test_a_later_edit_sees_what_the_earlier_one_left():
    maps, codes = _maps(2), _codes()
    first, second = Applied(maps, {"Smiling": 1.0}, (0, 2)), Applied(maps, {"Bald": -1.0})
    by_hand = maps.edit(maps.edit(codes, {"Smiling": 1.0}, (0, 2)), {"Bald": -1.0})
    assert torch.equal(composed(codes, [first, second]).w_plus, by_hand)
    assert not torch.allclose(composed(codes, [second, first]).w_plus, by_hand)


def test_codes_and_styles_compose():
    maps, channels, codes = _maps(0), _channels(), _codes()
    steps = [
        Applied(channels, {"Smiling": 1.0}),
        Applied(maps, {"Bald": 1.0}),
        Applied(channels, {"Smiling": 0.5, "Bald": 1.0}),
    ]
    edited = composed(codes, steps)
    assert torch.equal(edited.w_plus, maps.edit(codes, {"Bald": 1.0}))
    torch.testing.assert_close(edited.style_shifts["b4.conv1.affine.bias"], torch.tensor([1.5, -1.0]))
