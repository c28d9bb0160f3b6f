"""The three stages of ``train gan`` on tiny networks: what each promises, on data whose answer is known."""

from __future__ import annotations

import argparse
import dataclasses
import re

import numpy as np
import pytest
import torch
from geomloss import SamplesLoss
from safetensors.torch import save_file

from engines.core.errors import OptionError
from engines.core.rng import torch_generator
from engines.encoders.w_plus import EncoderConfig, WPlusEncoder
from engines.generators.labels import one_hot
from engines.generators.stylegan2 import Discriminator, Generator, StyleGAN2Config
from engines.predictors.perceptual import PerceptualNetwork
from engines.training import gan
from engines.training.adversarial import _moved, _previous_of_class, train_adversarial
from engines.training.autoencoding import Autoencoder, held_out_mse, train_autoencoder
from engines.training.common import freeze
from engines.training.mapping_fit import fit_mapping
from engines.training.runs import Run
from engines.training.schedule import Schedule
from engines.training.statistics import class_statistics
from tests.command_run import run_command

_CHANNELS = {4: 16, 8: 16, 16: 12, 32: 8}
_CONFIG = StyleGAN2Config(resolution=32, z_dim=8, w_dim=8, mapping_layers=2, channels=_CHANNELS, linear_w=True)


def _arguments() -> argparse.Namespace:
    return argparse.Namespace(seed=3, progress=lambda record: None)


def _model(config: StyleGAN2Config = _CONFIG) -> Autoencoder:
    torch.manual_seed(0)
    encoder = WPlusEncoder(EncoderConfig(resolution=32, layers=8, dim=8, channels=_CHANNELS, hidden=16))
    return Autoencoder.of(Generator(config, seed=1), encoder)


def _pictures(count: int = 64) -> np.ndarray:
    """Two-colour pictures: two numbers decide each, so that a few codes can hold them."""
    rng = np.random.default_rng(0)
    top, bottom = rng.integers(0, 256, (2, count, 1, 1, 3))
    rows = np.arange(32)[None, :, None, None]
    return np.where(rows < 16, top, bottom).astype(np.uint8).repeat(32, 2)


def _autoencode(folder, steps: int) -> Autoencoder:
    model = _model()
    run = Run.open(folder, {"test": 1}, resume=False)
    train_autoencoder(
        model,
        images=_pictures(),
        mirror=True,
        held_out=_pictures(16),
        perceptual=None,
        weight_map=torch.ones(1, 1, 32, 32),
        rates=(1e-2, 2e-3),
        grow_from_px=32,
        schedule=Schedule(steps=steps),
        run=run,
        arguments=_arguments(),
        state={},
    )
    return model


def test_autoencoding_learns_to_reconstruct(tmp_path):
    pictures = _pictures(16)
    fresh = _model()
    before = held_out_mse(fresh.encoder.eval(), fresh.generator, pictures)
    model = _autoencode(tmp_path, 60)
    after = held_out_mse(model.encoder_ema.model, model.generator_ema.model, pictures)
    assert after < 0.7 * before


def test_networks_and_averages_go_on_from_their_state():
    """Half of the updates, everything into another model, the other half there: as without the change."""

    def walk(model: Autoencoder, steps: range) -> Autoencoder:
        for step in steps:
            for network, average in ((model.generator, model.generator_ema), (model.encoder, model.encoder_ema)):
                with torch.no_grad():
                    for parameter in network.parameters():
                        parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch_generator(1, step)))
                average.update(network)
        return model

    whole, moved = walk(_model(), range(20)), _model()
    moved.load(walk(_model(), range(10)).state())
    walk(moved, range(10, 20))
    for name in ("generator_ema", "encoder_ema"):
        for a, b in zip(getattr(whole, name).model.parameters(), getattr(moved, name).model.parameters(), strict=True):
            assert torch.equal(a, b)


