"""The packs that this project trains.

The training commands create a pack's manifest from its definition, then fill in one component each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engines.core.errors import OptionError
from engines.packs.manifest import read_manifest
from engines.packs.write import create_manifest, update_manifest
from engines.training.pack_definitions.creatures import CREATURES
from engines.training.pack_definitions.definition import PackDefinition
from engines.training.pack_definitions.faces import FACES
from engines.training.pack_definitions.multimnist import MULTIMNIST

__all__ = ["DEFINITIONS", "PackDefinition", "definition", "ensure_pack", "write_prevalence"]

DEFINITIONS: dict[str, PackDefinition] = {row.id: row for row in (FACES, MULTIMNIST, CREATURES)}


def definition(pack_id: str) -> PackDefinition:
    """The pack of that id. Raises OptionError for one that is not trained here."""
    if pack_id not in DEFINITIONS:
        raise OptionError(f"--pack {pack_id} is not a pack that can be trained here; known: {', '.join(DEFINITIONS)}.")
    return DEFINITIONS[pack_id]


def ensure_pack(folder: Path) -> None:
    """Creates the manifest of the pack in `folder` (its name is the id) unless there is one."""
    if not (folder / "manifest.json").exists():
        create_manifest(folder, **definition(folder.name).manifest())


def write_prevalence(folder: Path, shares: Mapping[str, float]) -> None:
    """Sets the share of training pictures that have each attribute in the manifest of the pack in `folder`.

    What has an ordered attribute has one of its levels.
    """
    attributes = read_manifest(folder).to_json()["attributes"]
    for attribute in attributes:
        share = sum(float(shares[label]) for label in attribute["levels"] or (attribute["id"],))
        attribute["prevalence"] = round(share, 4)
    update_manifest(folder, attributes=attributes)
