"""The three stateless endpoints for programs: packs, invert, edit. They raise LweError with a sentence that names the value."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import numpy as np

from editor_app.editor import Editor
from engines import api

__all__ = ["edit", "invert", "packs"]


def packs() -> dict[str, Any]:
    """The installed packs: ids, sizes, attributes with their slider ranges, and inversion methods."""
    return {"packs": [dataclasses.asdict(info) for info in api.list_packs()]}


def invert(editor: Editor, image: str | None, pack: str, method: str, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """The reconstruction uint8 [R, R, 3] of a picture file, and how good it is."""
    _, _, inversion = _inverted(editor, image, pack, method, seed)
    return inversion.reconstruction, _facts(inversion)


def edit(
    editor: Editor, image: str | None, pack: str, method: str, edits: object, paste_back: bool, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """The edited picture uint8 [H, W, 3], and what the predictors say about it before and after."""
    started_sec = time.perf_counter()
    alphas = _alphas(edits)
    opened, picture, inversion = _inverted(editor, image, pack, method, seed, alphas)
    frame = api.render(opened, inversion, alphas)
    rows = api.report(opened, inversion, frame)
    pixels = api.export(opened, inversion, frame, picture, paste_back=bool(paste_back))
    return pixels, {
        **_facts(inversion),
        "edits": alphas,
        "before": {row.id: row.before for row in rows},
        "after": {row.id: row.after for row in rows},
        "identity_similarity": float(frame.identity_similarity),
        "seconds": time.perf_counter() - started_sec,
    }


def _inverted(
    editor: Editor, image: str | None, pack: str, method: str, seed: int, alphas: dict[str, float] | None = None
) -> tuple[api.Pack, api.Picture, api.Inversion]:
    if not image:
        raise api.OptionError("image: a picture file is needed, none came.")
    if isinstance(seed, bool) or not isinstance(seed, (int, float)) or seed != int(seed) or seed < 0:
        raise api.OptionError(f"seed: expected a whole number from 0 up, got {seed!r}.")
    opened = api.open_pack(pack)
    # Before the inversion: nobody should wait ten seconds to learn of a misspelt word.
    api.check_method(opened, method)
    api.check_edits(opened, alphas or {})
    picture = api.read_image(image)
    cancel = api.CancelToken()
    with editor.turns.join() as turn:
        for _ in turn.wait(cancel):
            pass
        inversion = api.finish(api.invert(opened, picture, method=method, seed=int(seed), cancel=cancel))
    return opened, picture, inversion


def _alphas(edits: object) -> dict[str, float]:
    """{attribute: strength} from a JSON object, or from its text."""
    value = edits
    if isinstance(edits, str):
        try:
            value = json.loads(edits or "{}")
        except json.JSONDecodeError:
            value = edits
    numbers = isinstance(value, dict) and all(
        isinstance(alpha, (int, float)) and not isinstance(alpha, bool) for alpha in value.values()
    )
    if value is not None and not numbers:
        raise api.OptionError(f'edits: expected a JSON object such as {{"Smiling": 1.0}}, got {str(edits)[:80]!r}.')
    return {str(name): float(alpha) for name, alpha in (value or {}).items()}


def _facts(inversion: api.Inversion) -> dict[str, Any]:
    return {
        "pack": inversion.pack_id,
        "method": inversion.method,
        "seed": inversion.seed,
        "mse": float(inversion.mse),
        "perceptual": float(inversion.perceptual),
        "perceptual_kind": inversion.perceptual_kind,
        "seconds": float(inversion.seconds),
        "steps": inversion.steps,
        "warnings": list(inversion.warnings),
    }
