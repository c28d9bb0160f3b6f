"""The store of tuned generators: hits, damage, eviction, concurrent writers, and death in the middle of a write."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.tuning.store import DEFAULT_STORE_BYTES, STORE_BYTES_VARIABLE, StoreKey, TunedStore, tuned_store

NETWORKS = {"generator": "a" * 64, "encoder": "b" * 64}


def _key(crop, *, pack="tiny", method="clone", options=None, networks=None) -> StoreKey:
    return StoreKey.of(crop, pack, method, options or {"steps": 5, "mask": None}, networks or NETWORKS)


def _files(store_folder) -> list[str]:
    return sorted(path.name for path in store_folder.iterdir())


def _aged(folder, name: str, days: float) -> None:
    moment = time.time() - days * 86400
    os.utime(folder / f"{name}.tuned", (moment, moment))


@pytest.fixture
def store(tmp_path) -> TunedStore:
    return TunedStore(tmp_path / "tuned")


def test_an_entry_comes_back_to_the_last_bit(store, crop, made):
    key, inversion = _key(crop), made(crop)
    assert store.get(key) is None
    store.put(key, inversion)
    found = store.get(key)
    assert found.id == inversion.id
    for field in dataclasses.fields(inversion):
        old, new = getattr(inversion, field.name), getattr(found, field.name)
        assert np.array_equal(old, new) if isinstance(old, np.ndarray) else field.name == "weight_differences" or old == new
    for name, difference in inversion.weight_differences.items():
        assert found.weight_differences[name].dtype == difference.dtype
        assert found.weight_differences[name].tobytes() == difference.tobytes()


def test_anything_that_decides_the_result_has_an_entry_of_its_own(store, crop, made):
    store.put(_key(crop), made(crop))
    other = crop.copy()
    other[0, 0, 0] ^= 1
    for key in (
        _key(other),
        _key(crop, pack="other"),
        _key(crop, method="fine-tune"),
        _key(crop, options={"steps": 6, "mask": None}),
        _key(crop, options={"steps": 5, "mask": [0.0, 0.0, 8.0, 8.0]}),
    ):
        assert store.get(key) is None
    assert store.get(_key(crop)) is not None


def test_the_order_of_options_and_networks_does_not_count(crop):
    backwards = {"encoder": "b" * 64, "generator": "a" * 64}
    assert _key(crop, options={"mask": None, "steps": 5}, networks=backwards) == _key(crop)


def test_an_entry_of_other_weights_is_removed_when_it_is_met(store, crop, made, tmp_path):
    store.put(_key(crop), made(crop))
    retrained = _key(crop, networks={**NETWORKS, "generator": "c" * 64})
    assert store.get(retrained) is None
    assert _files(tmp_path / "tuned") == []


def test_any_damage_is_noticed_and_the_entry_removed(store, crop, made, tmp_path):
    key = _key(crop)
    store.put(key, made(crop))
    path = tmp_path / "tuned" / f"{key.name}.tuned"
    whole = path.read_bytes()
    head = whole.index(b"\n")
    damages = [b"", whole[:head], whole[: head + 20], whole[:-1], whole[: len(whole) // 2], whole + b"\0", b"\x00" * 300]
    for position in (0, 5, head - 2, head, head + 3, head + 40, len(whole) // 2, len(whole) - 1):
        damages.append(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
    # A number that is none, and a line too deep to read.
    damages += [whole.replace(b'"format": 1', b'"format": 1e999', 1), b"[" * 9000 + whole[head:]]
    assert b"1e999" in damages[-2]
    for damage in damages:
        path.write_bytes(damage)
        assert len(store.entries()) <= 1
        assert store.get(key) is None
        assert not path.exists()
    path.write_bytes(whole)
    assert store.get(key) is not None


def test_nothing_of_the_picture_shows_in_the_file(store, crop, made, tmp_path):
    key, inversion = _key(crop), made(crop)
    store.put(key, inversion)
    kept = (tmp_path / "tuned" / f"{key.name}.tuned").read_bytes()
    for secret in (crop[0].tobytes(), inversion.w_plus[0].tobytes(), b"weights.", b"reconstruction"):
        assert secret in inversion.to_bytes()
        assert secret not in kept
    # Someone with the file alone knows its name; the key is not among what can be made of it.
    renamed = dataclasses.replace(key, secret=bytes.fromhex(key.name))
    assert store.get(renamed) is None


def test_the_least_recently_used_go_first(tmp_path, crop, made):
    folder = tmp_path / "tuned"
    keys = [_key(crop, options={"steps": steps}) for steps in range(4)]
    TunedStore(folder).put(keys[0], made(crop))
    size = (folder / f"{keys[0].name}.tuned").stat().st_size
    store = TunedStore(folder, 3 * size + size // 2)
    for index, key in enumerate(keys[:3]):
        store.put(key, made(crop))
        _aged(folder, key.name, 10 - index)
    assert store.get(keys[0]) is not None  # the oldest is used again, and counts as new
    store.put(keys[3], made(crop))
    assert [store.get(key) is not None for key in keys] == [True, False, True, True]
    assert sum(entry.bytes for entry in store.entries()) <= 3 * size + size // 2


def test_what_does_not_fit_at_all_is_not_kept_and_evicts_nothing(tmp_path, crop, made):
    store = TunedStore(tmp_path / "tuned", 12_000)
    store.put(_key(crop), made(crop))
    with pytest.raises(OSError, match=r"more than the whole store \(LWE_TUNED_BYTES=12000\)"):
        store.put(_key(crop, method="fine-tune"), made(crop, size=40_000))
    assert store.get(_key(crop)) is not None
    assert store.get(_key(crop, method="fine-tune")) is None


def test_a_store_of_no_bytes_keeps_nothing(tmp_path, crop, made):
    TunedStore(tmp_path / "tuned", 0).put(_key(crop), made(crop))
    assert not (tmp_path / "tuned").exists()


def test_entries_tell_what_they_are_without_their_picture(store, crop, made, tmp_path):
    for method, days in (("clone", 3.0), ("fine-tune", 1.0)):
        store.put(_key(crop, method=method), made(crop, method=method))
        _aged(tmp_path / "tuned", _key(crop, method=method).name, days)
    (tmp_path / "tuned" / f"{'0' * 64}.tuned").write_bytes(b"no entry")
    entries = store.entries()
    assert [(entry.pack, entry.method, entry.mse) for entry in entries] == [
        ("tiny", "fine-tune", 0.125),
        ("tiny", "clone", 0.125),
    ]
    assert [round(entry.age_days, 3) for entry in entries] == [1.0, 3.0]
    assert all(entry.bytes == (tmp_path / "tuned" / f"{_key(crop).name}.tuned").stat().st_size for entry in entries[1:])


def test_clearing_takes_all_or_what_was_not_used_for_long(store, crop, made, tmp_path):
    for method, days in (("clone", 3.0), ("fine-tune", 1.0)):
        store.put(_key(crop, method=method), made(crop, method=method))
        _aged(tmp_path / "tuned", _key(crop, method=method).name, days)
    assert [entry.method for entry in store.clear(2)] == ["clone"]
    assert [entry.method for entry in store.entries()] == ["fine-tune"]
    (tmp_path / "tuned" / f"{'0' * 64}.tuned").write_bytes(b"no entry")
    assert [entry.method for entry in store.clear()] == ["fine-tune"]
    assert _files(tmp_path / "tuned") == []


def test_an_empty_store_needs_no_folder(store, crop, tmp_path):
    assert store.entries() == [] == store.clear()
    assert store.get(_key(crop)) is None
    assert not (tmp_path / "tuned").exists()


def test_one_holder_at_a_time_and_no_lock_left_behind(store, crop, tmp_path):
    key = _key(crop)
    with store.try_lock(key) as first, store.try_lock(key) as second, store.try_lock(_key(crop, method="x")) as other:
        assert (first, second, other) == (True, False, True)
    with store.try_lock(key) as again:
        assert again
    assert _files(tmp_path / "tuned") == []


def test_the_bound_comes_from_the_environment(monkeypatch):
    assert tuned_store()._capacity_bytes == DEFAULT_STORE_BYTES
    monkeypatch.setenv(STORE_BYTES_VARIABLE, "1000")
    assert tuned_store()._capacity_bytes == 1000
    for text in ("", "-5", "1e6", "much"):
        monkeypatch.setenv(STORE_BYTES_VARIABLE, text)
        with pytest.raises(OptionError, match=STORE_BYTES_VARIABLE):
            tuned_store()


WRITER = """
import os, signal, sys
from pathlib import Path
import numpy as np
import engines.core.atomic as atomic
from engines.inversion.result import Inversion
from engines.tuning.store import StoreKey, TunedStore

