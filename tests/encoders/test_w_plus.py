"""The W+ encoder."""

from __future__ import annotations

import pytest
import torch

from engines.core.errors import PackFieldError
from engines.encoders.w_plus import EncoderConfig, WPlusEncoder

_CONFIG = EncoderConfig(resolution=64, layers=10, dim=6, channels={4: 8, 8: 8, 16: 8, 32: 4, 64: 4}, hidden=12)


def _encoder() -> WPlusEncoder:
    torch.manual_seed(0)
    return WPlusEncoder(_CONFIG).eval()


def test_a_fresh_encoder_gives_one_w_for_all_layers_and_no_update():
    encoder, image = _encoder(), torch.rand(3, 3, 64, 64) * 2 - 1
    codes = encoder(image)
    assert codes.shape == (3, 10, 6)
    assert torch.equal(codes, codes[:, :1].expand_as(codes))
    assert torch.equal(encoder(image, torch.zeros_like(image), codes), codes)


def test_the_current_reconstruction_matters_to_an_iteration():
    encoder, image = _encoder(), torch.rand(2, 3, 64, 64)
    torch.nn.init.normal_(encoder.update_head.weight)
    codes = encoder(image)
    assert not torch.equal(encoder(image, torch.zeros_like(image), codes), encoder(image, image, codes))


def test_pictures_in_a_batch_do_not_see_each_other():
    encoder, image = _encoder(), torch.rand(4, 3, 64, 64)
    assert torch.allclose(encoder(image)[2:3], encoder(image[2:3]), atol=1e-5)


def test_a_coarser_picture_is_accepted_while_training_grows():
    assert _encoder()(torch.rand(2, 3, 32, 32)).shape == (2, 10, 6)


def test_the_configuration_survives_json():
    assert EncoderConfig.from_json(_CONFIG.to_json()) == _CONFIG
    assert WPlusEncoder.from_config(_encoder().config_json()).load_state_dict(_encoder().state_dict())


def test_missing_channels_are_named():
    with pytest.raises(PackFieldError, match=r"\[4, 8, 16, 32, 64\]"):
        EncoderConfig(resolution=64, layers=10, dim=6, channels={4: 8})


def test_half_an_iteration_is_refused():
    with pytest.raises(ValueError, match="both"):
        _encoder()(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))
