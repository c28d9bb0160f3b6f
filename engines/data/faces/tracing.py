"""Ray casting with Embree, called through ctypes: whole arrays in, packets of sixteen rays.

The embreex wheel carries the Embree 4 library; its own Python layer copies meshes element by element, which costs more than
tracing them. The structures below follow Embree's ``rtcore_ray.h``: a packet stores every field as sixteen floats.
"""

from __future__ import annotations

import ctypes
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines.core.errors import MissingExtraError
from engines.data.faces.vectors import F32, Array

__all__ = ["Hits", "Scene"]

_LANES = 16
_RAY_ROWS, _HIT_ROWS = 12, 21
"""Rows of RTCRay16 (origin, near, direction, time, far, mask, id, flags) and of RTCRayHit16 (those, normal, u, v, ids)."""
_ORIGIN, _NEAR, _DIRECTION, _TIME, _FAR, _MASK, _ID = slice(0, 3), 3, slice(4, 7), 7, 8, 9, slice(10, 12)
_U, _V, _PRIMITIVE, _IDS = 15, 16, 17, slice(17, 20)

_TRIANGLES, _INDEX_BUFFER, _VERTEX_BUFFER, _UINT3, _FLOAT3 = 0, 0, 1, 0x5003, 0x9003
"""RTCGeometryType, RTCBufferType and RTCFormat values of Embree 4."""
_MISSING = (
    "Rendering faces needs the embreex package (4.4 or newer, with Embree 4); install it with "
    "`pip install -r requirements-train.txt`."
)


class Hits(NamedTuple):
    """What N rays met."""

    triangle: Array
    """int32 [N]; -1 where nothing was hit."""
    u: Array
    v: Array
    """Barycentric weights of the second and third corner, float32 [N]."""
    distance: Array
    """float32 [N]; infinite where nothing was hit."""


