"""The records that a manifest is made of. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "AlignmentRecipe",
    "Attribute",
    "Component",
    "Latent",
    "ObjectClass",
    "ObjectStatistics",
    "Preprocessing",
    "Provenance",
]


@dataclass(frozen=True)
class Latent:
    """Shapes of the latent spaces: z [z_dim], w [dim], w_plus [layers, dim]."""

    z_dim: int
    layers: int
    dim: int
    spaces: tuple[str, ...]


@dataclass(frozen=True)
class Attribute:
    """One thing about a picture that can be edited."""

    id: str
    """CelebA spelling where CelebA has it: ``Eyeglasses``."""
    name: str
    """For people."""
    group: str
    """What it is about: expression, hair, accessories, person; digits; object, background."""
    prevalence: float
    """Share of the training pictures that have it, 0 to 1."""
    exclusive: tuple[str, ...]
    """Attributes that this one rules out or implies: they may change with it."""
    alpha_min: float
    alpha_max: float
    calibrated_alpha: float
    """The strength at which most pictures change their answer."""
    levels: tuple[str, ...] = ()
    """For an ordered attribute, the predictors' answers that are its levels, lowest first; its strength counts levels."""


@dataclass(frozen=True)
class ObjectClass:
    """One class of a class-conditional generator; its place in the manifest is its column in a label."""

    id: str
    name: str
    """For people."""


@dataclass(frozen=True)
class ObjectStatistics:
    """Where the generator paints its objects, as the pack's box detector sees its samples (Huh et al. 2020, section 3.3).

    Pairs are (across, down), in shares of the picture's side.
    """

    centre_mean: tuple[float, float]
    centre_deviation: tuple[float, float]
    size_mode: tuple[float, float]
    """The most frequent width and height."""
    size_mean: tuple[float, float]
    size_deviation: tuple[float, float]
    pictures: int
    """How many samples were looked at."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The usual object (x0, y0, x1, y1), as far as it lies inside the picture: of the modal size around the mean centre."""
        low, high = zip(
            *((max(0.0, c - s / 2), min(1.0, c + s / 2)) for c, s in zip(self.centre_mean, self.size_mode, strict=True)),
            strict=True,
        )
        return (*low, *high)


@dataclass(frozen=True)
class Preprocessing:
    """What the networks expect of a picture."""

    colour: str
    range: tuple[float, float]


@dataclass(frozen=True)
class AlignmentRecipe:
    """How a picture is cropped: ``five-points`` brings a face's points onto `points`, ``none`` takes the whole picture."""

    kind: str
    points: tuple[tuple[float, float], ...] = ()
    """(x, y) of both eyes, nose and both mouth corners, in pixels of a crop of `reference_px`."""
    reference_px: int = 0
    detector: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where a component's weights come from."""

    command: str
    seed: int
    images_seen: int
    data: str
    data_licence: str
    weights_licence: str
    initialised_from: str = ""
    """What the training started from; empty for random weights."""
    metrics: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Figures of the training itself, on held-out data."""


@dataclass(frozen=True)
class Component:
    """One file of weights."""

    file: str
    """Path inside the pack's folder, with forward slashes."""
    sha256: str
    bytes: int
    dtype: str
    """How matrices are stored: float16 or float32, always used as float32; uint8 where it holds pictures."""
    config: Mapping[str, Any] = field(hash=False)
    """What the network's ``from_config`` takes."""
    provenance: Provenance
