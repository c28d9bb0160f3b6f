"""What a bundled pack is before any weights: what it shows, the data it learns from, and the sizes of its networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engines.data.dataset import DataSet
from engines.data.registry import data_set
from engines.encoders.w_plus import EncoderConfig
from engines.generators.stylegan2 import StyleGAN2Config
from engines.training.weight_maps import even_weight_map

__all__ = ["PackDefinition", "ordered_slider", "slider"]


@dataclass(frozen=True)
class PackDefinition:
    """One pack that this project trains."""

    id: str
    title: str
    description: str
    data: str
    """Name of the rendered set that its networks learn from."""
    attributes: tuple[dict[str, Any], ...]
    """Its sliders, in a manifest's form; see :func:`slider` and :func:`ordered_slider`."""
    alignment: dict[str, Any]
    licences: dict[str, str]
    generator: StyleGAN2Config
    discriminator: StyleGAN2Config
    """May be wider than the generator: it is not used live."""
    encoder: EncoderConfig
    predictor_channels: tuple[int, ...]
    perceptual_channels: tuple[int, ...]
    predictor_hidden: int = 256
    networks: tuple[str, ...] = ("attributes", "perceptual")
    """Which predictors it has; `identity` needs a set whose split ``reshoots`` shows the same persons again, `classes` and
    `boxes` one whose pictures have a class and a box."""
    astray: str | None = None
    """Name of the rendered set that shows the same objects anywhere and of any size: class predictor and box detector learn
    from it too, the generator never sees it."""
    class_names: tuple[str, ...] = ()
    """For people: names of the data set's classes, in their order."""
    object_box: tuple[float, float, float, float] | None = None
    weight_map: Callable[[int], Tensor] = even_weight_map
    """Size in px -> where a reconstruction matters, [1, 1, S, S] of mean 1."""

    @property
    def data_set(self) -> DataSet:
        return data_set(self.data)

    def manifest(self) -> dict[str, Any]:
        """The fields that :func:`engines.packs.write.create_manifest` takes."""
        config = self.generator
        latent = {"z_dim": config.z_dim, "layers": config.num_ws, "dim": config.w_dim, "spaces": ["z", "w", "w+"]}
        return {
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "resolution": config.resolution,
            "latent": latent,
            "attributes": [dict(attribute) for attribute in self.attributes],
            "preprocessing": {"colour": "RGB", "range": [-1, 1]},
            "alignment": self.alignment,
            "object_box": None if self.object_box is None else list(self.object_box),
            "licences": self.licences,
            "classes": [{"id": id_, "name": name} for id_, name in zip(self.data_set.classes, self.class_names, strict=True)],
        }


def ordered_slider(id_: str, name: str, group: str, levels: Sequence[str]) -> dict[str, Any]:
    """An ordered attribute, whose strength counts `levels`: labels of the data set, of which exactly one holds."""
    most = float(len(levels) - 1)
    return slider(id_, name, group) | {"alpha_min": -most, "alpha_max": most, "levels": list(levels)}


def slider(id_: str, name: str, group: str, exclusive: Sequence[str] = ()) -> dict[str, Any]:
    """An attribute of a manifest before anything is measured; `exclusive` are those that it rules out or implies."""
    known = {"id": id_, "name": name, "group": group, "exclusive": list(exclusive)}
    return known | {"prevalence": 0.0, "alpha_min": -2.0, "alpha_max": 2.0, "calibrated_alpha": 1.0}
