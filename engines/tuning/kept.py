"""Tuning that happens once for a picture: the store is asked first, and keeps what was found."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from engines.core.progress import CancelToken
from engines.inversion.deciding_options import deciding_options
from engines.inversion.options import InversionOptions
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.inversion.result import CANCELLED, InversionProgress
from engines.tuning.cohesion import WITH_TRAINING_PICTURES
from engines.tuning.methods import TUNING_METHODS
from engines.tuning.models import TuningModels
from engines.tuning.store import StoreKey, TunedStore

__all__ = ["invert_once", "store_key"]

_USED_IF_THERE = ("edit_maps", "class_predictor")
_REVISION = 5
"""Of the tuning methods: what an older one left is not found any more."""
_FOUND, _WAITING = "Found from an earlier visit", "Waiting for another tuning to this picture"
_POLL_SEC = 0.1


def invert_once(
    models: TuningModels,
    crop: np.ndarray,
    options: InversionOptions,
    cancel: CancelToken,
    *,
    method: str,
    store: TunedStore,
) -> Iterator[InversionProgress]:
    """The records of a tuning method, or a single one with the store's result.

    While another process or thread tunes to the same picture in the same way, this waits, and takes what that one finds. A
    cancelled result is not kept. Where the store cannot be written to, the result says so in its warnings.
    """
    started = time.perf_counter()
    key = store_key(models, crop, options, method)
    kept = store.get(key)
    while kept is None:
        with store.try_lock(key) as free:
            if free:
                # The one who held the lock until now may have made it.
                kept = store.get(key)
                if kept is None:
                    yield from _keeping(TUNING_METHODS[method](models, crop, options, cancel), store, key)
                    return
        if kept is None:
            cancel.raise_if_cancelled()
            yield InversionProgress(_WAITING, 0, None, time.perf_counter() - started)
            time.sleep(_POLL_SEC)
    elapsed_sec = time.perf_counter() - started
    yield InversionProgress(
        _FOUND, kept.steps, kept.steps, elapsed_sec, preview=kept.reconstruction, result=kept, from_store=True
    )


def _keeping(records: Iterator[InversionProgress], store: TunedStore, key: StoreKey) -> Iterator[InversionProgress]:
    """The records; their result goes into the store."""
    for record in records:
        if record.result is not None and CANCELLED not in record.result.warnings:
            try:
                store.put(key, record.result)
            except OSError as error:
                warning = f"The tuned weights could not be kept for the next visit: {error.strerror or error}."
                result = dataclasses.replace(record.result, warnings=(*record.result.warnings, warning))
                record = dataclasses.replace(record, result=result)
        yield record


def store_key(models: TuningModels, crop: np.ndarray, options: InversionOptions, method: str) -> StoreKey:
    """Where the result for a crop is kept."""
    names = deciding_options(method, options.transform)
    values: dict[str, Any] = {"revision": _REVISION, **{name: getattr(options, name) for name in names}}
    if_there = [*_USED_IF_THERE, *(["training_sample"] if values.get("global_loss") in WITH_TRAINING_PICTURES else [])]
    kinds = [*METHOD_COMPONENTS[method], *(kind for kind in if_there if models.has(kind))]
    networks = {kind: models.component_sha256(kind) for kind in kinds}
    return StoreKey.of(crop, models.id, method, values, networks)
