"""The pack ``faces``."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from engines.data.faces.attributes import ATTRIBUTES
from engines.encoders.w_plus import EncoderConfig
from engines.generators.stylegan2 import StyleGAN2Config
from engines.training.pack_definitions.definition import PackDefinition, slider
from engines.training.weight_maps import face_weight_map

__all__ = ["FACES"]

_HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Red_Hair", "Gray_Hair")

_ATTRIBUTES = (
    slider("Smiling", "Smiling", "expression"),
    slider("Mouth_Open", "Mouth open", "expression"),
    slider("Eyes_Closed", "Eyes closed", "expression"),
    slider("Lipstick", "Lipstick", "accessories"),
    slider("Eyeglasses", "Eyeglasses", "accessories", ("Sunglasses",)),
    slider("Sunglasses", "Sunglasses", "accessories", ("Eyeglasses", "Eyes_Closed")),
    slider("Beard", "Beard", "hair"),
    slider("Mustache", "Mustache", "hair"),
    slider("Bald", "Bald", "hair", (*_HAIR_COLOURS, "Long_Hair", "Wavy_Hair", "Bangs", "Receding_Hairline")),
    slider("Long_Hair", "Long hair", "hair", ("Bald",)),
    slider("Wavy_Hair", "Wavy hair", "hair", ("Bald",)),
    slider("Bangs", "Bangs", "hair", ("Bald", "Receding_Hairline")),
    slider("Receding_Hairline", "Receding hairline", "hair", ("Bald", "Bangs")),
    *(
        slider(colour, colour.replace("_Hair", " hair"), "hair", ("Bald", *(c for c in _HAIR_COLOURS if c != colour)))
        for colour in _HAIR_COLOURS
    ),
    slider("Male", "Male", "person"),
    slider("Young", "Young", "person"),
    slider("Chubby", "Chubby", "person"),
    slider("Big_Nose", "Big nose", "person"),
    slider("Pale_Skin", "Pale skin", "person", ("Dark_Skin",)),
    slider("Dark_Skin", "Dark skin", "person", ("Pale_Skin",)),
)

# Mean MTCNN points of held-out renders: left eye, right eye, nose, mouth corners (as the viewer sees them).
_POINTS = [[49.2, 66.4], [79.2, 66.4], [64.3, 85.8], [51.2, 99.2], [77.0, 99.2]]
_REFERENCE_PX = 128


def _weight_map(size_px: int) -> Tensor:
    return face_weight_map(np.array(_POINTS) * size_px / _REFERENCE_PX, size_px)


FACES = PackDefinition(
    id="faces",
    title="Faces",
    description=(
        "Portraits of 3D people rendered from the CC0 MakeHuman mesh, with exact attribute labels; "
        "aligned like FFHQ, so that photographs fit."
    ),
    data="faces",
    attributes=_ATTRIBUTES,
    alignment={"kind": "five-points", "points": _POINTS, "reference_px": _REFERENCE_PX, "detector": "mtcnn"},
    # Mean centre and size of MTCNN's boxes on held-out renders.
    object_box=(0.246, 0.245, 0.757, 0.928),
    licences={
        "data": "Rendered by this project from MakeHuman/MPFB2 meshes and Face Units targets, CC0 1.0",
        "weights": "Apache-2.0, trained by this project",
    },
    # Channels double as the resolution halves, so that every level costs about the same.
    generator=StyleGAN2Config(
        resolution=128,
        z_dim=192,
        w_dim=192,
        mapping_layers=4,
        channels={4: 192, 8: 192, 16: 112, 32: 64, 64: 32, 128: 16},
        mapping_width=512,
        linear_w=True,
        gates=ATTRIBUTES,
    ),
    discriminator=StyleGAN2Config(
        resolution=128,
        z_dim=192,
        w_dim=192,
        mapping_layers=4,
        channels={4: 192, 8: 192, 16: 128, 32: 80, 64: 48, 128: 24},
    ),
    encoder=EncoderConfig(resolution=128, layers=12, dim=192, channels={4: 224, 8: 160, 16: 96, 32: 56, 64: 32, 128: 16}),
    predictor_channels=(32, 64, 128, 192, 256),
    perceptual_channels=(32, 64, 128, 192, 192),
    networks=("attributes", "perceptual", "identity"),
    weight_map=_weight_map,
)
