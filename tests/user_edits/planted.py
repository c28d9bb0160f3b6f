"""Codes and pictures whose attribute is a known linear rule of the code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engines.core.rng import torch_generator
from engines.imaging.convert import to_uint8
from engines.packs.load import Pack

__all__ = ["code_score", "planted_codes", "planted_pictures", "sample_codes", "write_folder"]


def sample_codes(pack: Pack, n: int, seed: int) -> Tensor:
    """W+ codes [n, L, D] of samples, not all layers alike."""
    latent = pack.manifest.latent
    w = pack.generator.mapping(torch.randn(n, latent.z_dim, generator=torch_generator(seed)))
    return pack.generator.broadcast(w) + 0.1 * torch.randn(n, latent.layers, latent.dim, generator=torch_generator(seed, 1))


def code_score(pack: Pack, codes: Tensor) -> np.ndarray:
    """The rule: the place along the second principal axis of the pack's codes, in deviations; above 0 it is there."""
    axis = pack.statistics["w_plus_factors"][1]
    return ((codes - pack.statistics["w_plus_mean"]).flatten(1) @ axis / axis.square().sum()).numpy()


def planted_codes(pack: Pack, n: int, seed: int = 1) -> tuple[Tensor, np.ndarray]:
    codes = sample_codes(pack, n, seed)
    return codes, code_score(pack, codes) > 0


def planted_pictures(pack: Pack, n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 [n, R, R, 3] of samples, and whether the code that the encoder gives of them has the attribute: its place
    along the first principal axis of all their codes is above the median."""
    with torch.inference_mode():
        pictures = to_uint8(pack.generator.synthesis(sample_codes(pack, n, seed), noise_mode="const"))
        codes = pack.encoder(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1).flatten(1)
    place = (codes - codes.mean(0)) @ torch.linalg.svd(codes - codes.mean(0), full_matrices=False)[2][0]
    return pictures, (place > place.median()).numpy()


def write_folder(folder: Path, pictures: np.ndarray, has: np.ndarray, name: str = "Hat") -> Path:
    """``images/`` and ``labels.csv`` as ``data`` writes them; returns the table's path."""
    (folder / "images").mkdir(parents=True)
    lines = [f"file,{name}"]
    for index, (picture, label) in enumerate(zip(pictures, has, strict=True)):
        Image.fromarray(picture).save(folder / "images" / f"{index:06d}.png")
        lines.append(f"{index:06d}.png,{int(label)}")
    table = folder / "labels.csv"
    table.write_text("\n".join(lines) + "\n")
    return table
