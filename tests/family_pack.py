"""The tiny pack with two more edit families of two attributes: SeFa, which moves codes, and StyleSpace, which moves styles."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import torch

from engines.core.rng import torch_generator
from engines.editing.shared_maps import SharedMaps
from engines.editing.style_channels import StyleChannels
from engines.generators.stylegan2.styles import style_layers
from engines.packs.registry import open_pack
from engines.packs.write import write_component

__all__ = ["FAMILY_ATTRIBUTES", "pack_with_families"]

FAMILY_ATTRIBUTES = ("Smiling", "Male")


def pack_with_families(tiny: Path, folder: Path) -> Path:
    """Copies the pack in `tiny` to `folder`, of the same name, and adds random families; returns `folder`."""
    shutil.copytree(tiny, folder)
    pack, draw = open_pack(folder.name, folder.parent), torch_generator(1)
    source = asdict(pack.manifest.components["edit_maps"].provenance)
    maps = SharedMaps(FAMILY_ATTRIBUTES, pack.edit_maps.layers, pack.edit_maps.dim)
    maps.bias.data.copy_(0.5 * torch.randn(maps.bias.shape, generator=draw))
    write_component(folder, "edits_sefa", maps, maps.config_json(), source, half=False)
    layers = style_layers(pack.generator.synthesis)
    channels = StyleChannels(FAMILY_ATTRIBUTES, [(layer.bias_name, layer.row, layer.width) for layer in layers])
    channels.shift[:, :40] = torch.randn(2, 40, generator=draw)
    write_component(folder, "edits_stylespace", channels, channels.config_json(), source, half=False)
    return folder
