"""The public facts of packs, read from their manifests alone: listing packs loads no weights and no torch."""

from __future__ import annotations

from dataclasses import dataclass

from engines.editing.families import FAMILIES, offered_families
from engines.packs.manifest import Manifest, list_manifests
from engines.packs.records import Attribute
from engines.packs.user_edits import fitting_edits

__all__ = ["AttributeInfo", "ClassInfo", "FamilyInfo", "PackInfo", "SteeringInfo", "info_of", "list_packs"]


@dataclass(frozen=True)
class AttributeInfo:
    """One attribute that can be edited."""

    id: str
    """CelebA spelling: ``Eyeglasses``."""
    name: str
    """For people: ``Eyeglasses``, ``Gray hair``."""
    group: str
    """What it is about: expression, hair, accessories, person; digits; object, background."""
    alpha_min: float
    alpha_max: float
    calibrated_alpha: float
    """The strength at which most pictures change their answer."""
    own: bool = False
    """Whether a user trained it, and not the pack's makers: all families can be combined with it."""
    ordered: bool = False
    """Whether its strength counts levels, like a number of digits."""


@dataclass(frozen=True)
class ClassInfo:
    """One class of a class-conditional generator."""

    id: str
    name: str
    """For people."""


@dataclass(frozen=True)
class SteeringInfo:
    """How far the directions for shift and zoom reach."""

    shift_most: float
    """In shares of the picture's side, either way along both axes."""
    zoom_most: float
    """The largest factor; the smallest is 1 / zoom_most."""


@dataclass(frozen=True)
class FamilyInfo:
    """One way to edit the attributes of a pack."""

    name: str
    """``LW``, ``LT``, ``InterFaceGAN``, ..."""
    title: str
    """For people."""
    attributes: tuple[str, ...]
    """Ids of those that it can edit."""


@dataclass(frozen=True)
class PackInfo:
    """What a pack offers."""

    id: str
    title: str
    resolution: int
    """Height and width of its pictures in pixels."""
    latent_shape: tuple[int, int]
    """(L, D) of W+ codes."""
    attributes: tuple[AttributeInfo, ...]
    methods: tuple[str, ...]
    """Inversion methods."""
    spaces: tuple[str, ...]
    """Latent spaces that can be searched: z, w, w+."""
    faces: bool
    """Whether a picture is brought into position by a face in it."""
    identity: bool
    """Whether it can tell how much two pictures show the same person."""
    bytes: int
    """Size of all weights on disk."""
    families: tuple[FamilyInfo, ...] = ()
    """Edit families: LW first, then what else the pack has."""
    classes: tuple[ClassInfo, ...] = ()
    """Of a class-conditional generator; empty for another one."""
    class_readout: bool = False
    """Whether it can tell of which class the object in a picture is."""
    finds_objects: bool = False
    """Whether it can tell where the object in a picture lies."""
    steering: SteeringInfo | None = None
    """None where it has no directions for shift and zoom."""


def list_packs() -> list[PackInfo]:
    """The packs that are installed, sorted by id. Raises a PackError for a manifest that cannot be read."""
    return [info_of(manifest) for manifest in list_manifests()]


def info_of(manifest: Manifest, user: str | None = None) -> PackInfo:
    """The public facts of a manifest, with the edits that the owner has trained and those of `user`, as they are now."""
    own = [edit.attribute for edit in fitting_edits(manifest, user).values()]
    return PackInfo(
        id=manifest.id,
        title=manifest.title,
        resolution=manifest.resolution,
        latent_shape=(manifest.latent.layers, manifest.latent.dim),
        attributes=tuple(_attribute(a, own=a in own, ordered=a.id in manifest.ordered) for a in (*manifest.attributes, *own)),
        methods=tuple(manifest.methods),
        spaces=tuple(manifest.latent.spaces),
        faces=manifest.alignment.kind == "five-points",
        identity="identity" in manifest.components,
        bytes=sum(component.bytes for component in manifest.components.values()),
        families=tuple(_family(manifest, name) for name in offered_families(manifest.components)),
        classes=tuple(ClassInfo(row.id, row.name) for row in manifest.classes),
        class_readout="class_predictor" in manifest.components,
        finds_objects="box_detector" in manifest.components,
        steering=_steering(manifest),
    )


def _attribute(entry: Attribute, *, own: bool, ordered: bool) -> AttributeInfo:
    span = (entry.alpha_min, entry.alpha_max, entry.calibrated_alpha)
    return AttributeInfo(entry.id, entry.name, entry.group, *span, own=own, ordered=ordered)


def _steering(manifest: Manifest) -> SteeringInfo | None:
    if "steering" not in manifest.components:
        return None
    config = manifest.components["steering"].config
    return SteeringInfo(float(config["shift_most"]), float(config["zoom_most"]))


def _family(manifest: Manifest, name: str) -> FamilyInfo:
    row = FAMILIES[name]
    return FamilyInfo(name, row.title, manifest.editable_by(manifest.components[row.kind].config.get("attributes", ())))
