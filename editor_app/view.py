"""From the server's state to what the page is told: plain JSON with small pictures inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from editor_app import texts
from editor_app.methods import METHODS
from editor_app.preview import fit
from editor_app.sessions import Opened, Seen, Session
from engines.api import (
    POOR,
    AttributeReading,
    Frame,
    Inversion,
    InversionProgress,
    Pack,
    PackInfo,
    Picture,
    keeps_tuned,
    report,
    report_classes,
    usual_blend,
)

__all__ = [
    "Message",
    "jpeg_bytes",
    "jpeg_uri",
    "message",
    "picture_json",
    "png_uri",
    "progress_json",
    "readings_json",
    "result_json",
    "thumbnail",
    "warnings_json",
]

Message = dict[str, Any]

THUMBNAIL_PX = 480


def jpeg_uri(pixels: np.ndarray, quality: int = 90) -> str:
    """A data URI. Colour is kept at full resolution: lips and glasses are small and colourful."""
    return _uri(jpeg_bytes(pixels, quality), "jpeg")


def png_uri(pixels: np.ndarray) -> str:
    """A data URI without loss, for crops."""
    return _uri(_encoded(pixels, "png", compress_level=1), "png")


def jpeg_bytes(pixels: np.ndarray, quality: int = 90) -> bytes:
    return _encoded(pixels, "jpeg", quality=quality, subsampling=0)


def _encoded(pixels: np.ndarray, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def thumbnail(picture: Picture) -> str:
    """The photo as the left panel shows it."""
    return jpeg_uri(fit(picture.pixels, THUMBNAIL_PX), 85)


def picture_json(opened: Opened | None) -> Message | None:
    """The photo in the left panel, its faces (or its object) as boxes in shares of width and height; None for no photo."""
    if opened is None:
        return None
    picture = opened.picture
    height, width = picture.pixels.shape[:2]
    boxes = [_in_shares(face.box, width, height) for face in opened.faces]
    return {
        "opening": opened.opening,
        "name": picture.name,
        "src": opened.thumbnail,
        "width": width,
        "height": height,
        "faces": boxes,
        "region": opened.region,
        **_seen_json(opened.seen, width, height),
    }


def _in_shares(box: Sequence[float], width: int, height: int) -> list[float]:
    """A rectangle in pixels of a picture, as far as it lies inside, in shares of width and height."""
    x0, y0, x1, y1 = box
    shares = max(0.0, x0) / width, max(0.0, y0) / height, min(x1, width) / width, min(y1, height) / height
    return [round(float(value), 4) for value in shares]


def _seen_json(seen: Seen | None, width: int, height: int) -> Message:
    """The object's box, and the class that it most probably is of; nothing where the pack tells neither."""
    if seen is None:
        return {}
    told = {} if seen.class_name is None else {"class": {"name": seen.class_name, "probability": round(seen.probability, 4)}}
    return {"object": None if seen.box is None else _in_shares(seen.box, width, height), **told}


def progress_json(progress: InversionProgress) -> Message:
    """One moment of an inversion; `share` (0..1, or None) is how much of the budget is used."""
    share = progress.share
    if share is None and progress.step and progress.total:
        share = progress.step / progress.total
    return {
        "text": texts.progress_text(progress),
        "share": None if share is None else round(share, 3),
        **({} if progress.preview is None else {"preview": png_uri(progress.preview)}),
    }


def result_json(inversion: Inversion, session: Session, info: PackInfo) -> Message:
    """What the page needs to know of a finished inversion.

    `sampled`: what a sample shows, classes or a person or a picture. `saves`: what Download gives in each view, in words.
    """
    usual = "person" if info.identity else "picture"
    picture = session.picture if session.preview is not None else None
    height, width = inversion.crop.shape[:2] if picture is None else picture.pixels.shape[:2]
    return {
        "inversion": inversion.id,
        "photo": picture is not None,
        "method": METHODS[inversion.method].name if inversion.method in METHODS else inversion.method,
        "seconds": round(inversion.seconds, 2),
        "evaluations": inversion.evaluations,
        "seed": inversion.seed,
        "sampled": ", ".join(inversion.settings.get("classes", ())) or usual,
        "mse": round(inversion.mse, 5),
        "blend": usual_blend(inversion),
        "distance": texts.distance_text(inversion.perceptual, inversion.perceptual_kind),
        "from_store": session.from_store,
        "kept": picture is not None and keeps_tuned(inversion),
        "width": width,
        "height": height,
        "side": inversion.crop.shape[0],
        "saves": texts.saves(info),
    }


def warnings_json(inversion: Inversion, info: PackInfo) -> list[Message]:
    """An inversion's warnings as notices, for when it is new; `method`, where there is one, is the way out."""
    rows = []
    for warning in inversion.warnings:
        method = _closer_method(inversion.method, info) if warning.startswith(POOR) else None
        way_out = {} if method is None else {"method": method}
        rows.append({"kind": "warning", "text": texts.warning_text(warning), **way_out})
    return rows


def _closer_method(method: str, info: PackInfo) -> str | None:
    """What the pack can do that comes closer: after one look a refinement, after a search the tuning of the generator."""
    group = METHODS[method].group if method in METHODS else ""
    ways = {"quick": ("encoder-refine", "clone"), "search": ("clone",)}.get(group, ())
    return next((way for way in ways if way in info.methods), None)


def readings_json(pack: Pack, inversion: Inversion, frame: Frame) -> Message:
    """The read-out: per attribute [before, now, changed], and both levels of an ordered one; per class [before, now]; whether
    it is the same person."""
    rows: list[AttributeReading] = report(pack, inversion, frame)
    return {
        "attributes": {row.id: _row(row) for row in rows},
        "identity": None if frame.identity_similarity is None else round(frame.identity_similarity, 4),
        "classes": {row.id: [round(row.before, 4), round(row.after, 4)] for row in report_classes(pack, inversion, frame)},
    }


def _row(row: AttributeReading) -> list[float | bool | int]:
    facts: list[float | bool | int] = [round(row.before, 4), round(row.after, 4), row.changed]
    return facts if row.level_before is None else [*facts, row.level_before, row.level_after]


def message(revision: int, phase: str, **facts: Any) -> Message:
    """One message of a job to the page. phase: working, ready, choose (the user has to) or failed."""
    return {"revision": revision, "phase": phase, **facts}
