"""The three stateless endpoints for programs: packs, invert, edit. They raise LweError with a sentence that names the value.

invert and edit are generators: between two of their messages a client that has gone away is noticed, and its work ends.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from editor_app import texts
from editor_app.editor import Editor
from editor_app.handlers.checks import is_number, is_whole
from editor_app.handlers.inverting import checked_options, json_object, within_limit
from editor_app.turns import Turn
from engines import api

__all__ = ["edit", "invert", "packs"]

_EXAMPLE = '{"Smiling": 1.0}'
_LONGEST_NAME = 64
_MESSAGE_PERIOD_SEC = 0.5

Answer = tuple[np.ndarray | None, dict[str, Any]]
"""(picture, facts); until the last one (None, {"progress": a sentence})."""


def packs() -> dict[str, Any]:
    """The installed packs: ids, sizes, attributes with their slider ranges, and inversion methods."""
    return {"packs": [dataclasses.asdict(info) for info in api.list_packs()]}


def invert(editor: Editor, image: str | None, pack: str, method: str, seed: int, options: object = None) -> Iterator[Answer]:
    """The reconstruction uint8 [R, R, 3] of a picture file, and how good it is."""
    _, _, found = yield from _inverted(editor, image, pack, method, seed, checked_options(options))
    yield found.result.reconstruction, _facts(found)


def edit(
    editor: Editor,
    image: str | None,
    pack: str,
    method: str,
    edits: object,
    paste_back: bool,
    seed: int,
    options: object = None,
) -> Iterator[Answer]:
    """The edited picture uint8 [H, W, 3], and what the predictors say about it before and after."""
    started_sec = time.perf_counter()
    alphas = _alphas(edits)
    blend, as_needed, edited, inverting = _own_options(options)
    opened, picture, found = yield from _inverted(editor, image, pack, method, seed, inverting, {"alphas": alphas, **edited})
    inversion = found.result
    frame = api.render(opened, inversion, alphas, **edited, as_needed=as_needed)
    rows = api.report(opened, inversion, frame)
    classes = api.report_classes(opened, inversion, frame)
    with editor.exports.join() as turn:
        yield from _waited(turn, api.CancelToken())
        pixels = api.export(opened, inversion, frame, picture, paste_back=bool(paste_back), blend=blend)
    yield (
        pixels,
        {
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
        },
    )


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
) -> Generator[Answer, None, tuple[api.Pack, api.Picture, api.InversionProgress]]:
    """The pack, the picture, and the record with the result."""
    if not image:
        raise api.OptionError("image: a picture file is needed, none came.")
    if not is_whole(seed) or seed < 0:
        raise api.OptionError(f"seed: expected a whole number from 0 up, got {seed!r}.")
    opened = api.open_pack(_installed(pack))
    if not isinstance(method, str) or len(method) > _LONGEST_NAME:
        raise api.OptionError(f"method: expected one of {', '.join(api.pack_info(opened).methods)}.")
    # Before the inversion: nobody should wait ten seconds to learn of a misspelt word.
    api.check_method(opened, method)
    api.check_edits(opened, **(edits or {"alphas": {}}))
    cancel = api.CancelToken()
    with editor.openings.join() as turn:
        yield from _waited(turn, cancel)
        picture = api.read_image(image, cancel=cancel)
        records = api.invert(opened, picture, method=method, seed=int(seed), cancel=cancel, **options)
    with editor.turns.join() as turn:
        yield from _waited(turn, cancel)
        told_sec = time.monotonic()
        for record in within_limit(records, cancel):
            found = record
            if record.result is None and time.monotonic() - told_sec >= _MESSAGE_PERIOD_SEC:
                told_sec = time.monotonic()
                yield None, {"progress": texts.progress_text(record)}
    return opened, picture, found


def _waited(turn: Turn, cancel: api.CancelToken) -> Iterator[Answer]:
    """Messages until it is the caller's turn."""
    for ahead in turn.wait(cancel, look_every_sec=_MESSAGE_PERIOD_SEC):
        yield None, {"progress": texts.waiting_text(ahead)}


def _installed(pack: object) -> str:
    """The id of a pack that is there. Raises OptionError naming those there are."""
    known = [info.id for info in api.list_packs()]
    if pack not in known:
        raise api.OptionError(f"pack: there is no pack {repr(pack)[:_LONGEST_NAME]}; installed: {', '.join(known)}.")
    return pack


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
