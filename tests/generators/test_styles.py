"""The style space of the generator: where its styles come from, and that shifting a style shifts nothing else."""

from __future__ import annotations

import torch

from engines.core.rng import torch_generator
from engines.editing.painting import with_style_shifts
from engines.editing.style_channels import StyleChannels
from engines.generators.stylegan2.styles import style_layers, styles_of


def _codes(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 8, 16, generator=torch_generator(1))


def test_styles_are_what_the_convolutions_get(tiny_pack):
    """Every affine layer is watched while a picture is made."""
    synthesis, codes = tiny_pack.generator.synthesis, _codes()
    layers = style_layers(synthesis)
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        layer.affine.register_forward_hook(lambda _, __, styles, name=layer.name: seen.update({name: styles}))
        for layer in layers
    ]
    synthesis(codes)
    for hook in hooks:
        hook.remove()
    assert [layer.name for layer in layers] == list(seen)
    assert torch.equal(styles_of(layers, codes), torch.cat(list(seen.values()), 1))


def test_a_shift_is_added_to_one_layers_styles_and_the_shared_generator_stays(tiny_pack):
    generator, codes = tiny_pack.generator, _codes()
    layers = style_layers(generator.synthesis)
    before, picture = styles_of(layers, codes), generator.synthesis(codes)
    shift = torch.linspace(-1, 1, layers[2].width)
    shifted = with_style_shifts(generator, {layers[2].bias_name: shift})
    after = styles_of(style_layers(shifted.synthesis), codes)
    start = layers[0].width + layers[1].width
    wanted = before.clone()
    wanted[:, start : start + len(shift)] += shift
    torch.testing.assert_close(after, wanted)
    assert not torch.equal(shifted.synthesis(codes), picture)
    assert torch.equal(generator.synthesis(codes), picture)
    assert with_style_shifts(generator, {}) is generator


def test_channels_of_rows_outside_the_range_stay():
    family = StyleChannels(("A", "B"), [("b4.conv1.affine.bias", 0, 2), ("b8.conv0.affine.bias", 1, 3)])
    family.shift.copy_(torch.tensor([[1.0, 0, 0, 2, 0], [0, 1, 0, 0, 0]]))
    family.scale.copy_(torch.tensor([[2.0, 3], [1, 1]]))
    shifts = family.style_shifts({"A": -1.0, "B": 0.5})
    torch.testing.assert_close(shifts["b4.conv1.affine.bias"], torch.tensor([-3.0, 0.5]))
    torch.testing.assert_close(shifts["b8.conv0.affine.bias"], torch.tensor([0.0, -6.0, 0.0]))
    assert list(family.style_shifts({"A": 1.0}, (1, 2))) == ["b8.conv0.affine.bias"]
    assert family.style_shifts({"A": 0.0, "B": 0.0}) == {}
