"""The pack ``creatures``: ten classes of objects with shared attributes, for a class-conditional generator."""

from __future__ import annotations

from engines.data.creatures import CREDITS, STYLES
from engines.encoders.w_plus import EncoderConfig
from engines.generators.stylegan2 import StyleGAN2Config
from engines.training.pack_definitions.definition import PackDefinition, slider

__all__ = ["CREATURES"]

CREATURES = PackDefinition(
    id="creatures",
    title="Creatures",
    description="Little creatures of ten kinds on all sorts of backgrounds, with exact classes, attributes and boxes.",
    data="creatures",
    attributes=(
        slider("Warm_Color", "Warm colour", "object"),
        slider("Dark_Color", "Dark colour", "object"),
        slider("Large", "Large", "object"),
        slider("Warm_Background", "Warm background", "background"),
        slider("Dark_Background", "Dark background", "background"),
        slider("Textured_Background", "Textured background", "background"),
    ),
    alignment={"kind": "none"},
    licences={
        "data": "Drawn in DiceBear styles under CC0 1.0; coloured, placed and rendered by this project",
        "weights": "Apache-2.0, trained by this project",
    },
    generator=StyleGAN2Config(
        resolution=64,
        z_dim=128,
        w_dim=128,
        mapping_layers=4,
        channels={4: 160, 8: 160, 16: 112, 32: 64, 64: 32},
        class_count=len(STYLES),
        # Ten clouds of codes instead of one: what a mapping as wide as w blurs into each other.
        mapping_width=512,
        linear_w=True,
    ),
    discriminator=StyleGAN2Config(
        resolution=64,
        z_dim=128,
        w_dim=128,
        mapping_layers=4,
        channels={4: 160, 8: 160, 16: 128, 32: 80, 64: 48},
        class_count=len(STYLES),
        label_layers=2,
    ),
    encoder=EncoderConfig(resolution=64, layers=10, dim=128, channels={4: 192, 8: 160, 16: 96, 32: 64, 64: 32}),
    predictor_channels=(32, 64, 128, 192),
    perceptual_channels=(32, 64, 128, 192),
    networks=("attributes", "perceptual", "classes", "boxes"),
    astray="creatures-ood",
    class_names=tuple(CREDITS[style].title for style in STYLES),
)
