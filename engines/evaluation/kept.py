"""Results of a long evaluation as they come, so that it goes on where it was interrupted, and processes can share it.

A result is one file, written atomically: a PNG of the picture that was made, with the figures as text. There are no locks;
where two processes make the same result, one of the two stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engines.core.atomic import replacing
from engines.core.paths import data_dir
from engines.losses.lpips_distance import alexnet_weights
from engines.packs.load import Pack

__all__ = ["Kept", "kept_folder"]

Figures = TypeVar("Figures")

_FIGURES, _DIGEST = "figures", "sha256"  # names of the PNG's texts


class Kept(Generic[Figures]):
    """Results in one folder, by name. `figures`: the dataclass of what is known beside the picture, in JSON's types."""

    def __init__(self, folder: Path, figures: type[Figures]) -> None:
        self._folder, self._figures = folder, figures

    @property
    def made_with(self) -> str:
        """Tells results apart by all that decides them besides their names."""
        return self._folder.name

    def get(self, name: str) -> tuple[Figures, np.ndarray] | None:
        """Figures and picture uint8 [H, W, 3]; None for what is not there or damaged, and has to be made."""
        path = self._path(name)
        if not path.exists():
            return None
        try:
            with Image.open(path) as image:
                image.load()
                text, digest, picture = image.text[_FIGURES], image.text[_DIGEST], np.asarray(image.convert("RGB"))
            # Decoders do not see everything: pixels may have changed.
            return (self._figures(**json.loads(text)), picture) if digest == _digest(text, picture) else None
        except Exception:  # Decoders fed with damaged bytes raise whatever their innards trip over.
            return None

    def keep(self, name: str, figures: Figures, picture: np.ndarray) -> None:
        """picture: uint8 [H, W, 3]."""
        information, text = PngInfo(), json.dumps(asdict(figures))
        information.add_text(_FIGURES, text)
        information.add_text(_DIGEST, _digest(text, picture))
        with replacing(self._path(name)) as temporary:
            Image.fromarray(picture).save(temporary, format="PNG", pnginfo=information)

    def forget(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.png"


def _digest(text: str, picture: np.ndarray) -> str:
    return hashlib.sha256(text.encode() + picture.tobytes()).hexdigest()


def kept_folder(pack: Pack, what: str, kinds: Sequence[str], deciding: Sequence[Any]) -> Path:
    """A folder in the data folder for results that everything but their names is the same for.

    kinds: of components that take part where the pack has them: new weights of others change nothing. deciding: whatever
    else decides the results, in JSON's types.
    """
    weights = {kind: pack.component_sha256(kind) for kind in kinds if pack.has(kind)}
    facts = json.dumps([weights, str(pack.device), alexnet_weights() is not None, *deciding], sort_keys=True)
    return data_dir() / "evaluations" / pack.id / f"{what}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
