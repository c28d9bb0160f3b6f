"""The table of component kinds: how each part of a pack is built from its configuration, and what makes it.

Builders import the networks when they are called: the table itself needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

__all__ = ["COMPONENTS", "REQUIRED_KINDS", "ComponentKind"]


@dataclass(frozen=True)
class ComponentKind:
    """One row: a part that a pack may have."""

    kind: str
    made_by: str
    """The training command that writes it: ``python -m engines train <made_by>``."""
    required: bool
    """Whether the editor cannot work without it."""
    build: Callable[[Mapping[str, Any]], nn.Module] | None
    """Makes the network from its configuration; None for a component that is a set of tensors."""


def _generator(config: Mapping[str, Any]) -> nn.Module:
    from engines.generators.stylegan2 import Generator

    return Generator.from_config(config)


def _discriminator(config: Mapping[str, Any]) -> nn.Module:
    from engines.generators.stylegan2 import Discriminator

    return Discriminator.from_config(config)


def _encoder(config: Mapping[str, Any]) -> nn.Module:
    from engines.encoders.w_plus import WPlusEncoder

    return WPlusEncoder.from_config(config)


def _latent_classifier(config: Mapping[str, Any]) -> nn.Module:
    from engines.predictors.latent_classifier import LatentClassifier

    return LatentClassifier.from_config(config)


def _attribute_predictor(config: Mapping[str, Any]) -> nn.Module:
    from engines.predictors.attributes import AttributePredictor

    return AttributePredictor.from_config(config)


def _class_predictor(config: Mapping[str, Any]) -> nn.Module:
    from engines.predictors.classes import ClassPredictor

    return ClassPredictor.from_config(config)


def _box_detector(config: Mapping[str, Any]) -> nn.Module:
    from engines.predictors.boxes import BoxDetector

    return BoxDetector.from_config(config)


def _region_network(config: Mapping[str, Any]) -> nn.Module:
    from engines.predictors.regions import RegionNetwork

    return RegionNetwork.from_config(config)


def _identity(config: Mapping[str, Any]) -> nn.Module:
    from engines.predictors.identity import IdentityNetwork

    return IdentityNetwork.from_config(config)


def _perceptual(config: Mapping[str, Any]) -> nn.Module:
    from engines.predictors.perceptual import PerceptualNetwork

    return PerceptualNetwork.from_config(config)


def _steering(config: Mapping[str, Any]) -> nn.Module:
    from engines.editing.steering import Steering

    return Steering.from_config(config)


def _edit_maps(config: Mapping[str, Any]) -> nn.Module:
    from engines.editing.edit_maps import EditMaps
    from engines.editing.mlp_maps import MlpMaps

    return (MlpMaps if "hidden" in config else EditMaps).from_config(dict(config))


def _shared_maps(config: Mapping[str, Any]) -> nn.Module:
    from engines.editing.shared_maps import SharedMaps

    return SharedMaps.from_config(config)


def _style_channels(config: Mapping[str, Any]) -> nn.Module:
    from engines.editing.style_channels import StyleChannels

    return StyleChannels.from_config(config)


_ROWS = (
    ComponentKind("generator", made_by="gan", required=True, build=_generator),
    ComponentKind("discriminator", made_by="gan", required=False, build=_discriminator),
    ComponentKind("statistics", made_by="gan", required=True, build=None),
    ComponentKind("training_sample", made_by="sample", required=False, build=None),
    ComponentKind("encoder", made_by="encoder", required=True, build=_encoder),
    ComponentKind("latent_classifier", made_by="classifier", required=False, build=_latent_classifier),
    ComponentKind("attribute_predictor", made_by="predictors", required=True, build=_attribute_predictor),
    ComponentKind("class_predictor", made_by="predictors", required=False, build=_class_predictor),
    ComponentKind("box_detector", made_by="predictors", required=False, build=_box_detector),
    ComponentKind("region_network", made_by="regions", required=False, build=_region_network),
    ComponentKind("identity", made_by="predictors", required=False, build=_identity),
    ComponentKind("perceptual", made_by="predictors", required=True, build=_perceptual),
    ComponentKind("steering", made_by="steering", required=False, build=_steering),
    ComponentKind("edit_maps", made_by="lw", required=True, build=_edit_maps),
    ComponentKind("edits_lw_star", made_by="lw --star", required=False, build=_edit_maps),
    ComponentKind("edits_lw_affine", made_by="lw --affine", required=False, build=_edit_maps),
    ComponentKind("edits_lt", made_by="lt", required=False, build=_shared_maps),
    ComponentKind("edits_lt_star", made_by="lt --star", required=False, build=_shared_maps),
    ComponentKind("edits_interfacegan", made_by="interfacegan", required=False, build=_shared_maps),
    ComponentKind("edits_ganspace", made_by="ganspace", required=False, build=_shared_maps),
    ComponentKind("edits_sefa", made_by="sefa", required=False, build=_shared_maps),
    ComponentKind("edits_stylespace", made_by="stylespace", required=False, build=_style_channels),
)

COMPONENTS: Mapping[str, ComponentKind] = {row.kind: row for row in _ROWS}
"""Kind -> row, in the order in which a pack is described."""

REQUIRED_KINDS = tuple(row.kind for row in _ROWS if row.required)
