"""A complete pack of 32 px and a few channels, with random weights, for tests that need all parts but no quality.

Only its edit maps are fitted: adding an attribute raises the (random) predictor's answer to it, removing lowers it. With
classes its generator and discriminator are class-conditional, and it has a class predictor, a box detector and directions
for shift and zoom, all of them random; and its pictures are taken whole, without looking for faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.core.rng import torch_generator
from engines.editing.edit_maps import EditMaps
from engines.editing.steering import Steering
from engines.encoders.w_plus import EncoderConfig, WPlusEncoder
from engines.generators.labels import random_labels
from engines.generators.stylegan2 import Discriminator, Generator, StyleGAN2Config
from engines.packs.write import create_manifest, write_component
from engines.predictors.attributes import AttributePredictor
from engines.predictors.boxes import BoxDetector
from engines.predictors.classes import ClassPredictor
from engines.predictors.identity import IdentityNetwork
from engines.predictors.latent_classifier import LatentClassifier
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.statistics import class_statistics, latent_statistics

__all__ = ["TINY_ATTRIBUTES", "TINY_CLASSES", "TINY_ID", "TINY_RESOLUTION", "build_tiny_pack"]

TINY_ID = "tiny"
TINY_RESOLUTION = 32
TINY_ATTRIBUTES = ("Eyeglasses", "Smiling", "Male", "Beard")
TINY_CLASSES = ("ball", "box", "bell")
_DIM, _LAYERS = 16, 8
_SIZES = StyleGAN2Config(TINY_RESOLUTION, _DIM, _DIM, 2, {4: 16, 8: 16, 16: 12, 32: 8}, label_layers=2)
_TRUNK = (8, 12, 16)
_LOGIT_CHANGE = 2.0
_FACES = {
    "kind": "five-points",
    "points": [[49.6, 66.2], [78.3, 66.4], [62.6, 84.8], [51.1, 98.9], [75.7, 98.9]],
    "reference_px": 128,
    "detector": "mtcnn",
}


def build_tiny_pack(folder: Path, classes: Sequence[str] = ()) -> Path:
    """Writes the pack into `folder`, whose name becomes its id; the same bytes every time. Returns the folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = _parts(classes)
    create_manifest(
        folder,
        **_manifest(folder.name, objects=bool(classes)),
        classes=[{"id": name, "name": name.capitalize()} for name in classes],
    )
    provenance = _provenance()
    for kind, part in parts.items():
        config = part.config_json() if isinstance(part, nn.Module) else {}
        write_component(folder, kind, part, config, provenance, half=False)
    return folder


def _parts(classes: Sequence[str]) -> dict[str, nn.Module | dict[str, Tensor]]:
    sizes = replace(_SIZES, class_count=len(classes))
    generator = Generator(sizes, seed=1).eval()
    encoder = WPlusEncoder(EncoderConfig(TINY_RESOLUTION, _LAYERS, _DIM, {4: 16, 8: 12, 16: 8, 32: 8}, hidden=32))
    # The update of an iteration starts at zero; a little of it makes the passes differ.
    nn.init.normal_(encoder.update_head.weight, std=0.05)
    predictor = AttributePredictor(TINY_ATTRIBUTES, _TRUNK, 16)
    with torch.no_grad():
        # Weaker styles: random weights as they come answer to codes so crookedly that no affine edit could have one sign.
        for name, parameter in generator.synthesis.named_parameters():
            if name.endswith("affine.weight"):
                parameter.mul_(0.3)
        draw = torch_generator(2)
        z = torch.randn(256, _DIM, generator=draw)
        w = generator.mapping(z, random_labels(256, len(classes), draw))
        generator.mapping.w_avg.copy_(w.mean(0))
        codes = generator.broadcast(w) + 0.1 * torch.randn(256, _LAYERS, _DIM, generator=torch_generator(3))
    _name_what_differs(predictor.eval(), generator.synthesis(codes))
    return {
        "generator": generator,
        "discriminator": Discriminator(sizes),
        "statistics": {**latent_statistics(generator.mapping.w_avg, codes, rank=32), **class_statistics(generator)},
        "encoder": encoder,
        "latent_classifier": LatentClassifier(TINY_ATTRIBUTES, _LAYERS, _DIM, (32, 16)),
        "attribute_predictor": predictor,
        "identity": IdentityNetwork(_TRUNK, 16),
        "perceptual": PerceptualNetwork(_TRUNK),
        "edit_maps": _edit_maps(generator, predictor, codes),
        **_object_parts(classes),
    }