folder, inversion, moment = Path(sys.argv[1]), Inversion.load(sys.argv[2]), sys.argv[3]
store = TunedStore(folder)
key = StoreKey.of(inversion.crop, "tiny", "clone", {"steps": 5, "mask": None}, {"generator": "a" * 64, "encoder": "b" * 64})
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with store.try_lock(key) as free:
    assert free
    if moment == "half":
        Path.write_bytes = lambda path, data: (path.open("wb").write(data[: len(data) // 2]), die())
    else:
        os.replace = die
    store.put(key, inversion)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
@pytest.mark.parametrize("moment", ["half", "before the rename"])
def test_a_writer_that_is_killed_leaves_a_store_that_works(store, crop, made, tmp_path, moment):
    folder, inversion, key = tmp_path / "tuned", made(crop), _key(crop)
    inversion.save(tmp_path / "inversion.safetensors")
    words = [sys.executable, "-c", WRITER, str(folder), str(tmp_path / "inversion.safetensors"), moment]
    died = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert died.returncode == -signal.SIGKILL, died.stderr
    left = _files(folder)
    assert len(left) == 2  # the half-written file and the lock
    # The system has let go of the dead holder's lock; no reader ever takes the half for an entry.
    assert store.get(key) is None
    assert store.entries() == []
    with store.try_lock(key) as free:
        assert free
        store.put(key, inversion)
    assert store.get(key).id == inversion.id
    # What it left is swept up once it is surely nobody's.
    for name in left:
        if (folder / name).exists():
            os.utime(folder / name, (0, 0))
    store.put(_key(crop, method="fine-tune"), made(crop))
    assert _files(folder) == sorted(f"{_key(crop, method=method).name}.tuned" for method in ("clone", "fine-tune"))
