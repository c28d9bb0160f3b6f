"""An open pack: its networks are read when first needed, checked, and shared through a bounded cache."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_safetensors
from torch import Tensor, nn

from engines.core.cache import BoundedCache
from engines.core.errors import LweError, OptionError, PackFieldError, PackFileMissingError, PackHashError, PackShapeError
from engines.editing.families import FAMILIES, offered_families
from engines.packs.components import COMPONENTS
from engines.packs.manifest import MANIFEST_NAME, Component, Manifest

if TYPE_CHECKING:
    from engines.editing.edit_maps import EditMaps
    from engines.editing.family import EditFamily
    from engines.editing.mlp_maps import MlpMaps
    from engines.editing.steering import Steering
    from engines.encoders.w_plus import WPlusEncoder
    from engines.generators.stylegan2 import Discriminator, Generator
    from engines.predictors.attributes import AttributePredictor
    from engines.predictors.boxes import BoxDetector
    from engines.predictors.classes import ClassPredictor
    from engines.predictors.identity import IdentityNetwork
    from engines.predictors.latent_classifier import LatentClassifier
    from engines.predictors.perceptual import PerceptualNetwork
    from engines.predictors.regions import RegionNetwork

__all__ = ["Pack", "WeightsCache", "build_module", "check_tensors", "expected_table"]

_APART = ("training_sample", "region_network")
"""Pictures, and a network on which nothing depends but how edits go back into photos: reports of that name its hash."""

WeightsCache = BoundedCache[Any]
"""Modules and tensor tables by (file, sha256, device), in bytes."""


class Pack:
    """A generator and everything that belongs to it.

    Networks are in evaluation mode, float32, without gradients, and shared by everyone who has the pack open: whoever
    wants to change weights copies the module first. Reading one raises a PackError naming the file and what to do when
    it is missing, damaged or does not fit its configuration. Safe to use from several threads.
    """

    def __init__(self, folder: Path, manifest: Manifest, cache: WeightsCache, *, device: torch.device) -> None:
        self.folder = folder
        self.manifest = manifest
        self.device = device
        self.user: str | None = None
        """Key of the user whose own edits belong to it beside the owner's; see :mod:`engines.packs.user_edits`."""
        self._cache = cache

    def for_user(self, user: str | None) -> Pack:
        """The same pack with the edits of another user; networks stay shared."""
        mine = copy.copy(self)
        mine.user = user
        return mine

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def object_box(self) -> tuple[float, float, float, float] | None:
        """Where the generator paints its objects (x0, y0, x1, y1), in shares of a side; None where it is not known."""
        return self.manifest.object_box

    def has(self, kind: str) -> bool:
        """Whether the pack has a component of that kind."""
        return kind in self.manifest.components

    def component_sha256(self, kind: str) -> str:
        """Hash of the component's file, as the manifest gives it."""
        return self._component(kind).sha256

    @cached_property
    def weights_hash(self) -> str:
        """16 hex digits that change whenever any component's weights do, but those of :data:`_APART`."""
        weights = {kind: component for kind, component in self.manifest.components.items() if kind not in _APART}
        lines = [f"{kind}:{component.sha256}" for kind, component in sorted(weights.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    @property
    def generator(self) -> Generator:
        return self._get("generator")

    @property
    def discriminator(self) -> Discriminator:
        return self._get("discriminator")

    @property
    def statistics(self) -> Mapping[str, Tensor]:
        """``w_avg`` [D], ``w_plus_mean`` [L, D], ``w_plus_factors`` F [r, L * D]: the covariance of codes is about F^T F.

        Of a class-conditional generator also ``w_class_avg`` [C, D], the mean w of every class.
        """
        return self._get("statistics")

    @property
    def training_sample(self) -> Tensor | None:
        """Some of the pictures that the generator was trained on, uint8 [N, 3, R, R]; None where the pack ships none."""
        return self._get("training_sample")["images"] if self.has("training_sample") else None

    @property
    def encoder(self) -> WPlusEncoder:
        return self._get("encoder")

    @property
    def latent_classifier(self) -> LatentClassifier:
        return self._get("latent_classifier")

    @property
    def attribute_predictor(self) -> AttributePredictor:
        return self._get("attribute_predictor")

    @property
    def class_predictor(self) -> ClassPredictor:
        return self._get("class_predictor")

    @property
    def box_detector(self) -> BoxDetector:
        return self._get("box_detector")

    @property
    def region_network(self) -> RegionNetwork:
        return self._get("region_network")

    @property
    def identity(self) -> IdentityNetwork:
        return self._get("identity")

    @property
    def perceptual(self) -> PerceptualNetwork:
        return self._get("perceptual")

    @property
    def steering(self) -> Steering:
        return self._get("steering")

    @property
    def edit_maps(self) -> EditMaps | MlpMaps:
        return self._get("edit_maps")

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the edit families that the pack has, LW first."""
        return offered_families(self.manifest.components)

    def family(self, name: str) -> EditFamily:
        """The edit family of that name. Raises OptionError as :meth:`check_family` does."""
        self.check_family(name)
        return self._get(FAMILIES[name].kind)

    def check_family(self, name: str) -> None:
        """Raises OptionError for a family that does not exist or that the pack has not; reads no weights."""
        if name not in FAMILIES:
            raise OptionError(f"there is no edit family {name!r}; this pack has {', '.join(self.families)}.")
        if name not in self.families:
            command = f"python -m engines train {COMPONENTS[FAMILIES[name].kind].made_by} --pack {self.id}"
            raise OptionError(
                f"pack {self.id} has no family {name}, it has {', '.join(self.families)}; make it with: {command}"
            )

    def _component(self, kind: str) -> Component:
        if kind not in self.manifest.components:
            command = f"python -m engines train {COMPONENTS[kind].made_by} --pack {self.id}"
            raise PackFileMissingError(f"{self.folder / MANIFEST_NAME} lists no {kind}; make it with: {command}")
        return self.manifest.components[kind]

    def _get(self, kind: str) -> Any:
        component = self._component(kind)
        path = self.folder / component.file
        key = (str(path), component.sha256, str(self.device))

        def load() -> tuple[Any, int]:
            # What is read in a caller's inference mode is kept for callers with gradients too.
            with torch.inference_mode(False):
                return self._load(kind, component, path)

        return self._cache.get(key, load)

    def _load(self, kind: str, component: Component, path: Path) -> tuple[Any, int]:
        tensors = _as_float32(_read_verified(self.folder, component, path))
        _check_sizes(kind, component, self.manifest, self.folder / MANIFEST_NAME)
        if COMPONENTS[kind].build is None:
            check_tensors(tensors, expected_table(kind, self.manifest, tensors), path)
            table = {name: tensor.to(self.device) for name, tensor in tensors.items()}
            return table, _bytes(table.values())
        module = build_module(kind, component.config, self.folder / MANIFEST_NAME)
        check_tensors(tensors, {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}, path)
        module.load_state_dict(tensors)
        module.to(self.device).eval().requires_grad_(False)
        return module, _bytes(module.state_dict().values())


def build_module(kind: str, config: Mapping[str, Any], named: Path) -> nn.Module:
    """The untrained network of a component kind. Raises PackFieldError, naming the file `named`, for a bad configuration."""
    build = COMPONENTS[kind].build
    try:
        # First weights are drawn from torch's own generator and thrown away: opening a pack must not move its state.
        with torch.random.fork_rng(devices=[]):
            return build(config)
    except (LweError, KeyError, TypeError, ValueError) as error:
        raise PackFieldError(f"{named}: components.{kind}.config cannot be built ({type(error).__name__}: {error}).") from None


def check_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Raises PackShapeError, naming `path` and the key, unless names and shapes are the expected ones."""
    advice = "The file belongs to another configuration: install the pack again."
    for name in sorted(set(expected) | set(tensors)):
        if name not in tensors:
            raise PackShapeError(f"{path}: {name} is missing, wanted shape {list(expected[name])}. {advice}")
        got = tuple(tensors[name].shape)
        if name not in expected:
            raise PackShapeError(f"{path}: {name} of shape {list(got)} is not part of this network. {advice}")
        if got != tuple(expected[name]):
            raise PackShapeError(f"{path}: {name} has shape {list(got)}, wanted {list(expected[name])}. {advice}")


def expected_table(kind: str, manifest: Manifest, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a component that is a set of tensors, whose number of rows is the file's own."""
    return _TABLES[kind](manifest, tensors)


def _statistics(manifest: Manifest, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    layers, dim = manifest.latent.layers, manifest.latent.dim
    rank = _rows(tensors.get("w_plus_factors"))
    of_classes = {"w_class_avg": (len(manifest.classes), dim)} if manifest.classes else {}
    return {"w_avg": (dim,), "w_plus_mean": (layers, dim), "w_plus_factors": (rank, layers * dim), **of_classes}


def _training_sample(manifest: Manifest, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {"images": (_rows(tensors.get("images")), 3, manifest.resolution, manifest.resolution)}


_TABLES = {"statistics": _statistics, "training_sample": _training_sample}


def _rows(tensor: Tensor | None) -> int:
    return tensor.shape[0] if tensor is not None and tensor.dim() else 1


def _read_verified(folder: Path, component: Component, path: Path) -> dict[str, Tensor]:
    """The tensors of a file whose size and hash are the manifest's; the bytes that were checked are the bytes that are used."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PackFieldError(
            f"{folder / MANIFEST_NAME}: {component.file} leads out of the pack's folder. Install the pack again."
        )
    try:
        data = path.read_bytes()
    except OSError:
        raise PackFileMissingError(f"{path} is missing or cannot be read. Install the pack again.") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != component.sha256 or len(data) != component.bytes:
        raise PackHashError(
            f"{path} is damaged: {len(data)} bytes with sha256 {digest[:12]}…, "
            f"wanted {component.bytes} bytes with {component.sha256[:12]}…. Install the pack again."
        )
    try:
        return read_safetensors(data)
    except SafetensorError as error:
        raise PackShapeError(f"{path} is not a safetensors file ({error}). Install the pack again.") from None


def _check_sizes(kind: str, component: Component, manifest: Manifest, named: Path) -> None:
    """A network's configuration must agree with the manifest wherever both speak of the same size."""
    latent = manifest.latent
    wanted = {
        "resolution": manifest.resolution,
        "z_dim": latent.z_dim,
        "w_dim": latent.dim,
        "layers": latent.layers,
        "dim": latent.dim,
        "class_count": len(manifest.classes),
        "classes": [row.id for row in manifest.classes],
    }
    for name, size in wanted.items():
        if name in component.config and component.config[name] != size:
            raise PackShapeError(
                f"{named}: components.{kind}.config.{name} is {component.config[name]!r}, "
                f"but the pack's own is {size}. Install the pack again."
            )


def _as_float32(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
