"""Finds faces and their five points with MTCNN (Zhang, Zhang, Li, Qiao 2016), as facenet-pytorch implements it.

The network's weights lie in that package; nothing is downloaded. The package is imported when the first picture
is searched, because it takes long to load and not every command needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from engines.core.progress import CancelToken

if TYPE_CHECKING:
    from facenet_pytorch import MTCNN

__all__ = ["Face", "FaceDetector", "face_detector"]

# Below this MTCNN mostly sees faces in buttons, foliage and fur.
_MIN_CONFIDENCE = 0.9
# Boxes that overlap by more than this share of their union are one face.
_SAME_FACE_OVERLAP = 0.4
# The largest faces get a second look: a square of _LOOK_PX that shows _LOOK_REACH times the face's box, so that all faces
# are seen at the size the network places points best. Averaging halves the scatter of the points; and near the picture's
# edge (within _EDGE_MARGIN of the face's size), where the first look may be wrong by a sixth of the face, only the second
# counts. It is the same face when the boxes overlap by _LOOK_OVERLAP of their union.
_SECOND_LOOKS = 8
_LOOK_PX = 240
_LOOK_REACH = 2.0
_LOOK_OVERLAP = 0.2
_EDGE_MARGIN = 0.1
_GREY = 127
# What MTCNN was trained for; a smaller face cannot be edited anyway.
_SMALLEST_FACE_PX = 20
# MTCNN now and then takes a face on its side or on its head for an upright one. Its doubt (1 - confidence) then was .0015 to
# .09 in six photos and renderings, where the same faces upright had .0000 to .0003, and .002 once; a fur had .05. From _SURE
# on a picture is left as it stands; a turned one may leave _MOST_DOUBT at most, and this share of the doubt as it stands.
_SURE = 0.999
_MOST_DOUBT = 0.01
_DOUBT_SHARE = 0.5
# How often who waits for the network looks whether it was cancelled.
_POLL_SEC = 0.05


@dataclass(frozen=True)
class _Attempt:
    """One way to show a picture to the network."""

    longest_px: int
    """The picture's longer side is brought to this length where it is longer."""
    enlarge: bool = False
    """Whether a smaller picture is brought there as well."""
    padding: float = 0.0
    """Grey around it, as a share of the longer side."""
    smallest_face: float = 0.03
    """The smallest face looked for, as a share of the longer side."""


# Tried in turn until one finds a face. The first finds nearly all. A face that fills the frame is seen with grey
# around it, or small and without distracting texture; one in a crowd needs more pixels; a tiny picture needs larger ones.
_ATTEMPTS = (
    _Attempt(1000),
    _Attempt(500, padding=0.5, smallest_face=0.1),
    _Attempt(200, padding=0.25, smallest_face=0.1),
    _Attempt(400, enlarge=True, padding=0.25, smallest_face=0.06),
    _Attempt(2000, smallest_face=0.01),
)


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a picture; coordinates are continuous picture pixels, the origin at the picture's outer corner."""

    box: tuple[float, float, float, float]
    """(x0, y0, x1, y1); a face cut off by the frame may reach beyond the picture."""
    points: np.ndarray
    """float64 [5, 2]: the eye at the left of the picture, the other eye, nose, left and right corner of the mouth."""
    confidence: float
    """The network's probability that this is a face, 0.9 to 1."""

    @property
    def size_px(self) -> float:
        """Side of the square with the box's area."""
        x0, y0, x1, y1 = self.box
        return float(np.sqrt(max(x1 - x0, 0) * max(y1 - y0, 0)))