def _object_parts(classes: Sequence[str]) -> dict[str, nn.Module]:
    if not classes:
        return {}
    steering = Steering(_LAYERS, _DIM, shift_most=0.2, zoom_most=1.5)
    steering.directions.copy_(torch.randn(steering.directions.shape, generator=torch_generator(6)))
    predictor, detector = ClassPredictor(classes, _TRUNK, 16), BoxDetector(_TRUNK, 16)
    return {"class_predictor": predictor, "box_detector": detector, "steering": steering}


@torch.no_grad()
def _name_what_differs(predictor: AttributePredictor, images: Tensor) -> None:
    """Makes attribute k the k-th principal component of the predictor's features over `images`, with a logit of deviation 2."""
    features = predictor.features(images)
    centred = features - features.mean(0)
    components = torch.linalg.svd(centred, full_matrices=False)[2][: len(TINY_ATTRIBUTES)]
    weight = components * (2 / (centred @ components.T).std(0))[:, None]
    predictor.output.weight.copy_(weight)
    predictor.output.bias.copy_(-weight @ features.mean(0))


@torch.no_grad()
def _edit_maps(generator: Generator, predictor: AttributePredictor, codes: Tensor) -> EditMaps:
    """Shifts along the gradients of a linear fit, logit_k ~ g_k . w; strength 1 moves the fit by _LOGIT_CHANGE."""
    maps = EditMaps(TINY_ATTRIBUTES, _LAYERS, _DIM, rank=4)
    w = codes.mean(1)
    w = torch.cat([w - w.mean(0), torch.ones(len(w), 1)], 1)
    gradients = torch.linalg.lstsq(w, predictor(generator.synthesis(codes))).solution[:-1].T  # [K, D]
    shifts = gradients * (_LOGIT_CHANGE / gradients.square().sum(1, keepdim=True))
    maps.bias.copy_((shifts[:, None] * torch.tensor([1.0, -1.0])[:, None])[:, :, None].expand_as(maps.bias))
    maps.mean.copy_(codes.mean(0))
    # A part that depends on the code, so that maps are affine and not mere shifts.
    maps.left.copy_(0.02 * torch.randn(maps.left.shape, generator=torch_generator(4)))
    maps.right.copy_(0.02 * torch.randn(maps.right.shape, generator=torch_generator(5)))
    return maps


def _manifest(pack_id: str, *, objects: bool) -> dict[str, Any]:
    groups = {"Eyeglasses": "accessories", "Smiling": "expression", "Male": "person", "Beard": "hair"}
    return {
        "id": pack_id,
        "title": "Tiny test pack",
        "description": "Random weights, for tests.",
        "resolution": TINY_RESOLUTION,
        "latent": {"z_dim": _DIM, "layers": _LAYERS, "dim": _DIM, "spaces": ["z", "w", "w+"]},
        "attributes": [
            {"id": name, "name": name, "group": groups[name], "prevalence": 0.3, "exclusive": []}
            | {"alpha_min": -2.0, "alpha_max": 2.0, "calibrated_alpha": 1.0}
            for name in TINY_ATTRIBUTES
        ],
        "preprocessing": {"colour": "RGB", "range": [-1, 1]},
        "alignment": {"kind": "none"} if objects else _FACES,
        "licences": {"data": "none", "weights": "Apache-2.0"},
    }


def _provenance() -> dict[str, Any]:
    return {
        "command": "tests/tiny_pack.py",
        "seed": 0,
        "images_seen": 0,
        "data": "none",
        "data_licence": "none",
        "weights_licence": "Apache-2.0",
        "metrics": {"held_out_mse_median": 0.01},
    }