class Scene:
    """A set of triangles ready to be hit by rays. Holds its vertex and index arrays, which Embree reads in place."""

    def __init__(self, vertices: Array, triangles: Array) -> None:
        embree = _embree()
        # Embree reads sixteen bytes at every vertex: two spare ones keep the last read inside the array.
        self._vertices = np.zeros((len(vertices) + 2, 3), F32)
        self._vertices[:-2] = vertices
        self._triangles = np.ascontiguousarray(triangles, np.uint32)
        self._handle = embree.library.rtcNewScene(embree.device)
        geometry = embree.library.rtcNewGeometry(embree.device, _TRIANGLES)
        share = embree.library.rtcSetSharedGeometryBuffer
        share(geometry, _VERTEX_BUFFER, 0, _FLOAT3, self._vertices.ctypes.data, 0, 12, len(vertices))
        share(geometry, _INDEX_BUFFER, 0, _UINT3, self._triangles.ctypes.data, 0, 12, len(triangles))
        embree.library.rtcCommitGeometry(geometry)
        embree.library.rtcAttachGeometry(self._handle, geometry)
        embree.library.rtcReleaseGeometry(geometry)
        embree.library.rtcCommitScene(self._handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _embree().library.rtcReleaseScene(self._handle)

    def intersect(self, origins: Array, directions: Array) -> Hits:
        """Nearest hits of rays from `origins` ([3] for all, or [N, 3]) along `directions` [N, 3]."""
        count = len(directions)
        packets = _packets(origins, directions, _HIT_ROWS)
        packets.view(np.uint32)[:, _IDS] = 0xFFFFFFFF
        self._cast(packets, _embree().library.rtcIntersect16)
        row = lambda index: np.ascontiguousarray(packets[:, index]).reshape(-1)[:count]  # noqa: E731
        return Hits(row(_PRIMITIVE).view(np.int32), row(_U), row(_V), row(_FAR))

    def occluded(self, origins: Array, directions: Array) -> Array:
        """bool [N]: whether anything lies on the rays."""
        packets = _packets(origins, directions, _RAY_ROWS)
        self._cast(packets, _embree().library.rtcOccluded16)
        return packets[:, _FAR].reshape(-1)[: len(directions)] < 0  # Embree sets the far end to minus infinity

    def _cast(self, packets: Array, query: ctypes._CFuncPtr) -> None:
        valid, scene = _embree().all_lanes.ctypes.data, self._handle
        first, step = packets.ctypes.data, packets.strides[0]
        for address in range(first, first + len(packets) * step, step):
            query(valid, scene, address, None)


class _Embree(NamedTuple):
    library: ctypes.PyDLL
    device: int
    all_lanes: Array
    """int32 [16] of -1, aligned to 64 bytes: every ray of a packet takes part."""


@lru_cache(maxsize=1)
def _embree() -> _Embree:
    spec = importlib.util.find_spec("embreex")
    if spec is None or spec.origin is None:
        raise MissingExtraError(_MISSING)
    package = Path(spec.origin).parent
    folders = [package.parent / "embreex.libs", package / ".dylibs", package]
    names = ["libembree4*", "embree4*.dll"]
    libraries = [path for folder in folders for name in names for path in sorted(folder.glob(name))]
    if not libraries:
        raise MissingExtraError(_MISSING)
    for folder in folders:
        for dependency in sorted(folder.glob("libtbb*")):
            ctypes.CDLL(str(dependency), mode=ctypes.RTLD_GLOBAL)
    # PyDLL keeps the interpreter lock: a packet takes microseconds, giving it up costs more.
    library = ctypes.PyDLL(str(libraries[0]))
    pointer, number, size = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
    for name, result, arguments in (
        ("rtcNewDevice", pointer, [ctypes.c_char_p]),
        ("rtcNewScene", pointer, [pointer]),
        ("rtcNewGeometry", pointer, [pointer, number]),
        ("rtcSetSharedGeometryBuffer", None, [pointer, number, number, number, pointer, size, size, size]),
        ("rtcCommitGeometry", None, [pointer]),
        ("rtcAttachGeometry", number, [pointer, pointer]),
        ("rtcReleaseGeometry", None, [pointer]),
        ("rtcCommitScene", None, [pointer]),
        ("rtcReleaseScene", None, [pointer]),
        ("rtcIntersect16", None, [pointer, pointer, pointer, pointer]),
        ("rtcOccluded16", None, [pointer, pointer, pointer, pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    all_lanes = _aligned((_LANES,), np.int32)
    all_lanes[:] = -1
    return _Embree(library, library.rtcNewDevice(b"threads=1"), all_lanes)


def _aligned(shape: tuple[int, ...], dtype: type = F32) -> Array:
    """An uninitialised array of four-byte items that starts at a multiple of 64 bytes, as Embree's packets must."""
    count = int(np.prod(shape)) * 4
    raw = np.empty(count + 64, np.uint8)
    offset = (-raw.ctypes.data) % 64
    return raw[offset : offset + count].view(dtype).reshape(shape)


def _packets(origins: Array, directions: Array, rows: int) -> Array:
    """float32 [ceil(N / 16), rows, 16]; the last packet is filled up with copies of the last ray."""
    count = -(-len(directions) // _LANES)
    packets = _aligned((count, rows, _LANES))
    packets[:, _DIRECTION] = _lanes(directions, count)
    packets[:, _ORIGIN] = origins[None, :, None] if origins.ndim == 1 else _lanes(origins, count)
    packets[:, _NEAR] = 0
    packets[:, _TIME] = 0
    packets[:, _FAR] = np.inf
    integers = packets.view(np.uint32)
    integers[:, _MASK] = 0xFFFFFFFF
    integers[:, _ID] = 0
    return packets


def _lanes(vectors: Array, count: int) -> Array:
    missing = count * _LANES - len(vectors)
    if missing:
        vectors = np.concatenate([vectors, np.repeat(vectors[-1:], missing, 0)])
    return vectors.reshape(count, _LANES, 3).transpose(0, 2, 1)
