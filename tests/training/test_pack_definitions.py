"""Definitions: sizes agree with the data, sliders with its labels, and every manifest can be written and read."""

from __future__ import annotations

import json

import pytest
import torch

from engines.core.paths import repository_dir
from engines.encoders.w_plus import WPlusEncoder
from engines.generators.stylegan2 import Discriminator, Generator
from engines.packs.manifest import parse_manifest, read_manifest
from engines.training.pack_definitions import DEFINITIONS, definition, ensure_pack


@pytest.mark.parametrize("row", DEFINITIONS.values(), ids=lambda row: row.id)
def test_sizes_fit_the_data_and_each_other(row):
    data = row.data_set
    assert row.generator.resolution == row.discriminator.resolution == row.encoder.resolution == data.size_px
    assert (row.encoder.layers, row.encoder.dim) == (row.generator.num_ws, row.generator.w_dim)
    assert row.generator.z_dim >= row.generator.w_dim, "the mapping follows a flow of codes"
    labels = [label for slider in row.attributes for label in slider.get("levels") or (slider["id"],)]
    assert set(labels) <= set(data.attributes) and len(set(labels)) == len(labels)
    assert row.generator.class_count == row.discriminator.class_count == len(data.classes)
    assert ("identity" in row.networks) == ("reshoots" in data.splits)
    weights = row.weight_map(data.size_px)
    assert weights.shape == (1, 1, data.size_px, data.size_px) and weights.mean() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("row", DEFINITIONS.values(), ids=lambda row: row.id)
def test_a_manifest_is_written_and_read(row, tmp_path):
    folder = tmp_path / row.id
    ensure_pack(folder)
    manifest = read_manifest(folder)
    assert manifest.resolution == row.generator.resolution and manifest.latent.layers == row.generator.num_ws
    again = parse_manifest(json.dumps(manifest.to_json()), folder / "manifest.json")
    assert again == manifest


def test_an_encoder_and_a_generator_of_the_smallest_pack_meet():
    row = definition("multimnist")
    with torch.no_grad():
        codes = WPlusEncoder(row.encoder).eval()(torch.zeros(1, 3, 64, 64))
        picture = Generator(row.generator, seed=0).synthesis(codes)
        assert Discriminator(row.discriminator, seed=0)(picture).shape[0] == 1


def test_the_bundled_faces_still_have_their_sizes():
    """Weights that were trained before must keep loading into what is trained next."""
    components = read_manifest(repository_dir() / "assets" / "packs" / "faces").components
    row = definition("faces")
    for kind, config in (("generator", row.generator), ("discriminator", row.discriminator)):
        assert {**config.to_json(), **components[kind].config} == config.to_json()
    assert components["encoder"].config == row.encoder.to_json()
