"""Families, order and layers of edits through the facade and the command line, on a tiny pack that has other families."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
import torch

from engines import api
from engines.cli.main import main
from engines.core.paths import PACKS_VARIABLE
from engines.imaging.convert import to_uint8
from tests.family_pack import pack_with_families


@pytest.fixture(scope="module")
def folder(tiny_packs_dir, tmp_path_factory):
    return pack_with_families(tiny_packs_dir / "tiny", tmp_path_factory.mktemp("families") / "tiny")


@pytest.fixture
def pack(folder, monkeypatch) -> api.Pack:
    monkeypatch.setenv(PACKS_VARIABLE, str(folder.parent))
    return api.open_pack("tiny")


def _by_hand(pack: api.Pack, person: api.Inversion, *edits) -> np.ndarray:
    codes = torch.from_numpy(person.w_plus.copy())[None]
    with torch.inference_mode():
        for family, alphas, layers in edits:
            codes = pack.family(family).edit(codes, alphas, layers)
        return to_uint8(pack.generator.synthesis(codes, noise_mode="const"))[0]


def test_a_pack_offers_what_it_has_and_reads_it_when_needed(pack):
    families = api.pack_info(pack).families
    assert tuple(family.name for family in families) == pack.families == ("LW", "SeFa", "StyleSpace")
    assert [family.attributes for family in families] == [pack.family(name).attributes for name in pack.families]
    assert pack.family("LW") is pack.edit_maps


def test_the_default_family_paints_the_same_bytes_as_ever(pack):
    person, alphas = api.surprise(pack, 1), {"Smiling": 1.0, "Male": -0.5}
    plain = api.render(pack, person, alphas)
    assert np.array_equal(plain.image, _by_hand(pack, person, ("LW", alphas, None)))
    assert np.array_equal(api.render(pack, person, alphas, family="LW").image, plain.image)
    assert set(plain.state.canonical()) == {"pack", "inversion", "alphas", "layers", "tuned"}


def test_another_family_paints_its_own_edit(pack):
    person = api.surprise(pack, 1)
    frame = api.render(pack, person, {"Smiling": 1.0}, family="SeFa")
    assert np.array_equal(frame.image, _by_hand(pack, person, ("SeFa", {"Smiling": 1.0}, None)))
    assert frame.state.canonical()["family"] == "SeFa"
    styles = api.render(pack, person, {"Smiling": 1.0}, family="StyleSpace")
    assert not np.array_equal(styles.image, person.reconstruction)
    assert np.array_equal(api.render(pack, person, {"Smiling": 0.0}, family="StyleSpace").image, person.reconstruction)
    assert np.array_equal(api.render(pack, person, {"Smiling": 1.0}, family="SeFa").image, frame.image)


def test_steps_follow_in_their_order_with_layers_of_their_own(pack):
    person = api.surprise(pack, 2)
    steps = [api.EditStep("Smiling", 2.0, (0, 3)), api.EditStep("Male", -2.0, family="SeFa"), api.EditStep("Beard", 0.0)]
    frame = api.render(pack, person, {"Beard": 1.0}, steps=steps)
    wanted = (("LW", {"Beard": 1.0}, None), ("LW", {"Smiling": 2.0}, (0, 3)), ("SeFa", {"Male": -2.0}, None))
    assert np.array_equal(frame.image, _by_hand(pack, person, *wanted))
    assert [step["attribute"] for step in frame.state.canonical()["steps"]] == ["Smiling", "Male"]
    one = api.render(pack, person, {}, steps=[api.EditStep("Smiling", 2.0), api.EditStep("Male", 2.0)])
    other = api.render(pack, person, {}, steps=[api.EditStep("Male", 2.0), api.EditStep("Smiling", 2.0)])
    assert one.state != other.state


def test_bad_families_and_steps_are_named(pack):
    person = api.surprise(pack, 1)
    with pytest.raises(
        api.OptionError, match=r"no family LT, it has LW, SeFa, StyleSpace; make it with: .* train lt --pack tiny"
    ):
        api.render(pack, person, {}, family="LT")
    with pytest.raises(api.OptionError, match="there is no edit family 'PCA'"):
        api.render(pack, person, {}, steps=[api.EditStep("Male", 1.0, family="PCA")])
    with pytest.raises(api.OptionError, match="Beard: the family SeFa of pack tiny edits Smiling, Male only"):
        api.render(pack, person, {"Beard": 1.0}, family="SeFa")
    with pytest.raises(api.OptionError, match="first < end <= 8"):
        api.render(pack, person, {}, steps=[api.EditStep("Male", 1.0, (4, 9))])
    with pytest.raises(api.OptionError, match="between -2 and 2"):
        api.render(pack, person, {}, steps=[api.EditStep("Male", 3.0)])


def _edit(*words: str) -> tuple[int, dict, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["edit", *words, "--pack", "tiny", "--json"])
    return status, json.loads(out.getvalue()) if status == 0 else {}, err.getvalue()


def test_the_command_edits_by_family_in_order_and_by_layers(pack, tmp_path):
    person, file, out = api.surprise(pack, 3), str(tmp_path / "inversion.safetensors"), tmp_path / "out.png"
    person.save(file)

    def painted() -> np.ndarray:
        return api.read_image(out).pixels

    _, found, _ = _edit(file, "--set", "Smiling=1", "--family", "SeFa", "--out", str(out))
    assert (found["family"], found["alphas"], found["steps"]) == ("SeFa", {"Smiling": 1.0}, [])
    assert np.array_equal(painted(), _by_hand(pack, person, ("SeFa", {"Smiling": 1.0}, None)))

    words = (file, "--set", "Smiling=2@0-2", "Male=-1", "Smiling=-1@5", "--layers", "3-7", "--out", str(out))
    _, found, _ = _edit(*words)
    assert [(s["attribute"], s["alpha"], s["layers"]) for s in found["steps"]] == [
        ("Smiling", 2.0, [0, 3]),
        ("Male", -1.0, [3, 8]),
        ("Smiling", -1.0, [5, 6]),
    ]
    steps = (("LW", {"Smiling": 2.0}, (0, 3)), ("LW", {"Male": -1.0}, (3, 8)), ("LW", {"Smiling": -1.0}, (5, 6)))
    assert np.array_equal(painted(), _by_hand(pack, person, *steps))

    _edit(file, "--set", "Male=1", "Smiling=1", "--in-order", "--out", str(out))
    assert np.array_equal(painted(), _by_hand(pack, person, ("LW", {"Male": 1.0}, None), ("LW", {"Smiling": 1.0}, None)))

    for words, message in (
        (("Male=1@9",), "--set Male=1@9: this pack has layers 0 to 7"),
        (("Male=1@x",), "--set Male=1@x: expected two layer numbers"),
        (("Male=1@0-2", "Male=2@0-2"), "Male is set twice"),
    ):
        status, _, error = _edit(file, "--set", *words, "--out", str(out))
        assert status == 2 and message in error
