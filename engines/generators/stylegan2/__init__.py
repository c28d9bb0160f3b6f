"""StyleGAN2: skip generator and residual discriminator of the published architecture, written for CPUs."""

from engines.generators.stylegan2.config import StyleGAN2Config
from engines.generators.stylegan2.discriminator import Discriminator
from engines.generators.stylegan2.generator import Generator

__all__ = ["Discriminator", "Generator", "StyleGAN2Config"]
