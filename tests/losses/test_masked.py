"""Masked losses against plain arithmetic, and masked LPIPS against the package ``lpips`` itself."""

from __future__ import annotations

import pytest
import torch

from engines.core.errors import MissingExtraError
from engines.core.rng import torch_generator
from engines.losses.lpips_distance import LpipsDistance, alexnet_weights, perceptual_for
from engines.losses.masked import masked_distance, masked_l1, masked_mse, rectangle_mask
from engines.predictors.perceptual import PerceptualNetwork

SIDE = 64


def _images(seed: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch_generator(seed)) * 2 - 1


@pytest.fixture(scope="module")
def lpips_alex():
    """LPIPS with its own linear weights on a random backbone, as the package makes it."""
    lpips = pytest.importorskip("lpips")
    torch.manual_seed(3)
    return lpips.LPIPS(net="alex", pnet_rand=True, lpips=True, verbose=False)


# ---- pixels ----


def test_masked_l1_is_the_sum_of_equation_4():
    a, b = _images(0), _images(1)
    mask = torch.rand(2, 1, SIDE, SIDE, generator=torch_generator(2))
    for i in range(2):
        expected = (mask[i] * (a[i] - b[i]).abs()).sum() / (3 * mask[i].sum())
        assert float(masked_l1(a, b, mask)[i]) == pytest.approx(float(expected), rel=1e-5)


def test_a_mask_of_ones_gives_the_plain_means():
    a, b, ones = _images(0), _images(1), torch.ones(1, 1, SIDE, SIDE)
    assert torch.allclose(masked_l1(a, b, ones), (a - b).abs().mean((1, 2, 3)))
    assert torch.allclose(masked_mse(a, b, ones), (a - b).square().mean((1, 2, 3)))


def test_what_the_mask_leaves_out_does_not_count():
    a, b = _images(0), _images(1)
    mask = rectangle_mask((8, 16, 40, 48), SIDE, outside=0.0)
    inside = (a - b).abs()[:, :, 16:48, 8:40].mean((1, 2, 3))
    assert torch.allclose(masked_l1(a, b, mask), inside, rtol=1e-5)


def test_an_empty_mask_gives_no_loss_and_no_nan():
    a, b = _images(0), _images(1)
    assert masked_l1(a, b, torch.zeros(1, 1, SIDE, SIDE)).tolist() == [0, 0]


def test_rectangles_cover_their_area_and_weigh_the_rest():
    mask = rectangle_mask((2.5, 1.0, 6.0, 3.25), 8, outside=0.3)
    assert float((mask - 0.3).sum() / 0.7) == pytest.approx(3.5 * 2.25, rel=1e-5)
    assert mask[0, 0, 1, 2] == pytest.approx(0.3 + 0.7 * 0.5)  # half a column
    assert mask[0, 0, 3, 4] == pytest.approx(0.3 + 0.7 * 0.25)  # a quarter of a row
    assert mask.min() == pytest.approx(0.3)
    assert mask.max() == 1
    assert torch.equal(rectangle_mask(None, 8, outside=0.3), torch.ones(1, 1, 8, 8))


# ---- perceptual distances ----


def test_a_mask_of_ones_gives_the_packs_own_distance():
    network, (a, b) = PerceptualNetwork((8, 12, 16)).eval(), (_images(0), _images(1))
    masked = masked_distance(network, a, network.features(b), torch.ones(1, 1, SIDE, SIDE))
    assert torch.allclose(masked, network.distance(a, b), rtol=1e-5)


def test_a_mask_of_ones_gives_the_value_of_lpips(lpips_alex):
    a, b = _images(0), _images(1)
    ours = LpipsDistance(lpips_alex)
    with torch.no_grad():
        expected = lpips_alex(a, b).flatten()
        assert torch.allclose(masked_distance(ours, a, ours.features(b), torch.ones(1, 1, SIDE, SIDE)), expected, rtol=1e-5)
        assert torch.allclose(ours.distance(a, b), expected, rtol=1e-5)


def test_the_mask_weighs_every_stage_of_lpips(lpips_alex):
    """Against lpips' own maps of every stage, weighted by hand."""
    a, b = _images(0), _images(1)
    mask = rectangle_mask((0, 0, 32, 64), SIDE, outside=0.3)
    lpips_alex.spatial = False
    with torch.no_grad():
        expected = torch.zeros(2)
        net = lpips_alex
        for one, other, linear in zip(net.net(net.scaling_layer(a)), net.net(net.scaling_layer(b)), net.lins, strict=True):
            units = [x / (x.norm(dim=1, keepdim=True) + 1e-10) for x in (one, other)]
            stage = linear((units[0] - units[1]) ** 2)
            weights = torch.nn.functional.interpolate(mask, stage.shape[2:], mode="bilinear")
            expected += ((stage * weights).sum((1, 2, 3)) / weights.sum()).flatten()
        ours = LpipsDistance(lpips_alex)
        assert torch.allclose(masked_distance(ours, a, ours.features(b), mask), expected, rtol=1e-4)


def test_lpips_has_gradients_where_all_channels_are_zero(lpips_alex):
    """The package's own normalisation gives NaN there."""
    ours, image = LpipsDistance(lpips_alex), torch.zeros(1, 3, SIDE, SIDE, requires_grad=True)
    with torch.no_grad():
        for parameter in ours.network.net.slice5.parameters():
            parameter.zero_()
    ours.distance(image, _images(1, 1)).sum().backward()
    assert torch.isfinite(image.grad).all()


# ---- which of them ----


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """torch hub's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


class _Models:
    perceptual = PerceptualNetwork((8, 12)).eval()


def test_without_a_backbone_the_packs_network_is_taken(hub):
    assert alexnet_weights() is None
    assert perceptual_for(_Models()) == (_Models.perceptual, "pack")


def test_a_backbone_in_the_cache_is_used_and_nothing_is_downloaded(hub, lpips_alex):
    # torchvision's file also holds the classifier, which LPIPS has no use for.
    state = {f"features.{name.split('.', 1)[1]}": value for name, value in lpips_alex.net.state_dict().items()}
    torch.save({**state, "classifier.1.bias": torch.zeros(3)}, hub / "alexnet-owt-7be5be79.pth")
    before = torch.random.get_rng_state()
    network, kind = perceptual_for(_Models())
    assert kind == "lpips-alex"
    assert torch.equal(torch.random.get_rng_state(), before)
    a, b = _images(0), _images(1)
    with torch.no_grad():
        assert torch.allclose(network.distance(a, b), lpips_alex(a, b).flatten(), rtol=1e-5)
    assert perceptual_for(_Models())[0] is network


def test_a_damaged_backbone_is_named(hub):
    (hub / "alexnet-owt-7be5be79.pth").write_bytes(b"no weights")
    with pytest.raises(MissingExtraError, match=r"alexnet-owt-7be5be79.pth is damaged"):
        perceptual_for(_Models())
