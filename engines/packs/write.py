"""Creates packs and writes their components, so that a pack can be read at every moment, also when writing is cut short."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from engines.core.atomic import replacing, write_json
from engines.core.errors import PackFieldError
from engines.packs.components import COMPONENTS
from engines.packs.load import build_module, check_tensors, expected_table
from engines.packs.manifest import FORMAT, MANIFEST_NAME, Manifest, parse_manifest, read_manifest

__all__ = ["create_manifest", "update_manifest", "write_component"]


def create_manifest(
    folder: Path,
    *,
    id: str,
    title: str,
    description: str,
    resolution: int,
    latent: Mapping[str, Any],
    attributes: Sequence[Mapping[str, Any]],
    preprocessing: Mapping[str, Any],
    alignment: Mapping[str, Any],
    licences: Mapping[str, str],
    object_box: Sequence[float] | None = None,
    classes: Sequence[Mapping[str, str]] = (),
) -> Manifest:
    """Writes the manifest of a new pack without components; the fields are those of :class:`Manifest` in JSON form.

    Raises PackFieldError for a bad field, or when `folder` holds a pack already.
    """
    if (folder / MANIFEST_NAME).exists():
        raise PackFieldError(f"{folder / MANIFEST_NAME} exists already. Change it with update_manifest, or remove the folder.")
    fields = {
        "format": FORMAT,
        "id": id,
        "title": title,
        "description": description,
        "resolution": resolution,
        "latent": dict(latent),
        "attributes": [dict(attribute) for attribute in attributes],
        "preprocessing": dict(preprocessing),
        "alignment": dict(alignment),
        "object_box": object_box,
        "components": {},
        "licences": dict(licences),
        "classes": [dict(row) for row in classes],
    }
    return _write_manifest(folder, fields)


def update_manifest(folder: Path, **fields: Any) -> Manifest:
    """Replaces top-level fields (JSON form) of the pack in `folder`; components are changed by :func:`write_component` only.

    Raises PackFieldError for a field that does not exist, is fixed, or has a bad value; the old manifest then stays.
    """
    fixed = sorted({"format", "id", "components"} & set(fields))
    if fixed:
        raise PackFieldError(f"{folder / MANIFEST_NAME}: {', '.join(fixed)} cannot be changed by update_manifest.")
    return _write_manifest(folder, read_manifest(folder).to_json() | fields)


def write_component(
    folder: Path,
    kind: str,
    module_or_tensors: nn.Module | Mapping[str, Tensor],
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
    half: bool,
) -> Manifest:
    """Writes one component of the pack in `folder` and returns the new manifest.

    config: what the network's ``from_config`` takes. provenance: the fields of :class:`Provenance`.
    half: matrices are stored as float16; vectors and scalars (biases, norms, temperatures) and matrices with values that
    float16 cannot hold stay float32, since they are small or would be spoiled.

    The file's name carries its hash: the old manifest keeps naming the old file until the new manifest replaces it in
    one step. Raises PackShapeError when the tensors do not fit the configuration, PackFieldError for a bad kind,
    configuration or provenance, ValueError for weights that are not finite.
    """
    path = folder / MANIFEST_NAME
    if kind not in COMPONENTS:
        raise PackFieldError(f"{path}: there is no component kind {kind!r}; kinds are {', '.join(COMPONENTS)}.")
    manifest = read_manifest(folder)
    state = module_or_tensors.state_dict() if isinstance(module_or_tensors, nn.Module) else module_or_tensors
    tensors = {name: _storable(name, tensor, half=half) for name, tensor in state.items()}
    config = json.loads(json.dumps(config))
    if COMPONENTS[kind].build is None:
        expected = expected_table(kind, manifest, tensors)
    else:
        network = build_module(kind, config, path)
        expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    data = safetensors_bytes(tensors)
    digest = hashlib.sha256(data).hexdigest()
    file = f"{kind}-{digest[:12]}.safetensors"
    check_tensors(tensors, expected, folder / file)
    fields = manifest.to_json()
    fields["components"][kind] = {
        "file": file,
        "sha256": digest,
        "bytes": len(data),
        "dtype": "float16" if half else "uint8" if kind == "training_sample" else "float32",
        "config": config,
        "provenance": dict(provenance),
    }
    _parse(fields, path)
    with replacing(folder / file) as temporary:
        temporary.write_bytes(data)
    written = _write_manifest(folder, fields)
    _remove_outdated(folder, written)
    return written


def _storable(name: str, tensor: Tensor, *, half: bool) -> Tensor:
    stored = tensor.detach().cpu().contiguous()
    if not stored.is_floating_point():
        return stored
    if not torch.isfinite(stored).all():
        raise ValueError(f"{name} has values that are not finite")
    if half and stored.dim() > 1:
        halved = stored.half()
        if torch.isfinite(halved).all():
            return halved
    return stored.float()


def _parse(fields: Mapping[str, Any], path: Path) -> Manifest:
    return parse_manifest(json.dumps(fields), path)


def _write_manifest(folder: Path, fields: Mapping[str, Any]) -> Manifest:
    """Checks the fields as a reader would, then replaces the manifest in one step."""
    manifest = _parse(fields, folder / MANIFEST_NAME)
    write_json(folder / MANIFEST_NAME, manifest.to_json())
    return manifest


def _remove_outdated(folder: Path, manifest: Manifest) -> None:
    """Weights that an earlier writing left behind; only names that this module makes are touched."""
    named = {component.file for component in manifest.components.values()}
    made_here = re.compile(rf"({'|'.join(COMPONENTS)})-[0-9a-f]{{12}}\.safetensors")
    for path in folder.glob("*.safetensors"):
        if made_here.fullmatch(path.name) and path.name not in named:
            path.unlink(missing_ok=True)
