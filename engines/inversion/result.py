"""What an inversion is: codes, the picture they stand for, how well they fit, and the file that keeps it all."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_safetensors
from safetensors.numpy import save as safetensors_bytes

from engines.core.atomic import replacing
from engines.core.errors import InversionFileError
from engines.core.progress import Progress

__all__ = ["CANCELLED", "Inversion", "InversionProgress"]

CANCELLED = "cancelled"
"""The warning of an inversion that was cancelled: it holds the best found until then."""

FORMAT = "latent-wasserstein-editor/inversion"
VERSION = 2
_READABLE = ("1", "2")  # version 1 had fewer facts
_ARRAYS = ("w_plus", "crop", "reconstruction")
_WEIGHTS = "weights."  # before the names of weight differences in the file


@dataclass(frozen=True, eq=False)
class Inversion:
    """Codes whose synthesis is close to a picture. Arrays are read-only; `id` names the content."""

    pack_id: str
    pack_hash: str
    """Hash of the generator the codes belong to: the same codes mean another picture in another generator."""
    method: str
    w_plus: np.ndarray
    """float32 [L, D]."""
    crop: np.ndarray
    """uint8 RGB [R, R, 3]: the aligned input."""
    reconstruction: np.ndarray
    """uint8 RGB [R, R, 3]: synthesis of `w_plus`, rounded."""
    mse: float
    """Mean squared difference of `crop` and `reconstruction` in [-1, 1]: inside `mask`, and with a transform T where T^-1 of
    the reconstruction covers the crop."""
    perceptual: float
    """Distance of the two by the perceptual network named in `perceptual_kind`."""
    perceptual_kind: str
    seconds: float
    steps: int
    """Optimisation steps or encoder passes that were done."""
    warnings: tuple[str, ...]
    alignment: dict[str, Any] | None
    """How the crop lies in its picture (JSON of imaging.align.Alignment), None for a picture that came from no photo."""
    seed: int
    evaluations: int = 0
    """Pictures the generator made on the way; a gradient step on one code is one."""
    losses: tuple[tuple[int, float], ...] = ()
    """(evaluations so far, smallest loss so far), for curves."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """JSON of the options that decided the result (space, transform, budget, ...)."""
    transform: Mapping[str, Any] | None = None
    """T, found by transform search (JSON of inversion.transforms.Transform): the generator paints T(crop)."""
    mask: tuple[float, float, float, float] | None = None
    """The object's rectangle (x0, y0, x1, y1) in crop pixels, None for the whole crop."""
    weight_differences: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What tuning added to the generator's weights, by parameter name; empty for the pack's own generator."""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        w_plus = np.array(self.w_plus, np.float32, order="C")
        crop = np.array(self.crop, order="C")
        reconstruction = np.array(self.reconstruction, order="C")
        if w_plus.ndim != 2 or not np.isfinite(w_plus).all():
            raise ValueError(f"w_plus must be finite and have shape [L, D], got {list(w_plus.shape)}")
        for name, pixels in (("crop", crop), ("reconstruction", reconstruction)):
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape != (pixels.shape[0], pixels.shape[0], 3):
                raise ValueError(f"{name} must be uint8 [R, R, 3], got {pixels.dtype} {list(pixels.shape)}")
        if crop.shape != reconstruction.shape:
            raise ValueError(f"crop and reconstruction differ in shape: {list(crop.shape)}, {list(reconstruction.shape)}")
        transform = None if self.transform is None else dict(self.transform)
        digest = hashlib.sha256(json.dumps([self.pack_id, self.pack_hash, self.alignment, transform], sort_keys=True).encode())
        for name, array in (("w_plus", w_plus), ("crop", crop), ("reconstruction", reconstruction)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
            digest.update(array.tobytes())
        differences = {name: np.array(self.weight_differences[name], order="C") for name in sorted(self.weight_differences)}
        for name, array in differences.items():
            if not np.isfinite(array).all():
                raise ValueError(f"the weight difference {name} is not finite")
            array.flags.writeable = False
            digest.update(name.encode())
            digest.update(array.tobytes())
        object.__setattr__(self, "weight_differences", MappingProxyType(differences))
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))
        object.__setattr__(self, "transform", None if self.transform is None else MappingProxyType(dict(self.transform)))
        object.__setattr__(self, "mask", None if self.mask is None else tuple(float(side) for side in self.mask))
        object.__setattr__(self, "losses", tuple((int(count), float(loss)) for count, loss in self.losses))
        object.__setattr__(self, "warnings", tuple(self.warnings))
        object.__setattr__(self, "id", digest.hexdigest()[:16])

    @property
    def resolution(self) -> int:
        return self.crop.shape[0]

    def save(self, path: Path | str) -> None:
        """Writes one safetensors file (arrays, and everything else as JSON in its header), atomically."""
        with replacing(path) as temporary:
            temporary.write_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The contents of the file that :meth:`save` writes: the same for the same inversion."""
        kept_apart = (*_ARRAYS, "weight_differences")
        facts = {item.name: getattr(self, item.name) for item in fields(self) if item.init and item.name not in kept_apart}
        facts = {name: dict(value) if isinstance(value, Mapping) else value for name, value in facts.items()}
        header = {"format": FORMAT, "version": str(VERSION), "inversion": json.dumps(facts)}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        weights = {_WEIGHTS + name: array for name, array in self.weight_differences.items()}
        return _with_sorted_metadata(safetensors_bytes({**arrays, **weights}, metadata=header))

    @staticmethod
    def load(path: Path | str) -> Inversion:
        """Reads what :meth:`save` wrote. Raises InversionFileError, naming the file, for anything else."""
        if not Path(path).is_file():
            raise InversionFileError(f"{path}: there is no such inversion file.")
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InversionFileError(f"{path}: the file cannot be read ({error.strerror}).") from error
        return Inversion.from_bytes(data, str(path))

    @staticmethod
    def from_bytes(data: bytes, name: str) -> Inversion:
        """Reads what :meth:`to_bytes` made. Raises InversionFileError, naming `name`, for anything else."""
        again = "make it again with the command invert."
        try:
            arrays = read_safetensors(data)
        except (SafetensorError, KeyError) as error:  # KeyError: numbers of a kind that numpy does not have
            raise InversionFileError(f"{name}: this is not a whole safetensors file ({error}); {again}") from error
        header = _metadata(data)
        if header.get("format") != FORMAT:
            raise InversionFileError(f"{name}: this safetensors file holds no inversion; {again}")
        if header.get("version") not in _READABLE:
            raise InversionFileError(f"{name}: format version {header.get('version')}, this program reads {VERSION}; {again}")
        try:
            facts = json.loads(header["inversion"])
            facts["warnings"] = tuple(facts["warnings"])
            weights = {key.removeprefix(_WEIGHTS): array for key, array in arrays.items() if key.startswith(_WEIGHTS)}
            arrays = {key: array for key, array in arrays.items() if not key.startswith(_WEIGHTS)}
            found = Inversion(**facts, **arrays, weight_differences=weights)
            _check_facts(found)
            return found
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
            raise InversionFileError(f"{name}: damaged contents ({error}); {again}") from error


