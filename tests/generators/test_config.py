"""The configuration accepts what can be built, and names what cannot."""

from __future__ import annotations

import json

import pytest

from engines.generators.stylegan2 import StyleGAN2Config
from tests.generators.sizes import tiny_config


def test_json_brings_back_the_same_configuration():
    config = tiny_config(class_count=4, conv_clamp=256.0)
    assert StyleGAN2Config.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize("resolution, rows", [(8, 4), (16, 6), (64, 10), (256, 14), (1024, 18)])
def test_rows_of_w_plus_are_two_a_doubling(resolution, rows):
    channels = {2**power: 2 for power in range(2, resolution.bit_length())}
    config = tiny_config(resolution=resolution, channels=channels)
    assert config.num_ws == rows
    assert config.resolutions == tuple(channels)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"resolution": 12}, "resolution must be a power of two from 8 up, got 12"),
        ({"resolution": 4}, "resolution must be a power of two from 8 up, got 4"),
        ({"channels": {4: 2, 8: 2}}, r"channels must name the resolutions \[4, 8, 16\], got \[4, 8\]"),
        ({"channels": {4: 2, 8: 0, 16: 2}}, r"channels\[8\] must be a whole number of at least 1, got 0"),
        ({"z_dim": 0}, "z_dim must be a whole number of at least 1, got 0"),
        ({"w_dim": 2.0}, "w_dim must be a whole number of at least 1, got 2.0"),
        ({"mapping_layers": True}, "mapping_layers must be a whole number of at least 1, got True"),
        ({"mapping_width": 0}, "mapping_width must be a whole number of at least 1, got 0"),
        ({"gates": list("abcdef")}, "gates must be fewer than z_dim, and none with classes, got 6"),
        ({"gates": ["a", "b"], "class_count": 3}, "gates must be fewer than z_dim, and none with classes, got 2"),
        ({"gates": "Male"}, "gates must be names of labels, got 'Male'"),
        ({"gates": [1]}, r"gates must be names of labels, got \[1\]"),
        ({"class_count": -1}, "class_count must be a whole number of at least 0, got -1"),
        ({"conv_clamp": 0}, "conv_clamp must be positive or None, got 0"),
    ],
)
def test_what_cannot_be_built_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny_config(**changes)


def test_unknown_and_missing_fields_are_named():
    values = tiny_config().to_json()
    with pytest.raises(ValueError, match=r"unknown fields \['z_dimension'\], missing fields \['z_dim'\]"):
        StyleGAN2Config.from_json({"z_dimension": values.pop("z_dim"), **values})
    with pytest.raises(ValueError, match="channels must be an object"):
        StyleGAN2Config.from_json({**tiny_config().to_json(), "channels": [2, 2, 2]})
