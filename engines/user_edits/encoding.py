"""From a user's pictures to codes: read safely, aligned as the pack aligns, encoded; interrupted work is gone on with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engines.core.atomic import replacing
from engines.core.errors import ImageReadError, OptionError
from engines.core.progress import Progress, ProgressCallback
from engines.imaging.convert import to_tensor
from engines.imaging.faces import face_detector
from engines.imaging.read import read_picture
from engines.packs.aligning import aligned_crop
from engines.packs.load import Pack
from engines.user_edits.pictures import LabelledPictures

__all__ = ["Encoded", "encode_pictures"]

_CHUNK = 16


@dataclass(frozen=True, eq=False)
class Encoded:
    """Codes of the pictures that could be used."""

    codes: Tensor
    """float32 [n, L, D]"""
    logits: np.ndarray
    """float32 [n, K]: what the pack's image predictor says of the pictures."""
    places: np.ndarray
    """int64 [n], rising: which of the pictures they are."""
    skipped: tuple[tuple[str, str], ...]
    """(name, sentence why) of the others."""


def encode_pictures(
    pack: Pack, pictures: LabelledPictures, *, aligned: bool, keep: Path | None = None, progress: ProgressCallback
) -> Encoded:
    """Encodes the pictures one after the other; one that cannot be read or shows no face is skipped and told.

    aligned: they are crops already, as ``data`` and ``invert`` write them; else, where the pack is about faces, the largest
    face is cut out. keep: a file in which the codes are kept while they are made, and which is gone on with where it is there;
    it has to be of the same pictures. Raises OptionError where no picture can be used.
    """
    started = time.monotonic()
    parts, done, skipped = _kept(keep, pack)
    by_face = not aligned and pack.manifest.alignment.kind == "five-points"
    for chunk in _chunks(range(done, len(pictures))):
        crops, places = [], []
        for index in chunk:
            progress(Progress("Encoding the pictures", index, len(pictures), time.monotonic() - started))
            try:
                crops.append(_crop(pack, pictures.paths[index], pictures.names[index], by_face=by_face))
                places.append(index)
            except ImageReadError as error:
                skipped.append((pictures.names[index], str(error)))
        if crops:
            parts.append((*_encoded(pack, np.stack(crops)), np.array(places)))
        if keep is not None:
            _keep(keep, parts, chunk[-1] + 1, skipped)
    progress(Progress("Encoding the pictures", len(pictures), len(pictures), time.monotonic() - started))
    if not parts:
        raise OptionError(f"none of the {len(pictures)} pictures can be used; the first: {skipped[0][1]}")
    codes, logits, places = zip(*parts, strict=True)
    return Encoded(torch.cat(codes), np.concatenate(logits), np.concatenate(places), tuple(skipped))


def _crop(pack: Pack, path: Path, name: str, *, by_face: bool) -> np.ndarray:
    picture = read_picture(path, name=name)
    faces = face_detector().detect(picture.pixels) if by_face else []
    if by_face and not faces:
        raise ImageReadError(f"{picture.name}: no face was found in it.")
    return aligned_crop(pack.manifest, picture.pixels, faces[0] if faces else None)[0]


@torch.inference_mode()
def _encoded(pack: Pack, crops: np.ndarray) -> tuple[Tensor, np.ndarray]:
    images = to_tensor(crops).to(pack.device)
    return pack.encoder(images).float().cpu(), pack.attribute_predictor(images).float().cpu().numpy()


def _chunks(indices: range) -> Iterator[range]:
    for start in range(0, len(indices), _CHUNK):
        yield indices[start : start + _CHUNK]


def _keep(path: Path, parts: list[tuple[Tensor, np.ndarray, np.ndarray]], done: int, skipped: list[tuple[str, str]]) -> None:
    tensors = {}
    if parts:
        codes, logits, places = zip(*parts, strict=True)
        tensors = {"codes": torch.cat(codes), "logits": torch.from_numpy(np.concatenate(logits))}
        tensors["places"] = torch.from_numpy(np.concatenate(places))
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"done": str(done), "skipped": json.dumps(skipped)})


def _kept(path: Path | None, pack: Pack) -> tuple[list[tuple[Tensor, np.ndarray, np.ndarray]], int, list[tuple[str, str]]]:
    """What an earlier call has made: parts, how many pictures were looked at, and the skipped ones."""
    if path is None or not path.exists():
        return [], 0, []
    with safe_open(path, "pt") as file:
        facts, names = file.metadata(), list(file.keys())
        tensors = {name: file.get_tensor(name) for name in names}
    parts = [(tensors["codes"], tensors["logits"].numpy(), tensors["places"].numpy())] if tensors else []
    return parts, int(facts["done"]), [tuple(pair) for pair in json.loads(facts["skipped"])]