def _check_facts(found: Inversion) -> None:
    """Raises one of the errors that damage raises for what no method writes."""
    # Slow: torch comes with them, and a list of what is kept does without.
    from engines.imaging.align import Alignment
    from engines.inversion.transforms import Transform

    texts = (found.pack_id, found.pack_hash, found.method, found.perceptual_kind, *found.warnings)
    counts = (found.steps, found.seed, found.evaluations)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(count, int) for count in counts):
        raise ValueError("a name is no text, or a count no whole number")
    mask = found.mask or ()
    if not all(math.isfinite(number) for number in (found.mse, found.perceptual, found.seconds, *mask)):
        raise ValueError("a figure is not finite")
    if found.mask is not None and len(mask) != 4:
        raise ValueError("a mask of other than four sides")
    if found.transform is not None:
        Transform.from_json(found.transform)
    if found.alignment is not None:
        width, height = found.alignment["picture_px"]
        if Alignment.from_json(found.alignment).crop_px != found.resolution or width < 1 or height < 1:
            raise ValueError("an alignment of another crop")


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file (8 bytes with its length, then JSON), and where it ends."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), end


def _metadata(data: bytes) -> dict[str, str]:
    """The free texts in the header of a safetensors file."""
    return _header(data)[0].get("__metadata__") or {}


def _with_sorted_metadata(data: bytes) -> bytes:
    """The same safetensors file with its free texts in order: the library writes them in another one at every call."""
    header, end = _header(data)
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[end:]


@dataclass(frozen=True)
class InversionProgress(Progress):
    """A moment of an inversion; the last one carries the result."""

    result: Inversion | None = None
    from_store: bool = False
    """Whether the result was found ready, from an earlier tuning to the same picture."""
    share: float | None = None
    """How much of the whole budget is used, 0..1; None where that is not known."""
