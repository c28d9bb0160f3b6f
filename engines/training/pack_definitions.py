"""What a bundled pack is before any weights: title, attributes, alignment, licences.

The training commands create the pack's manifest from here, then fill in one component each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines.core.errors import OptionError
from engines.packs.manifest import read_manifest
from engines.packs.write import create_manifest, update_manifest

__all__ = ["definition", "ensure_pack", "write_prevalence"]

_HAIR_COLOURS = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Red_Hair", "Gray_Hair")

# id, display name, group, attributes that it logically excludes or implies
_FACE_ATTRIBUTES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Smiling", "Smiling", "expression", ()),
    ("Mouth_Open", "Mouth open", "expression", ()),
    ("Eyes_Closed", "Eyes closed", "expression", ()),
    ("Lipstick", "Lipstick", "accessories", ()),
    ("Eyeglasses", "Eyeglasses", "accessories", ("Sunglasses",)),
    ("Sunglasses", "Sunglasses", "accessories", ("Eyeglasses", "Eyes_Closed")),
    ("Beard", "Beard", "hair", ()),
    ("Mustache", "Mustache", "hair", ()),
    ("Bald", "Bald", "hair", (*_HAIR_COLOURS, "Long_Hair", "Wavy_Hair", "Bangs", "Receding_Hairline")),
    ("Long_Hair", "Long hair", "hair", ("Bald",)),
    ("Wavy_Hair", "Wavy hair", "hair", ("Bald",)),
    ("Bangs", "Bangs", "hair", ("Bald", "Receding_Hairline")),
    ("Receding_Hairline", "Receding hairline", "hair", ("Bald", "Bangs")),
    *(
        (colour, colour.replace("_Hair", " hair"), "hair", ("Bald", *(c for c in _HAIR_COLOURS if c != colour)))
        for colour in _HAIR_COLOURS
    ),
    ("Male", "Male", "person", ()),
    ("Young", "Young", "person", ()),
    ("Chubby", "Chubby", "person", ()),
    ("Big_Nose", "Big nose", "person", ()),
    ("Pale_Skin", "Pale skin", "person", ("Dark_Skin",)),
    ("Dark_Skin", "Dark skin", "person", ("Pale_Skin",)),
)

_FACES: dict[str, Any] = {
    "id": "faces",
    "title": "Faces",
    "description": (
        "Portraits of 3D people rendered from the CC0 MakeHuman mesh, with exact attribute labels; "
        "aligned like FFHQ, so that photographs fit."
    ),
    "resolution": 128,
    "latent": {"z_dim": 192, "layers": 12, "dim": 192, "spaces": ["z", "w", "w+"]},
    "attributes": [
        {"id": id_, "name": name, "group": group, "prevalence": 0.0, "exclusive": list(exclusive)}
        | {"alpha_min": -2.0, "alpha_max": 2.0, "calibrated_alpha": 1.0}
        for id_, name, group, exclusive in _FACE_ATTRIBUTES
    ],
    "preprocessing": {"colour": "RGB", "range": [-1, 1]},
    # Mean MTCNN points of held-out renders: left eye, right eye, nose, mouth corners (as the viewer sees them).
    "alignment": {
        "kind": "five-points",
        "points": [[49.2, 66.4], [79.2, 66.4], [64.3, 85.8], [51.2, 99.2], [77.0, 99.2]],
        "reference_px": 128,
        "detector": "mtcnn",
    },
    # Mean centre and size of MTCNN's boxes on held-out renders.
    "object_box": [0.246, 0.245, 0.757, 0.928],
    "licences": {
        "data": "Rendered by this project from MakeHuman/MPFB2 meshes and Face Units targets, CC0 1.0",
        "weights": "Apache-2.0, trained by this project",
    },
}

_DEFINITIONS = {"faces": _FACES}


def definition(pack_id: str) -> dict[str, Any]:
    """The manifest fields of a pack that this project trains. Raises OptionError for another id."""
    if pack_id not in _DEFINITIONS:
        raise OptionError(f"--pack {pack_id} is not a pack that can be trained here; known: {', '.join(_DEFINITIONS)}.")
    return _DEFINITIONS[pack_id]


def ensure_pack(folder: Path) -> None:
    """Creates the manifest of the pack in `folder` (its name is the id) unless there is one."""
    if not (folder / "manifest.json").exists():
        create_manifest(folder, **definition(folder.name))


def write_prevalence(folder: Path, shares: Mapping[str, float]) -> None:
    """Sets the share of training pictures that have each attribute in the manifest of the pack in `folder`."""
    attributes = read_manifest(folder).to_json()["attributes"]
    update_manifest(folder, attributes=[a | {"prevalence": round(float(shares[a["id"]]), 4)} for a in attributes])
