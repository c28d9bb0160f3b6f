"""What a StyleGAN2 generator and its discriminator are built from: one frozen, JSON-able record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["StyleGAN2Config"]

LOWEST_RESOLUTION_PX = 4


@dataclass(frozen=True)
class StyleGAN2Config:
    """The sizes of a generator or discriminator. Raises ValueError, naming the field, for values that cannot be built."""

    resolution: int
    """Height and width of the image in pixels: a power of two, at least 8."""
    z_dim: int
    """Width of the latent z."""
    w_dim: int
    """Width of the mapped latent w."""
    mapping_layers: int
    """Fully connected layers between z and w."""
    channels: Mapping[int, int] = field(hash=False)
    """Feature channels at every resolution, ``{4: .., 8: .., ..., resolution: ..}``."""
    class_count: int = 0
    """Width of the class vector; 0 builds an unconditional network."""
    conv_clamp: float | None = None
    """Convolution outputs are clamped to +-conv_clamp (checkpoints trained in float16 need it), or None."""
    label_layers: int = 8
    """Depth of the discriminator's class mapping (published layout: 8); unused without classes."""
    linear_w: bool = False
    """Whether the mapping's last layer is left without activation. Published networks activate it; codes of an autoencoder lie
    on both sides of 0, where the kink of the activation is hard to learn."""
    mapping_width: int | None = None
    """Width of the mapping's hidden layers; None for `w_dim`, as in published networks."""
    gates: tuple[str, ...] = ()
    """Labels that the last coordinates of z decide, one each (:mod:`engines.generators.stylegan2.label_gates`); published
    networks have none, and neither have those with classes."""
    minibatch_group: int = 4
    """Largest group of the discriminator's minibatch standard deviation."""

    def __post_init__(self) -> None:
        for name in ("resolution", "z_dim", "w_dim", "mapping_layers", "label_layers", "minibatch_group"):
            _require_count(name, getattr(self, name), least=1)
        if self.mapping_width is not None:
            _require_count("mapping_width", self.mapping_width, least=1)
        _require_count("class_count", self.class_count, least=0)
        if not isinstance(self.gates, (list, tuple)) or not all(isinstance(name, str) for name in self.gates):
            raise ValueError(f"gates must be names of labels, got {self.gates!r}")
        object.__setattr__(self, "gates", tuple(self.gates))
        if len(self.gates) >= self.z_dim or (self.gates and self.class_count):
            raise ValueError(f"gates must be fewer than z_dim, and none with classes, got {len(self.gates)}")
        if self.resolution < 2 * LOWEST_RESOLUTION_PX or self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution must be a power of two from 8 up, got {self.resolution}")
        if self.conv_clamp is not None and not self.conv_clamp > 0:
            raise ValueError(f"conv_clamp must be positive or None, got {self.conv_clamp}")
        channels = {int(resolution): count for resolution, count in self.channels.items()}
        if sorted(channels) != list(self.resolutions):
            raise ValueError(f"channels must name the resolutions {list(self.resolutions)}, got {sorted(channels)}")
        for resolution, count in channels.items():
            _require_count(f"channels[{resolution}]", count, least=1)
        object.__setattr__(self, "channels", dict(sorted(channels.items())))

    @property
    def resolutions(self) -> tuple[int, ...]:
        """4, 8, ..., resolution."""
        return tuple(2**power for power in range(2, self.resolution.bit_length()))

    @property
    def num_ws(self) -> int:
        """Rows of w_plus: ``2 * log2(resolution) - 2``."""
        return 2 * len(self.resolutions)

    def to_json(self) -> dict[str, Any]:
        """A dict that :meth:`from_json` reads back; resolutions become strings, as JSON keys must be."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        values["gates"] = list(self.gates)
        values["channels"] = {str(resolution): count for resolution, count in self.channels.items()}
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> StyleGAN2Config:
        """Raises ValueError for unknown or missing fields and for values that cannot be built."""
        known = {entry.name for entry in fields(cls)}
        unknown = sorted(set(values) - known)
        missing = sorted({"resolution", "z_dim", "w_dim", "mapping_layers", "channels"} - set(values))
        if unknown or missing:
            raise ValueError(f"StyleGAN2 configuration: unknown fields {unknown}, missing fields {missing}")
        if not isinstance(values["channels"], Mapping):
            raise ValueError(f"channels must be an object of resolution: count, got {values['channels']!r}")
        return cls(**dict(values))


def _require_count(name: str, value: Any, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