def test_the_same_seed_gives_the_same_weights(tmp_path):
    first, second = (_autoencode(tmp_path / name, 6) for name in "ab")
    for a, b in zip(first.generator.parameters(), second.generator.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_mapping_moves_to_the_distribution_of_the_codes(tmp_path, quick_fits):
    generator = Generator(_CONFIG, seed=1)
    codes = torch.randn(4000, 8, generator=torch_generator(5)) * torch.linspace(0.2, 1.5, 8) + 0.5
    divergence = SamplesLoss("sinkhorn", p=2, blur=0.5)
    with torch.no_grad():
        before = float(divergence(generator.mapping(torch.randn(1024, 8, generator=torch_generator(6))), codes[:1024]))
    run = Run.open(tmp_path, {}, resume=False)
    none = torch.zeros(len(codes), 0)
    figures = fit_mapping(generator, codes, none, none, schedule=Schedule(steps=300), run=run, arguments=_arguments())
    assert figures["sinkhorn_real_to_real"] < figures["sinkhorn_mapped_to_real"] < 0.5 * before
    with torch.no_grad():
        mapped = generator.mapping(torch.randn(20_000, 8, generator=torch_generator(7)))
    assert torch.allclose(generator.mapping.w_avg, mapped.mean(0), atol=0.05)
    assert 0.5 < figures["variance_ratio"] < 1.5


def test_the_mapping_gives_every_class_its_own_codes(tmp_path, quick_fits):
    """Codes of class k lie around 2 e_k with another spread for all axes: so must what the mapping gives for class k."""
    config = dataclasses.replace(_CONFIG, class_count=3, mapping_width=64)
    generator = Generator(config, seed=1)
    classes = torch.arange(3000) % 3
    labels, spread, none = one_hot(classes, 3), torch.linspace(0.2, 0.8, 8), torch.zeros(3000, 0)
    codes = torch.randn(3000, 8, generator=torch_generator(5)) * spread + 2 * torch.eye(8)[classes]
    run = Run.open(tmp_path, {}, resume=False)
    figures = fit_mapping(generator, codes, labels, none, schedule=Schedule(steps=300), run=run, arguments=_arguments())
    assert 0.8 < figures["variance_ratio"] < 1.2
    averages = class_statistics(generator)["w_class_avg"]
    assert averages.shape == (3, 8) and class_statistics(Generator(_CONFIG)) == {}
    z = torch.randn(2000, 8, generator=torch_generator(7))
    for k in range(3):
        with torch.no_grad():
            mapped = generator.mapping(z, torch.eye(3)[k].expand(2000, -1))
        assert (mapped.mean(0) - 2 * torch.eye(8)[k]).abs().max() < 0.2
        assert torch.allclose(averages[k], mapped.mean(0), atol=0.05)
        nearest = torch.cdist(mapped, 2 * torch.eye(8)[:3]).argmin(1)
        assert float((nearest == k).float().mean()) > 0.95


def test_the_mapping_gets_the_gates_of_its_labels(tmp_path, monkeypatch, quick_fits):
    """Codes in two clouds, a label for each: the last coordinate of z chooses, and nothing lies between."""
    monkeypatch.setattr("engines.training.gate_fit._STEPS", 300)
    generator = Generator(dataclasses.replace(_CONFIG, gates=("Side",), mapping_width=64), seed=1)
    draw = torch_generator(5)
    yes = torch.rand(4000, generator=draw) < 0.25
    codes = torch.randn(4000, 8, generator=draw) * torch.linspace(0.1, 0.8, 8)
    codes[:, 0] += torch.where(yes, 3.0, -3.0)
    run = Run.open(tmp_path, {}, resume=False)
    none, label = torch.zeros(4000, 0), yes[:, None].float()
    figures = fit_mapping(generator, codes, none, label, schedule=Schedule(steps=300), run=run, arguments=_arguments())
    assert 0.8 < figures["variance_ratio"] < 1.2
    z = torch.randn(4000, 8, generator=torch_generator(7))
    with torch.no_grad():
        first, decided = generator.mapping(z)[:, 0], generator.mapping.entering(z)[:, -1].round()
    assert torch.equal(first > 0, decided == 1)
    assert abs(float((first > 0).float().mean()) - 0.25) < 0.03
    assert float((first.abs() < 1.5).float().mean()) < 0.005


@pytest.mark.parametrize("class_count", [0, 3])
def test_adversarial_training_changes_the_generator_and_leaves_the_encoder(tmp_path, monkeypatch, class_count):
    monkeypatch.setattr("engines.training.adversarial._WARM_UP_STEPS", 1)
    config = dataclasses.replace(_CONFIG, class_count=class_count, label_layers=2)
    model, discriminator = _model(config), Discriminator(config)
    perceptual = freeze(PerceptualNetwork((4, 8, 8)))
    encoder = {k: v.clone() for k, v in model.encoder_ema.model.state_dict().items()}
    synthesis = {k: v.clone() for k, v in model.generator.synthesis.state_dict().items()}
    seen = train_adversarial(
        model,
        discriminator,
        images=_pictures(),
        labels=one_hot(torch.arange(64) % 3, class_count),
        mirror=True,
        held_out=_pictures(16),
        perceptual=perceptual,
        weight_map=torch.ones(1, 1, 32, 32),
        schedule=Schedule(steps=3),
        run=Run.open(tmp_path, {}, resume=False),
        arguments=_arguments(),
        state={},
    )
    assert seen == 48
    assert all(torch.equal(v, encoder[k]) for k, v in model.encoder_ema.model.state_dict().items())
    assert not torch.equal(model.generator.synthesis.state_dict()["b8.conv0.weight"], synthesis["b8.conv0.weight"])
    assert all(torch.isfinite(p).all() for p in model.generator.parameters())


def test_codes_are_mixed_within_their_class():
    classes = [0, 1, 0, 2, 1, 0]
    found = _previous_of_class(one_hot(torch.tensor(classes), 3)).tolist()
    expected = []
    for i in range(6):
        before = [(i - back) % 6 for back in range(1, 7)]
        expected.append(next(j for j in before if classes[j] == classes[i]))
    assert found == expected == [5, 4, 0, 3, 1, 2]
    assert _previous_of_class(torch.zeros(4, 0)).tolist() == [3, 0, 1, 2], "without classes all are of one kind"


def test_moved_codes_follow_the_difference_of_two_others_of_their_class():
    classes = [0, 1, 0, 1, 0, 1]
    labels = one_hot(torch.tensor(classes), 2)
    codes = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(3))
    changes = _moved(codes, labels, torch.Generator().manual_seed(4)) - codes
    for place, (former, earlier) in enumerate([(4, 2), (5, 3), (0, 4), (1, 5), (2, 0), (3, 1)]):
        way = codes[former] - codes[earlier]
        amount = (changes[place] * way).sum() / way.square().sum()
        assert 0 < amount < 0.7
        torch.testing.assert_close(changes[place], amount * way)
    alone = one_hot(torch.arange(6), 6)
    assert torch.equal(_moved(codes, alone, torch.Generator().manual_seed(4)), codes), "nothing of their class to move by"


