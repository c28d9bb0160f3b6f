"""A pack of a generator, a discriminator and statistics at 8 px: the smallest that shows how packs behave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from engines.generators.stylegan2 import Discriminator, Generator, StyleGAN2Config
from engines.packs.manifest import Manifest
from engines.packs.write import create_manifest, write_component
from tests.generators.sizes import lively, normal

CONFIG = StyleGAN2Config(8, z_dim=4, w_dim=3, mapping_layers=1, channels={4: 3, 8: 2})

MANIFEST: dict[str, Any] = {
    "title": "Small",
    "description": "",
    "resolution": 8,
    "latent": {"z_dim": 4, "layers": 4, "dim": 3, "spaces": ["z", "w", "w+"]},
    "attributes": [
        {"id": "Smiling", "name": "Smiling", "group": "expression", "prevalence": 0.5, "exclusive": ["Beard"]}
        | {"alpha_min": -2.0, "alpha_max": 2, "calibrated_alpha": 1.0},
        {"id": "Beard", "name": "Beard", "group": "hair", "prevalence": 0, "exclusive": []}
        | {"alpha_min": -2.0, "alpha_max": 2.0, "calibrated_alpha": 1.0},
    ],
    "preprocessing": {"colour": "RGB", "range": [-1, 1]},
    "alignment": {"kind": "none"},
    "licences": {"weights": "Apache-2.0"},
}

PROVENANCE: dict[str, Any] = {
    "command": "python -m engines train gan",
    "seed": 0,
    "images_seen": 10,
    "data": "none",
    "data_licence": "none",
    "weights_licence": "Apache-2.0",
    "metrics": {"held_out_mse_median": 0.25},
}


def generator(seed: int = 1) -> Generator:
    return lively(Generator(CONFIG, seed=seed)).eval()


def statistics() -> dict[str, torch.Tensor]:
    return {"w_avg": normal(3), "w_plus_mean": normal(4, 3), "w_plus_factors": normal(5, 12)}


def write_small_pack(folder: Path, *, half: bool = False) -> Manifest:
    create_manifest(folder, id=folder.name, **MANIFEST)
    write_component(folder, "generator", generator(), CONFIG.to_json(), PROVENANCE, half)
    write_component(folder, "discriminator", Discriminator(CONFIG), CONFIG.to_json(), PROVENANCE, half)
    return write_component(folder, "statistics", statistics(), {}, PROVENANCE, half)


def edit_json(folder: Path, *path: str | int, value: Any = None, remove: bool = False) -> None:
    """Sets (or removes) one field of the manifest behind the library's back."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    at = manifest
    for step in path[:-1]:
        at = at[step]
    if remove:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    file.write_text(json.dumps(manifest))
