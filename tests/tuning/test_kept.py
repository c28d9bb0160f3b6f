"""A picture is tuned to once: the second visit, whoever makes it, is given what the first one found."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from engines.core.errors import Cancelled
from engines.core.progress import CancelToken
from engines.inversion.options import InversionOptions
from engines.inversion.result import InversionProgress
from engines.tuning import kept
from engines.tuning.kept import invert_once, store_key
from engines.tuning.store import TunedStore


@pytest.fixture
def store(tmp_path) -> TunedStore:
    return TunedStore(tmp_path / "tuned")


@pytest.fixture
def runs(monkeypatch, made):
    """Replaces the methods by quick ones; the list of the runs that were really made."""
    log: list[tuple[str, InversionOptions]] = []

    def method(name: str):
        def run(models, crop, options, cancel):
            log.append((name, options))
            for step in range(3):
                yield InversionProgress("Working", step, 3, 0.0)
            result = made(crop, method=name, number=len(log))
            if cancel.cancelled:
                object.__setattr__(result, "warnings", ("cancelled",))
            yield InversionProgress("Working", 3, 3, 0.0, result=result)

        return run

    monkeypatch.setattr(kept, "TUNING_METHODS", {name: method(name) for name in ("clone", "fine-tune")})
    return log


def _visit(pack, crop, store, *, method="clone", cancel=None, **options) -> list[InversionProgress]:
    return list(invert_once(pack, crop, InversionOptions(**options), cancel or CancelToken(), method=method, store=store))


def test_the_second_visit_is_one_record_and_says_where_it_comes_from(tiny_pack, crop, store, runs):
    first, second = (_visit(tiny_pack, crop, store) for _ in range(2))
    assert [record.from_store for record in first] == [False] * 4
    (record,) = second
    assert record.from_store and "earlier" in record.stage
    assert record.result.id == first[-1].result.id
    assert len(runs) == 1


def test_what_decides_the_result_is_tuned_anew_and_what_does_not_is_not(tiny_pack, crop, store, runs):
    other = np.ascontiguousarray(crop[::-1])
    _visit(tiny_pack, crop, store)
    _visit(tiny_pack, other, store)
    _visit(tiny_pack, crop, store, method="fine-tune")
    _visit(tiny_pack, crop, store, seed=1)
    _visit(tiny_pack, crop, store, steps=7)
    _visit(tiny_pack, crop, store, mask=(0.0, 0.0, 9.0, 9.0))
    _visit(tiny_pack, crop, store, global_loss="gan")
    _visit(tiny_pack, crop, store, transform="both")
    _visit(tiny_pack, crop, store, transform="both", space="w")
    assert len(runs) == 9
    # Of the search for a transform, which there is none of.
    _visit(tiny_pack, crop, store, space="w", encoder_start=False)
    _visit(tiny_pack, crop, store, method="fine-tune", global_loss="gan")
    assert len(runs) == 9


def test_networks_that_take_part_count_and_others_do_not(tiny_pack, crop):
    class Retrained:
        def __init__(self, kind: str) -> None:
            self._kind = kind

        def component_sha256(self, kind: str) -> str:
            return "0" * 64 if kind == self._kind else tiny_pack.component_sha256(kind)

        def __getattr__(self, name: str):
            return getattr(tiny_pack, name)

    def weights(models, method: str) -> str:
        return store_key(models, crop, InversionOptions(), method).weights

    for kind in ("generator", "encoder", "perceptual", "statistics", "edit_maps"):
        assert weights(Retrained(kind), "clone") != weights(tiny_pack, "clone"), kind
    assert weights(Retrained("discriminator"), "clone") != weights(tiny_pack, "clone")
    for method in ("clone", "fine-tune"):
        assert weights(Retrained("identity"), method) == weights(tiny_pack, method)
    assert weights(Retrained("discriminator"), "fine-tune") == weights(tiny_pack, "fine-tune")


def test_what_was_cancelled_is_not_kept(tiny_pack, crop, store, runs):
    cancel = CancelToken()
    cancel.cancel()
    assert _visit(tiny_pack, crop, store, cancel=cancel)[-1].result.warnings == ("cancelled",)
    assert not _visit(tiny_pack, crop, store)[-1].from_store
    assert len(runs) == 2


def test_two_visitors_at_once_share_one_tuning(tiny_pack, crop, store, runs):
    first = invert_once(tiny_pack, crop, InversionOptions(), CancelToken(), method="clone", store=store)
    next(first)  # holds the lock from here on
    second: list[InversionProgress] = []
    waits = threading.Event()

    def visit() -> None:
        for record in invert_once(tiny_pack, crop, InversionOptions(), CancelToken(), method="clone", store=store):
            second.append(record)
            waits.set()

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert waits.wait(60)
    last = list(first)[-1]
    visitor.join(60)
    assert len(runs) == 1
    assert second[-1].from_store
    assert second[-1].result.id == last.result.id
    assert all("Waiting" in record.stage for record in second[:-1])


def test_who_waits_can_cancel(tiny_pack, crop, store, runs):
    key = store_key(tiny_pack, crop, InversionOptions(), "clone")
    cancel = CancelToken()
    with store.try_lock(key):
        visit = invert_once(tiny_pack, crop, InversionOptions(), cancel, method="clone", store=store)
        assert "Waiting" in next(visit).stage
        cancel.cancel()
        with pytest.raises(Cancelled):
            next(visit)
    assert not runs


def test_a_visitor_who_leaves_in_the_middle_lets_the_next_one_in(tiny_pack, crop, store, runs):
    first = invert_once(tiny_pack, crop, InversionOptions(), CancelToken(), method="clone", store=store)
    next(first)
    first.close()
    assert not _visit(tiny_pack, crop, store)[-1].from_store
    assert len(runs) == 2


def test_a_store_that_cannot_be_written_to_costs_a_warning_and_no_result(tiny_pack, crop, tmp_path, runs):
    (tmp_path / "file").write_text("in the way of a folder")
    result = _visit(tiny_pack, crop, TunedStore(tmp_path / "file" / "tuned"))[-1].result
    assert "could not be kept" in result.warnings[0]
    assert result.weight_differences


def test_a_store_that_is_too_small_says_so_and_one_of_no_bytes_is_meant_so(tiny_pack, crop, tmp_path, runs):
    small, none = (_visit(tiny_pack, crop, TunedStore(tmp_path / "tuned", size))[-1].result for size in (1000, 0))
    assert "LWE_TUNED_BYTES=1000" in small.warnings[0]
    assert not none.warnings
