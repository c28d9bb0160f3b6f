"""Real photographs of faces that anyone may use: among the examples, or in packages where those are installed.

Nothing is copied or fetched. A photograph is listed only where its rights are stated: left out are Labeled Faces in the Wild
(scikit-image's subset), gradio's and other packages' demonstration pictures, and the many copies of "Lena".
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.core.paths import repository_dir
from engines.imaging.read import Picture, read_picture

__all__ = ["PHOTOS", "Photo", "credits_of", "installed_photos", "missing_packages"]


@dataclass(frozen=True)
class Photo:
    """A photograph and where it comes from."""

    name: str
    shows: str
    licence: str
    source: str
    package: str | None
    """Importable name of the package that ships it, None for one of the project's own examples."""
    file: str
    """Path inside the package, or inside the repository."""

    @property
    def path(self) -> Path | None:
        """Where the file is, or None where the package is not installed or has it no more."""
        home = repository_dir() if self.package is None else _package_dir(self.package)
        path = None if home is None else home / self.file
        return path if path is not None and path.is_file() else None

    def read(self) -> Picture:
        """The photograph. Raises ImageReadError when it cannot be read."""
        return read_picture(self.path)


PHOTOS: tuple[Photo, ...] = (
    Photo(
        "astronaut",
        "the astronaut Eileen Collins, facing the camera",
        "public domain: a photograph by NASA, without known copyright restrictions",
        "NASA Great Images database, https://flic.kr/p/r9qvLn, as bundled with scikit-image",
        None,
        "assets/examples/astronaut.jpg",
    ),
    Photo(
        "grace-hopper",
        "Commodore Grace Hopper in uniform, with glasses and a cap",
        "public domain: an official photograph of the United States Navy (James S. Davis, 1984)",
        "sample data of matplotlib; https://commons.wikimedia.org/wiki/File:Commodore_Grace_M._Hopper,_USN_(covered).jpg",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
    ),
    Photo(
        "photographer",
        "a photographer at his camera, seen from the side, black and white",
        "CC0, given by the photographer (Lav Varshney)",
        "scikit-image's data.camera(); https://github.com/scikit-image/scikit-image/issues/3927",
        "skimage",
        "data/camera.png",
    ),
)


def installed_photos() -> list[Photo]:
    """Those whose file is there, in the order of :data:`PHOTOS`."""
    return [photo for photo in PHOTOS if photo.path is not None]


def credits_of(photos: Sequence[Photo]) -> str:
    """A paragraph for a report that shows them: what each shows, its rights and its source."""
    lines = [f"- {photo.shows}: {photo.licence}; {photo.source}" for photo in photos]
    return "Photographs:\n\n" + "\n".join(lines)


def missing_packages() -> list[str]:
    """Packages that would bring photographs which are not there."""
    return sorted({photo.package for photo in PHOTOS if photo.package is not None and photo.path is None})


def _package_dir(name: str) -> Path | None:
    """The folder of an installed package, which is not imported for it."""
    spec = importlib.util.find_spec(name)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
