"""Opening packs: lazily, once, as stored; and every damaged or foreign file is named."""

from __future__ import annotations

import hashlib
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.core.cache import BoundedCache
from engines.core.errors import (
    PackFieldError,
    PackFileMissingError,
    PackHashError,
    PackNotFoundError,
    PackShapeError,
)
from engines.packs import registry
from engines.packs.load import Pack
from engines.packs.manifest import read_manifest
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from tests.generators.sizes import normal
from tests.packs.small_pack import CONFIG, PROVENANCE, edit_json, generator, statistics, write_small_pack


def _rewrite(folder, kind, change) -> None:
    """Replaces a component's file by changed tensors, with a manifest that vouches for it."""
    component = read_manifest(folder).components[kind]
    path = folder / component.file
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    data = path.read_bytes()
    edit_json(folder, "components", kind, "sha256", value=hashlib.sha256(data).hexdigest())
    edit_json(folder, "components", kind, "bytes", value=len(data))


def test_networks_come_back_bit_for_bit(small):
    pack = open_pack("small", small.parent)
    stored, loaded = generator().state_dict(), pack.generator.state_dict()
    assert all(torch.equal(stored[name], loaded[name]) for name in stored)
    assert all(torch.equal(pack.statistics[name], tensor) for name, tensor in statistics().items())
    z = normal(2, 4)
    assert torch.equal(pack.generator(z), generator()(z))


def test_networks_are_frozen_float32_and_in_evaluation_mode(tmp_path):
    write_small_pack(tmp_path / "packs" / "halved", half=True)
    pack = open_pack("halved", tmp_path / "packs")
    for network in (pack.generator, pack.discriminator):
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert all(tensor.dtype == torch.float32 for tensor in network.state_dict().values())
    # 11 significant bits: half a unit in the last place is 2^-11 of the value.
    stored, loaded = generator().state_dict(), pack.generator.state_dict()
    for name in stored:
        torch.testing.assert_close(loaded[name], stored[name], rtol=2**-11, atol=1e-7)


def test_integer_buffers_keep_their_type(tiny_pack):
    counts = [tensor for name, tensor in tiny_pack.encoder.state_dict().items() if name.endswith("num_batches_tracked")]
    assert counts
    assert all(count.dtype == torch.int64 for count in counts)


def test_every_kind_of_a_complete_pack_opens(tiny_pack):
    for kind in tiny_pack.manifest.components:
        assert tiny_pack.has(kind)
        assert getattr(tiny_pack, kind) is getattr(tiny_pack, kind)
    picture = tiny_pack.generator.synthesis(tiny_pack.encoder(normal(1, 3, 32, 32)))
    assert tiny_pack.attribute_predictor(picture).shape == (1, len(tiny_pack.manifest.attributes))


def test_opening_reads_the_manifest_only(small):
    """Without the weights' files the pack still opens; only use needs them."""
    for path in small.glob("*.safetensors"):
        path.unlink()
    pack = open_pack("small", small.parent)
    assert pack.id == "small"
    assert pack.has("generator")
    assert not pack.has("encoder")
    with pytest.raises(PackFileMissingError, match=r"generator-.*safetensors is missing or cannot be read"):
        _ = pack.generator


def test_opening_and_loading_open_no_connection(small, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    pack = open_pack("small", small.parent)
    assert pack.generator(normal(1, 4)).shape == (1, 3, 8, 8)


def test_loading_leaves_the_random_state_alone(small):
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    _ = open_pack("small", small.parent).generator
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_is_read_in_inference_mode_takes_part_in_gradients_later(small):
    """The cache is shared: whoever reads first must not decide what others can do."""
    pack = open_pack("small", small.parent)
    with torch.inference_mode():
        first = pack.generator, pack.statistics["w_avg"]
    assert not first[1].is_inference() and not any(p.is_inference() for p in first[0].parameters())
    z = normal(1, 4).requires_grad_(True)
    pack.generator(z).square().sum().backward()
    assert bool(z.grad.abs().sum() > 0)


def test_open_packs_and_their_weights_are_shared(small):
    first, second = open_pack("small", small.parent), open_pack("small", small.parent)
    assert first is second
    assert first.generator is second.generator


def test_threads_that_open_a_pack_load_it_once(small, monkeypatch):
    loads = []
    real = Pack._load
    monkeypatch.setattr(Pack, "_load", lambda *args: loads.append(args[1]) or real(*args))
    with ThreadPoolExecutor(8) as threads:
        generators = list(threads.map(lambda _: open_pack("small", small.parent).generator, range(16)))
    assert loads == ["generator"]
    assert len({id(generator) for generator in generators}) == 1


def test_weights_over_the_bound_make_room(small, monkeypatch):
    """A bound just above the generator's size: the discriminator (larger) pushes it out, and it is read anew."""
    sizes = {}
    for kind in ("generator", "discriminator"):
        module = getattr(open_pack("small", small.parent), kind)
        sizes[kind] = sum(t.numel() * t.element_size() for t in module.state_dict().values())
    cache = BoundedCache(max(sizes.values()) + 1)
    pack = Pack(small, read_manifest(small), cache, device=torch.device("cpu"))
    first = pack.generator
    assert pack.generator is first
    assert cache.total == sizes["generator"]
    _ = pack.discriminator
    assert cache.total == sizes["discriminator"]
    assert pack.generator is not first
    assert cache.total <= cache.capacity


def test_new_weights_are_seen_by_the_next_open(small):
    old = open_pack("small", small.parent)
    before = old.generator.synthesis.b4.const.clone()
    write_component(small, "generator", generator(seed=2), CONFIG.to_json(), PROVENANCE, False)
    new = open_pack("small", small.parent)
    assert new is not old
    assert new.weights_hash != old.weights_hash
    assert not torch.equal(new.generator.synthesis.b4.const, before)
    # What did not change is shared.
    assert new.discriminator is old.discriminator
    assert new.component_sha256("discriminator") == old.component_sha256("discriminator")


def test_weights_hash_depends_on_weights_alone(small):
    before = open_pack("small", small.parent).weights_hash
    edit_json(small, "title", value="Renamed")
    after = open_pack("small", small.parent)
    assert after.manifest.title == "Renamed"
    assert after.weights_hash == before
    assert len(before) == 16


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["other", "../packs/small", "", "."])
def test_unknown_packs_are_named_with_those_there_are(small, name):
    with pytest.raises(PackNotFoundError, match=r"There is no pack .* Packs there: small\."):
        open_pack(name, small.parent)