class FaceDetector:
    """The face finder on the CPU. One instance may be shared by any number of threads; they take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._network: MTCNN | None = None

    def detect(self, pixels: np.ndarray, *, cancel: CancelToken | None = None) -> list[Face]:
        """All faces of a uint8 [H, W, 3] picture, largest and surest first; empty when there is none.

        cancel: looked at before every pass of the network, of which there may be dozens.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise ValueError(f"expected uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}")
        image = Image.fromarray(pixels)
        longest = max(image.size)
        shown: set[tuple[int, float]] = set()
        for attempt in _ATTEMPTS:
            side = attempt.longest_px if attempt.enlarge else min(attempt.longest_px, longest)
            if (side, attempt.padding) in shown:
                continue
            shown.add((side, attempt.padding))
            faces = self._search(image, attempt, side / longest, cancel)
            if faces:
                faces = [self._look_again(image, face, cancel) for face in faces[:_SECOND_LOOKS]] + faces[_SECOND_LOOKS:]
                return _distinct(faces)
        return []

    def turned(self, pixels: np.ndarray, faces: Sequence[Face], *, cancel: CancelToken | None = None) -> np.ndarray | None:
        """A picture turned by one, two or three quarters where a face in it is surer then; None where it stands well.

        faces: what `detect` finds in it as it is, maybe none. cancel: as there.
        """
        surest = max((face.confidence for face in faces), default=0.0)
        if surest >= _SURE:
            return None
        best, doubt = None, min(_MOST_DOUBT, _DOUBT_SHARE * (1 - surest))
        for quarters in (1, 2, 3):
            turned = np.ascontiguousarray(np.rot90(pixels, quarters))
            for face in self.detect(turned, cancel=cancel):
                if 1 - face.confidence < doubt:
                    best, doubt = turned, 1 - face.confidence
        return best

    def _search(self, image: Image.Image, attempt: _Attempt, scale: float, cancel: CancelToken | None) -> list[Face]:
        """The faces of one attempt, which shows the picture enlarged by `scale`."""
        size = tuple(max(1, round(side * scale)) for side in image.size)
        view = np.asarray(image if size == image.size else image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        padding = round(attempt.padding * max(size))
        if padding:
            view = np.pad(view, ((padding, padding), (padding, padding), (0, 0)), constant_values=_GREY)
        boxes, confidences, points = self._run(view, attempt.smallest_face * max(size), cancel)
        # Each axis has its own factor, because the sides were rounded.
        factor = np.divide(image.size, size)
        return _distinct(
            Face(_box((box.reshape(2, 2) - padding) * factor), (five - padding) * factor, float(confidence))
            for box, confidence, five in zip(boxes, confidences, points, strict=True)
            if confidence >= _MIN_CONFIDENCE and np.isfinite(five).all()
        )

    def _look_again(self, image: Image.Image, face: Face, cancel: CancelToken | None) -> Face:
        """The face with box and points averaged over further looks."""
        corners = np.reshape(face.box, (2, 2))
        margin = _EDGE_MARGIN * np.ptp(corners, axis=0).max()
        inside = (corners[0] >= margin).all() and (corners[1] <= np.subtract(image.size, margin)).all()
        looks = self._looks(image, corners, cancel)
        if inside or not looks:
            looks.append(np.vstack([corners, face.points]))
        else:
            # The box was no better than the points: look where the face turned out to be.
            looks = self._looks(image, np.mean(looks, axis=0)[:2], cancel) or looks
        mean = np.mean(looks, axis=0)
        return Face(_box(mean[:2]), mean[2:], face.confidence)

    def _looks(self, image: Image.Image, corners: np.ndarray, cancel: CancelToken | None) -> list[np.ndarray]:
        """[7, 2] of the box's corners and the five points, from the square around a box, straight and mirrored."""
        side = _LOOK_REACH * np.ptp(corners, axis=0).max()
        origin, scale = corners.mean(axis=0) - side / 2, _LOOK_PX / side
        expected = ((corners - origin) * scale).ravel()
        view = _square(image, origin, scale)
        looks = []
        for mirrored in (False, True):
            boxes, _, points = self._run(np.ascontiguousarray(view[:, ::-1]) if mirrored else view, _LOOK_PX / 6, cancel)
            overlaps = [_overlap(box, expected) for box in boxes]
            if max(overlaps, default=0) < _LOOK_OVERLAP:
                continue
            best = int(np.argmax(overlaps))
            look = np.vstack([boxes[best].reshape(2, 2), points[best]])
            if mirrored:
                look = look[[0, 1, 3, 2, 4, 6, 5]] * (-1, 1) + (_LOOK_PX, 0)
                look[[0, 1], 0] = look[[1, 0], 0]
            looks.append(look / scale + origin)
        return looks

    def _run(
        self, image: np.ndarray, smallest_px: float, cancel: CancelToken | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(boxes [N, 4], confidences [N], points [N, 5, 2]) in pixels of `image`."""
        nothing = np.empty((0, 4)), np.empty(0), np.empty((0, 5, 2))
        smallest_px = max(smallest_px, _SMALLEST_FACE_PX)
        if min(image.shape[:2]) < smallest_px:
            return nothing
        with self._cancellable(cancel) as network, torch.inference_mode():
            network.min_face_size = smallest_px
            try:
                boxes, confidences, points = network.detect(image, landmarks=True)
            except (IndexError, RuntimeError):
                # The package loses count when a candidate lies wholly outside the picture; no face has such candidates.
                return nothing
        if boxes is None:
            return nothing
        return tuple(np.asarray(values, dtype=np.float64) for values in (boxes, confidences, points))

    @contextmanager
    def _cancellable(self, cancel: CancelToken | None) -> Iterator[MTCNN]:
        """The network, for this thread alone; inside, each of its passes looks first whether it was cancelled."""
        while not self._lock.acquire(timeout=-1 if cancel is None else _POLL_SEC):
            cancel.raise_if_cancelled()
        hooks = []
        try:
            if self._network is None:
                from facenet_pytorch import MTCNN

                self._network = MTCNN(keep_all=True, device=torch.device("cpu")).eval()
            if cancel is not None:
                stages = (self._network.pnet, self._network.rnet, self._network.onet)
                hooks = [stage.register_forward_pre_hook(lambda *_: cancel.raise_if_cancelled()) for stage in stages]
            yield self._network
        finally:
            for hook in hooks:
                hook.remove()
            self._lock.release()


@cache
def face_detector() -> FaceDetector:
    """The one that the whole program shares."""
    return FaceDetector()


def _square(image: Image.Image, origin: np.ndarray, scale: float) -> np.ndarray:
    """uint8 [_LOOK_PX, _LOOK_PX, 3]: what lies right of and below `origin` at `scale`, grey beyond the picture."""
    # The whole pixels of the view that lie within the picture.
    first = np.clip(np.ceil(-origin * scale), 0, _LOOK_PX).astype(int)
    last = np.clip(np.floor((np.array(image.size) - origin) * scale), 0, _LOOK_PX).astype(int)
    view = np.full((_LOOK_PX, _LOOK_PX, 3), _GREY, np.uint8)
    if (first < last).all():
        box = np.clip(np.concatenate([first, last]) / scale + np.tile(origin, 2), 0, np.tile(image.size, 2))
        part = image.resize(tuple((last - first).tolist()), Image.Resampling.BILINEAR, tuple(box.tolist()), reducing_gap=2.0)
        view[first[1] : last[1], first[0] : last[0]] = np.asarray(part)
    return view


def _box(corners: np.ndarray) -> tuple[float, float, float, float]:
    """[[x0, y0], [x1, y1]] as (x0, y0, x1, y1)."""
    (x0, y0), (x1, y1) = corners.tolist()
    return x0, y0, x1, y1


def _distinct(faces: Iterable[Face]) -> list[Face]:
    """The faces sorted by size and confidence, without those that overlap a larger one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.size_px * face.confidence):
        if all(_overlap(face.box, other.box) <= _SAME_FACE_OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))
