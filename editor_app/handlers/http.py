"""The three stateless endpoints for programs: packs, invert, edit. They raise LweError with a sentence that names the value."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from editor_app.editor import Editor
from editor_app.handlers.checks import is_number, is_whole
from editor_app.handlers.inverting import checked_options, json_object, within_limit
from engines import api

__all__ = ["edit", "invert", "packs"]

_EXAMPLE = '{"Smiling": 1.0}'


def packs() -> dict[str, Any]:
    """The installed packs: ids, sizes, attributes with their slider ranges, and inversion methods."""
    return {"packs": [dataclasses.asdict(info) for info in api.list_packs()]}


def invert(
    editor: Editor, image: str | None, pack: str, method: str, seed: int, options: object = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """The reconstruction uint8 [R, R, 3] of a picture file, and how good it is."""
    _, _, found = _inverted(editor, image, pack, method, seed, checked_options(options))
    return found.result.reconstruction, _facts(found)


def edit(
    editor: Editor,
    image: str | None,
    pack: str,
    method: str,
    edits: object,
    paste_back: bool,
    seed: int,
    options: object = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """The edited picture uint8 [H, W, 3], and what the predictors say about it before and after."""
    started_sec = time.perf_counter()
    alphas = _alphas(edits)
    blend, as_needed, edited, inverting = _own_options(options)
    opened, picture, found = _inverted(editor, image, pack, method, seed, inverting, {"alphas": alphas, **edited})
    inversion = found.result
    frame = api.render(opened, inversion, alphas, **edited, as_needed=as_needed)
    rows = api.report(opened, inversion, frame)
    classes = api.report_classes(opened, inversion, frame)
    pixels = api.export(opened, inversion, frame, picture, paste_back=bool(paste_back), blend=blend)
    return pixels, {
        **_facts(found),
        "edits": alphas,
        "family": edited["family"],
        "as_needed": frame.state.as_needed,
        "object": frame.state.object_edit.canonical(),
        "classes_before": {row.id: row.before for row in classes},
        "classes_after": {row.id: row.after for row in classes},
        "blend": blend or api.usual_blend(inversion),
        "before": {row.id: row.before for row in rows},
        "after": {row.id: row.after for row in rows},
        "identity_similarity": frame.identity_similarity,
        "seconds": time.perf_counter() - started_sec,
    }


def _own_options(options: object) -> tuple[api.Blend | None, bool, dict[str, Any], dict[str, Any]]:
    """How the edit goes back into the photo, whether it goes only as far as needed, what else api.render takes beside
    strengths, and the options of the inversion."""
    given = dict(json_object("options", options, '{"blend": "poisson"}'))
    blend = given.pop("blend", None)
    if blend is not None and blend not in api.BLENDS:
        raise api.OptionError(f"options: blend={repr(blend)[:80]}: expected {', '.join(api.BLENDS)}.")
    family = given.pop("family", api.DEFAULT_FAMILY)
    if not isinstance(family, str):
        raise api.OptionError(f"options: family={repr(family)[:80]}: expected a name like {api.DEFAULT_FAMILY}.")
    as_needed = given.pop("as_needed", False)
    if not isinstance(as_needed, bool):
        raise api.OptionError(f"options: as_needed={repr(as_needed)[:80]}: expected true or false.")
    object_edit = api.ObjectEdit.from_json(given.pop("object", {}))
    return blend, as_needed, {"family": family, "object_edit": object_edit}, checked_options(given)


def _inverted(
    editor: Editor,
    image: str | None,
    pack: str,
    method: str,
    seed: int,
    options: dict[str, Any],
    edits: dict[str, Any] | None = None,
) -> tuple[api.Pack, api.Picture, api.InversionProgress]:
    """The pack, the picture, and the record with the result."""
    if not image:
        raise api.OptionError("image: a picture file is needed, none came.")
    if not is_whole(seed) or seed < 0:
        raise api.OptionError(f"seed: expected a whole number from 0 up, got {seed!r}.")
    opened = api.open_pack(pack)
    # Before the inversion: nobody should wait ten seconds to learn of a misspelt word.
    api.check_method(opened, method)
    api.check_edits(opened, **(edits or {"alphas": {}}))
    picture = api.read_image(image)
    cancel = api.CancelToken()
    records = api.invert(opened, picture, method=method, seed=int(seed), cancel=cancel, **options)
    with editor.turns.join() as turn:
        for _ in turn.wait(cancel):
            pass
        for record in within_limit(records, cancel):
            found = record
    return opened, picture, found


def _alphas(edits: object) -> dict[str, float]:
    """{attribute: strength} from a JSON object, or from its text."""
    alphas = json_object("edits", edits, _EXAMPLE)
    for name, alpha in alphas.items():
        if not is_number(alpha):
            raise api.OptionError(f"edits: {name[:40]}={repr(alpha)[:80]}: expected a number, as in {_EXAMPLE}.")
    return {name: float(alpha) for name, alpha in alphas.items()}


def _facts(found: api.InversionProgress) -> dict[str, Any]:
    inversion = found.result
    return {
        "pack": inversion.pack_id,
        "method": inversion.method,
        "seed": inversion.seed,
        "mse": float(inversion.mse),
        "perceptual": float(inversion.perceptual),
        "perceptual_kind": inversion.perceptual_kind,
        "seconds": float(inversion.seconds),
        "steps": inversion.steps,
        "evaluations": inversion.evaluations,
        "settings": dict(inversion.settings),
        "transform": None if inversion.transform is None else dict(inversion.transform),
        "mask": None if inversion.mask is None else list(inversion.mask),
        "from_store": found.from_store,
        "warnings": list(inversion.warnings),
    }