def test_no_packs_at_all(tmp_path):
    with pytest.raises(PackNotFoundError, match="Packs there: none"):
        open_pack("faces", tmp_path)


def test_missing_components_name_the_command_that_makes_them(small):
    with pytest.raises(
        PackFileMissingError, match=r"lists no encoder; make it with: python -m engines train encoder --pack small"
    ):
        _ = open_pack("small", small.parent).encoder


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_damaged_files_are_refused(small, damage):
    path = small / read_manifest(small).components["generator"].file
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-5] ^= 1
    path.write_bytes({"flip": data, "truncate": data[:-10], "empty": b""}[damage])
    pack = open_pack("small", small.parent)
    for _ in range(2):  # a failure is not remembered, nor taken for success
        with pytest.raises(PackHashError, match=r"generator-.* is damaged: \d+ bytes with sha256 .*Install the pack again"):
            _ = pack.generator


def test_a_repaired_file_loads_without_opening_anew(small):
    path = small / read_manifest(small).components["generator"].file
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    pack = open_pack("small", small.parent)
    with pytest.raises(PackHashError):
        _ = pack.generator
    path.write_bytes(data)
    assert pack.generator(normal(1, 4)).shape == (1, 3, 8, 8)


def test_foreign_bytes_with_the_right_hash_are_refused(small):
    path = small / read_manifest(small).components["generator"].file
    path.write_bytes(b"not weights")
    edit_json(small, "components", "generator", "sha256", value=hashlib.sha256(b"not weights").hexdigest())
    edit_json(small, "components", "generator", "bytes", value=11)
    with pytest.raises(PackShapeError, match="is not a safetensors file"):
        _ = open_pack("small", small.parent).generator


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.pop("mapping.w_avg"), r"mapping.w_avg is missing, wanted shape \[3\]"),
        (lambda t: t.update(extra=torch.zeros(2)), r"extra of shape \[2\] is not part of this network"),
        (
            lambda t: t.update({"synthesis.b4.const": torch.zeros(3, 5, 4)}),
            r"synthesis.b4.const has shape \[3, 5, 4\], wanted \[3, 4, 4\]",
        ),
    ],
)
def test_weights_of_another_network_are_named(small, change, message):
    _rewrite(small, "generator", change)
    with pytest.raises(PackShapeError, match=rf"generator-.*safetensors: {message}"):
        _ = open_pack("small", small.parent).generator


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.pop("w_plus_factors"), r"w_plus_factors is missing, wanted shape \[1, 12\]"),
        (lambda t: t.update(w_plus_factors=torch.zeros(5, 11)), r"w_plus_factors has shape \[5, 11\], wanted \[5, 12\]"),
        (lambda t: t.update(w_avg=torch.zeros(4)), r"w_avg has shape \[4\], wanted \[3\]"),
    ],
)
def test_statistics_of_another_pack_are_named(small, change, message):
    _rewrite(small, "statistics", change)
    with pytest.raises(PackShapeError, match=rf"statistics-.*safetensors: {message}"):
        _ = open_pack("small", small.parent).statistics


def test_configurations_that_cannot_be_built_are_named(small):
    edit_json(small, "components", "generator", "config", "depth", value=3)
    with pytest.raises(PackFieldError, match=r"manifest.json: components.generator.config cannot be built .*\['depth'\]"):
        _ = open_pack("small", small.parent).generator


def test_configurations_that_contradict_the_manifest_are_named(small):
    edit_json(small, "latent", "dim", value=5)
    with pytest.raises(PackShapeError, match=r"components.generator.config.w_dim is 3, but the pack's own is 5"):
        _ = open_pack("small", small.parent).generator


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_links_out_of_the_folder_are_refused(small, tmp_path):
    path = small / read_manifest(small).components["generator"].file
    outside = tmp_path / "outside.safetensors"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(PackFieldError, match="leads out of the pack's folder"):
        _ = open_pack("small", small.parent).generator


def test_default_folder_is_where_packs_are_installed(small, monkeypatch):
    monkeypatch.setenv("LWE_PACKS_DIR", str(small.parent))
    assert registry.open_pack("small").folder == small
