"""The inversion record and its file."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import load, load_file, save, save_file

from engines.core.errors import InversionFileError
from engines.inversion.result import Inversion


def _inversion(**changes) -> Inversion:
    rng = np.random.default_rng(7)
    values = {
        "pack_id": "tiny",
        "pack_hash": "0123456789abcdef",
        "method": "encoder-refine",
        "w_plus": rng.normal(size=(8, 16)).astype(np.float32),
        "crop": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8),
        "reconstruction": rng.integers(0, 256, (32, 32, 3), dtype=np.uint8),
        "mse": 0.1 + 0.2,
        "perceptual": 1 / 3,
        "perceptual_kind": "pack",
        "seconds": 1.25,
        "steps": 40,
        "warnings": ("Ünusual – “quoted”",),
        "alignment": {"matrix": [[1 / 3, 0.0, 5.0], [0.0, 1 / 3, -7.0]], "crop_px": 32, "picture_px": [640, 480]},
        "seed": 3,
    }
    return Inversion(**{**values, **changes})


def test_a_file_gives_back_every_field_to_the_last_bit(tmp_path):
    before = _inversion()
    before.save(tmp_path / "new" / "inversion.safetensors")
    after = Inversion.load(tmp_path / "new" / "inversion.safetensors")
    for field in dataclasses.fields(Inversion):
        old, new = getattr(before, field.name), getattr(after, field.name)
        same = np.array_equal(old, new) and old.dtype == new.dtype if isinstance(old, np.ndarray) else old == new
        assert same, field.name
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["inversion.safetensors"]


def test_the_same_inversion_makes_the_same_file():
    # The library's own order of what it writes differs between calls in five of six cases.
    files = {_inversion().to_bytes() for _ in range(10)}
    assert len(files) == 1
    assert load(files.pop())["w_plus"].shape == (8, 16)


def test_the_id_names_the_content_and_not_how_it_was_made():
    first = _inversion()
    assert _inversion(seconds=9.0, steps=1, warnings=()).id == first.id
    moved = first.w_plus.copy()
    moved[0, 0] += 1e-6
    changes = [{"w_plus": moved}, {"crop": first.reconstruction}, {"pack_hash": "f" * 16}, {"alignment": None}]
    assert len({first.id, *(_inversion(**change).id for change in changes)}) == 5


def test_arrays_cannot_be_changed():
    inversion = _inversion()
    with pytest.raises(ValueError, match="read-only"):
        inversion.w_plus[0, 0] = 1


def test_the_callers_arrays_stay_its_own():
    codes = np.zeros((8, 16), np.float32)
    inversion = _inversion(w_plus=codes)
    codes[0, 0] = 5
    assert inversion.w_plus[0, 0] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"w_plus": np.full((8, 16), np.nan, np.float32)},
        {"w_plus": np.zeros(16, np.float32)},
        {"crop": np.zeros((32, 32, 3), np.float32)},
        {"crop": np.zeros((16, 16, 3), np.uint8)},
        {"reconstruction": np.zeros((32, 31, 3), np.uint8)},
    ],
)
def test_codes_and_pictures_of_another_kind_are_refused(changes):
    with pytest.raises(ValueError, match=r"shape|must be"):
        _inversion(**changes)


def test_every_way_a_file_can_be_damaged_is_told_with_its_name(tmp_path):
    path = tmp_path / "inversion.safetensors"
    _inversion().save(path)
    whole = path.read_bytes()

    def refused(text: str) -> None:
        with pytest.raises(InversionFileError, match=text) as caught:
            Inversion.load(path)
        assert str(path) in str(caught.value)

    for cut in (0, 4, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused("not a whole safetensors file")
    path.write_bytes(b"\x89PNG" + whole)
    refused("not a whole safetensors file")
    path.unlink()
    refused("no such")
    path.mkdir()
    refused("no such")


def test_a_safetensors_file_of_another_kind_or_version_is_refused(tmp_path):
    path, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    _inversion().save(path)
    arrays = load_file(path)
    facts = {"pack_id": "tiny"}

    def saved(metadata, arrays=arrays):
        save_file(arrays, other, metadata=metadata)
        return other

    good = {"format": "latent-wasserstein-editor/inversion", "version": "1"}
    for metadata, text in [
        (None, "holds no inversion"),
        ({**good, "version": "3"}, "version 3"),
        ({**good, "inversion": "{"}, "damaged"),
        ({**good, "inversion": json.dumps(facts)}, "damaged"),
        (good, "damaged"),
    ]:
        with pytest.raises(InversionFileError, match=text):
            Inversion.load(saved(metadata))


def test_codes_that_are_not_numbers_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    _inversion().save(path)
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    arrays = load_file(path)
    arrays["w_plus"][0, 0] = np.inf
    save_file(arrays, path, metadata=metadata)
    with pytest.raises(InversionFileError, match="finite"):
        Inversion.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"losses": [[float("inf"), 0.5]]},
        {"mse": 10**400},
        {"mse": float("nan")},
        {"mse": "much"},
        {"mask": [0, 0, 10**400, 9]},
        {"mask": [0, 0, float("inf"), 9]},
        {"mask": [0, 0, 9]},
        {"pack_id": 5},
        {"method": None},
        {"steps": "many"},
        {"warnings": [1]},
        {"settings": [5]},
        {"alignment": 5},
        {"alignment": {}},
        {"alignment": {"matrix": [[float("nan"), 0, 5], [0, 1, 7]], "crop_px": 32, "picture_px": [640, 480]}},
        {"alignment": {"matrix": [[1, 0, 5], [0, 1, 7]], "crop_px": float("inf"), "picture_px": [640, 480]}},
        {"alignment": {"matrix": [[1, 0, 5], [0, 1, 7]], "crop_px": 10**9, "picture_px": [640, 480]}},
        {"alignment": {"matrix": [[1, 0, 5], [0, 1, 7]], "crop_px": 32, "picture_px": 640}},
        {"transform": {"scale": [1, 10**400], "shift": [0, 0], "brightness": 0}},
        {"transform": {"scale": [], "shift": [0, 0], "brightness": 0}},
    ],
)
def test_facts_that_no_method_writes_are_refused(changes):
    with pytest.raises(InversionFileError, match=r"mine\.safetensors: damaged contents"):
        Inversion.from_bytes(_with_facts(json.dumps({**_facts(), **changes})), "mine.safetensors")


def test_facts_of_endless_brackets_are_refused():
    with pytest.raises(InversionFileError, match="damaged contents"):
        Inversion.from_bytes(_with_facts("[" * 100_000), "mine.safetensors")


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3"])
def test_numbers_that_numpy_does_not_have_are_refused(dtype):
    size = {"BF16": 2, "F8_E4M3": 1}[dtype]
    header = json.dumps({"w_plus": {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}}).encode()
    with pytest.raises(InversionFileError, match="not a whole safetensors file"):
        Inversion.from_bytes(len(header).to_bytes(8, "little") + header + bytes(size), "mine.safetensors")


def _facts() -> dict:
    data = _inversion().to_bytes()
    return json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["inversion"])


def _with_facts(text: str) -> bytes:
    """The file of an inversion with other facts."""
    good = {"format": "latent-wasserstein-editor/inversion", "version": "2"}
    return save(load(_inversion().to_bytes()), metadata={**good, "inversion": text})
