"""The manifest of a pack: ``manifest.json`` as frozen records, read field by field and checked. Needs no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from engines.core.errors import PackFieldError, PackFileMissingError, PackVersionError
from engines.core.paths import packs_dir
from engines.editing.levels import level_steps
from engines.inversion.requirements import offered_methods
from engines.packs._fields import Fields
from engines.packs.components import COMPONENTS, REQUIRED_KINDS
from engines.packs.records import (
    AlignmentRecipe,
    Attribute,
    Component,
    Latent,
    ObjectClass,
    ObjectStatistics,
    Preprocessing,
    Provenance,
)

__all__ = [
    "FORMAT",
    "MANIFEST_NAME",
    "AlignmentRecipe",
    "Attribute",
    "Component",
    "Latent",
    "Manifest",
    "ObjectClass",
    "ObjectStatistics",
    "Preprocessing",
    "Provenance",
    "list_manifests",
    "manifest_text",
    "parse_manifest",
    "read_manifest",
]

FORMAT = 5
"""The newest manifest format that is understood. Format 1 listed inversion methods, which now follow from the components;
format 2 knew neither classes nor statistics of objects; format 4 had mean regions of edits, which a network tells now."""
MANIFEST_NAME = "manifest.json"

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_DIGITS = 300
_GROUPS = ("expression", "hair", "accessories", "person", "digits", "object", "background")
_SPACES = ("z", "w", "w+")
_DTYPES = ("float16", "float32", "uint8")


@dataclass(frozen=True)
class Manifest:
    """Everything about a pack but its weights."""

    id: str
    """Also the name of its folder."""
    title: str
    description: str
    resolution: int
    """Height and width of its pictures in pixels."""
    latent: Latent
    attributes: tuple[Attribute, ...]
    preprocessing: Preprocessing
    alignment: AlignmentRecipe
    object_box: tuple[float, float, float, float] | None
    """Where the generator paints its objects (mean centre, usual size): (x0, y0, x1, y1) in shares of a side, None: unknown."""
    components: Mapping[str, Component] = field(hash=False)
    licences: Mapping[str, str] = field(hash=False)
    classes: tuple[ObjectClass, ...] = ()
    """Of a class-conditional generator, in the order of its labels; empty for another one."""
    object_statistics: ObjectStatistics | None = None
    """What `object_box` is taken from, where it was measured on samples."""

    @property
    def missing_kinds(self) -> tuple[str, ...]:
        """Required components that the pack does not have (yet)."""
        return tuple(kind for kind in REQUIRED_KINDS if kind not in self.components)

    @property
    def ordered(self) -> dict[str, tuple[str, ...]]:
        """Levels of the ordered attributes."""
        return {attribute.id: attribute.levels for attribute in self.attributes if attribute.levels}

    @property
    def level_steps(self) -> dict[str, str]:
        """Upper level -> the one below it, for every step of the ordered attributes."""
        return {upper: lower for levels in self.ordered.values() for upper, lower in level_steps(levels).items()}

    @property
    def mapped(self) -> tuple[str, ...]:
        """What edit families have maps for: the plain attributes, and the steps of ordered ones by their upper levels."""
        return tuple(name for a in self.attributes for name in (a.levels[1:] if a.levels else (a.id,)))

    def editable_by(self, mapped: Collection[str]) -> tuple[str, ...]:
        """Ids of the attributes that a family with maps for `mapped` can edit: of an ordered one it needs every step."""
        there = set(mapped)
        return tuple(a.id for a in self.attributes if set(a.levels[1:] if a.levels else (a.id,)) <= there)

    @property
    def methods(self) -> tuple[str, ...]:
        """Inversion methods that the pack's components allow."""
        return offered_methods(self.components)

    def to_json(self) -> dict[str, Any]:
        """The dict that :func:`parse_manifest` reads back."""
        values = {"format": FORMAT, **asdict(self)}
        if self.alignment.kind == "none":
            values["alignment"] = {"kind": "none"}
        return values


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the pack in `folder`.

    Raises PackFileMissingError, PackVersionError or PackFieldError, each naming the file and the field.
    """
    return parse_manifest(manifest_text(folder), folder / MANIFEST_NAME)


def manifest_text(folder: Path) -> str:
    """The text of the manifest in `folder`. Raises PackFileMissingError, or PackFieldError when it is not text."""
    path = folder / MANIFEST_NAME
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PackFieldError(f"{path} is not text ({error}). Install the pack again.") from None
    except OSError:
        raise PackFileMissingError(f"{path} is missing or cannot be read. Install the pack again.") from None


def list_manifests(folder: Path | None = None, *, incomplete: bool = False) -> list[Manifest]:
    """Manifests of the packs in `folder` (None: where packs are installed), sorted by id.

    incomplete: also those that lack required components, as a pack does while it is trained.
    Raises a PackError for a manifest that cannot be read; a missing folder holds no packs.
    """
    root = packs_dir() if folder is None else Path(folder)
    if not root.is_dir():
        return []
    homes = sorted(home for home in root.iterdir() if (home / MANIFEST_NAME).is_file() and not home.name.startswith("."))
    manifests = [read_manifest(home) for home in homes]
    return [manifest for manifest in manifests if incomplete or not manifest.missing_kinds]


def parse_manifest(text: str, path: Path) -> Manifest:
    """The manifest in `text`; `path` is where it lies (its folder's name must be the id) and is named in errors."""
    try:
        value = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise PackFieldError(f"{path} is not JSON ({error}). Install the pack again.") from None
    fields = Fields(value, "", path)
    written_format = fields.count("format", least=1)
    if written_format > FORMAT:
        raise PackVersionError(
            f"{path} has format {written_format}, this version reads up to {FORMAT}: update Latent Wasserstein Editor."
        )
    if written_format == 1:
        fields.texts("methods")
    if written_format == 4:
        fields.optional_object("edit_regions")
    manifest = Manifest(
        id=fields.text("id", pattern=_ID),
        title=fields.text("title"),
        description=fields.text("description", empty=True),
        resolution=fields.count("resolution", least=8),
        latent=_latent(fields.object("latent")),
        attributes=tuple(_attribute(entry) for entry in fields.objects("attributes")),
        preprocessing=_preprocessing(fields.object("preprocessing")),
        alignment=_alignment(fields.object("alignment")),
        object_box=_object_box(fields),
        components={kind: _component(entry) for kind, entry in fields.named_objects("components", known=COMPONENTS)},
        licences=fields.text_table("licences"),
        classes=tuple(_object_class(entry) for entry in fields.objects("classes", default=())),
        object_statistics=_object_statistics(fields),
    )
    fields.end()
    _check_attributes(manifest, fields)
    class_ids = [row.id for row in manifest.classes]
    if len(set(class_ids)) != len(class_ids) or len(class_ids) == 1:
        raise fields.error("classes", "at least two distinct ids, or none", class_ids)
    if manifest.id != path.parent.name:
        raise fields.error("id", f"the name of its folder, {path.parent.name!r}", manifest.id)
    return manifest


def _integer(digits: str) -> int:
    """A whole number of JSON; ValueError for one that no float can hold."""
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _latent(fields: Fields) -> Latent:
    sizes = (fields.count("z_dim", least=1), fields.count("layers", least=1), fields.count("dim", least=1))
    return fields.end(Latent(*sizes, spaces=fields.texts("spaces", choices=_SPACES)))


def _attribute(fields: Fields) -> Attribute:
    attribute = Attribute(
        id=fields.text("id"),
        name=fields.text("name"),
        group=fields.text("group", choices=_GROUPS),
        prevalence=fields.number("prevalence", least=0, most=1),
        exclusive=fields.texts("exclusive"),
        alpha_min=fields.number("alpha_min", most=0),
        alpha_max=fields.number("alpha_max", least=0),
        calibrated_alpha=fields.number("calibrated_alpha", least=0),
        levels=fields.texts("levels", default=()),
    )
    return fields.end(attribute)


def _object_class(fields: Fields) -> ObjectClass:
    return fields.end(ObjectClass(fields.text("id", pattern=_ID), fields.text("name")))


def _object_statistics(fields: Fields) -> ObjectStatistics | None:
    inside = fields.optional_object("object_statistics")
    if inside is None:
        return None
    names = ("centre_mean", "centre_deviation", "size_mode", "size_mean", "size_deviation")
    pairs = {name: inside.numbers(name, length=2) for name in names}
    return inside.end(ObjectStatistics(**pairs, pictures=inside.count("pictures", least=1)))


def _preprocessing(fields: Fields) -> Preprocessing:
    colour, limits = fields.text("colour", choices=("RGB",)), fields.numbers("range", length=2)
    if limits != (-1, 1):
        raise fields.error("range", "[-1, 1]", list(limits))
    return fields.end(Preprocessing(colour, limits))


def _alignment(fields: Fields) -> AlignmentRecipe:
    kind = fields.text("kind", choices=("five-points", "none"))
    if kind == "none":
        return fields.end(AlignmentRecipe(kind))
    recipe = AlignmentRecipe(
        kind=kind,
        points=fields.points("points", length=5),
        reference_px=fields.count("reference_px", least=1),
        detector=fields.text("detector", choices=("mtcnn",)),
    )
    return fields.end(recipe)


def _object_box(fields: Fields) -> tuple[float, float, float, float] | None:
    box = fields.optional_numbers("object_box", length=4)
    if box is not None and not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise fields.error("object_box", "x0, y0, x1, y1 with 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1", list(box))
    return box


def _component(fields: Fields) -> Component:
    component = Component(
        file=fields.text("file"),
        sha256=fields.text("sha256", pattern=_SHA256),
        bytes=fields.count("bytes", least=1),
        dtype=fields.text("dtype", choices=_DTYPES),
        config=fields.plain_object("config"),
        provenance=_provenance(fields.object("provenance")),
    )
    inside = PurePosixPath(component.file)
    if inside.is_absolute() or ".." in inside.parts or "\\" in component.file or ":" in component.file:
        raise fields.error("file", "a path inside the pack's folder", component.file)
    return fields.end(component)


def _provenance(fields: Fields) -> Provenance:
    provenance = Provenance(
        command=fields.text("command"),
        seed=fields.count("seed", least=0),
        images_seen=fields.count("images_seen", least=0),
        data=fields.text("data"),
        data_licence=fields.text("data_licence"),
        weights_licence=fields.text("weights_licence"),
        initialised_from=fields.text("initialised_from", empty=True, default=""),
        metrics=fields.plain_object("metrics", default={}),
    )
    return fields.end(provenance)


def _check_attributes(manifest: Manifest, fields: Fields) -> None:
    ids = [attribute.id for attribute in manifest.attributes]
    if len(set(ids)) != len(ids):
        raise fields.error("attributes", "distinct ids", ids)
    for attribute in manifest.attributes:
        if len(attribute.levels) == 1:
            raise fields.error(f"attributes.{attribute.id}.levels", "at least two levels, or none", list(attribute.levels))
        unknown = sorted(set(attribute.exclusive) - set(ids))
        if unknown:
            raise fields.error(f"attributes.{attribute.id}.exclusive", "ids of this manifest's attributes", unknown)