def _start(init: object) -> gan._Start:
    sizes = EncoderConfig(resolution=32, layers=8, dim=8, channels=_CHANNELS, hidden=16)
    row = argparse.Namespace(generator=_CONFIG, encoder=sizes, discriminator=_CONFIG)
    return gan._Start.of(argparse.Namespace(seed=3, init=str(init), from_pack=False, mapping_share=0.1), row)


def _weights(model: Autoencoder) -> dict[str, torch.Tensor]:
    parts = {"generator": model.generator, "encoder": model.encoder}
    return {f"{name}.{key}": tensor for name, part in parts.items() for key, tensor in part.state_dict().items()}


def test_a_training_starts_from_the_weights_of_a_file(tmp_path):
    given = _weights(_model())
    save_file({name: tensor.contiguous() for name, tensor in given.items()}, tmp_path / "start.safetensors")
    start = _start(tmp_path / "start.safetensors")
    assert start.source.startswith("start.safetensors (sha256 ")
    found = _weights(start.model)
    assert all(torch.equal(found[name], tensor) for name, tensor in given.items())


@pytest.mark.parametrize("data", [None, b"", b"no safetensors", {"generator.x": 1}, {}])
def test_a_file_that_is_no_start_is_refused_before_anything_is_made(tmp_path, monkeypatch, data):
    path = tmp_path / "start.safetensors"
    if isinstance(data, dict):
        save_file({name: torch.zeros(size) for name, size in data.items()}, path)
    elif data is not None:
        path.write_bytes(data)
    with pytest.raises(OptionError, match=re.escape(f"--init {path}")):
        _start(path)
    monkeypatch.setattr(gan, "_perceptual", lambda pack_id: None)
    monkeypatch.setattr(gan, "open_run", None)
    with pytest.raises(OptionError, match=re.escape(f"--init {path}")):
        run_command(gan, "--init", str(path), pack="multimnist")
