"""Edits of the object as a whole: class, place, size and truncation of a class-conditional pack's pictures."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest
import torch

from engines import api
from engines.cli.main import main
from engines.core.errors import OptionError
from engines.core.paths import PACKS_VARIABLE
from engines.editing.transport import normal_transport
from engines.generators.labels import one_hot
from engines.imaging.convert import to_tensor, to_uint8
from engines.packs.class_codes import class_covariance
from engines.packs.load import Pack
from engines.session.objects import ARRIVAL_TRUNCATION, retyped
from tests.tiny_pack import TINY_CLASSES

_CLASS = TINY_CLASSES[1]


@pytest.fixture
def creature(class_pack: Pack) -> api.Inversion:
    """A sample of the second class."""
    return api.surprise(class_pack, 5, 1.0, _CLASS)


def _painted(pack: Pack, w_plus: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return to_uint8(pack.generator.synthesis(w_plus, noise_mode="const"))[0]


def _codes(inversion: api.Inversion) -> torch.Tensor:
    return torch.from_numpy(inversion.w_plus.copy())[None]


def _near(picture: np.ndarray, other: np.ndarray) -> bool:
    """Sums in another order may round another way."""
    return int(np.abs(picture.astype(int) - other).max()) <= 1


def test_nothing_asked_is_the_reconstruction_bit_for_bit(class_pack, creature):
    for edit in (api.ObjectEdit(), api.ObjectEdit("bell", 0.0), api.ObjectEdit(shift=(-0.0, 0.0), zoom=1.0)):
        frame = api.render(class_pack, creature, {}, object_edit=edit)
        assert np.array_equal(frame.image, creature.reconstruction)
        assert "object" not in frame.state.canonical() and frame.state == api.render(class_pack, creature, {}).state


def test_truncation_goes_straight_to_the_mean_of_the_class(class_pack, creature):
    """w' = m_c + psi (w - m_c), m_c the mean of the class that the sample was drawn of."""
    mean = class_pack.statistics["w_class_avg"][1]
    for psi in (0.0, 0.4):
        frame = api.render(class_pack, creature, {}, object_edit=api.ObjectEdit(truncation=psi))
        assert _near(frame.image, _painted(class_pack, mean + psi * (_codes(creature) - mean)))
    twice = api.render(class_pack, api.surprise(class_pack, 5, 0.5, _CLASS), {}, object_edit=api.ObjectEdit(truncation=0.5))
    assert _near(twice.image, api.surprise(class_pack, 5, 0.25, _CLASS).reconstruction), "truncations multiply"


def test_truncation_without_classes_goes_to_the_mean_picture(tiny_pack):
    person = api.surprise(tiny_pack, 5, 1.0)
    frame = api.render(tiny_pack, person, {}, object_edit=api.ObjectEdit(truncation=0.3))
    assert _near(frame.image, api.surprise(tiny_pack, 5, 0.3).reconstruction)


def test_the_morph_ends_where_the_transport_map_to_the_truncated_class_carries_the_code(class_pack, creature):
    means = class_pack.statistics["w_class_avg"]
    labels = one_hot(range(3), 3)
    source, target = (class_covariance(class_pack, labels[c]) for c in (1, 2))
    matrix = normal_transport(source, ARRIVAL_TRUNCATION**2 * target)
    for alpha in (0.5, 1.0):
        frame = api.render(class_pack, creature, {}, object_edit=api.ObjectEdit("bell", alpha))
        end = means[2] + (_codes(creature) - means[1]) @ matrix
        assert _near(frame.image, _painted(class_pack, (1 - alpha) * _codes(creature) + alpha * end))


def test_the_mean_of_a_class_morphs_into_the_mean_of_the_other(class_pack):
    mean_ball, mean_bell = (api.surprise(class_pack, 3, 0.0, name) for name in ("ball", "bell"))
    frame = api.render(class_pack, mean_ball, {}, object_edit=api.ObjectEdit("bell"))
    assert _near(frame.image, mean_bell.reconstruction)
    own = api.render(class_pack, mean_ball, {}, object_edit=api.ObjectEdit("ball"))
    assert _near(own.image, mean_ball.reconstruction), "its own class changes nothing"


def test_morphed_codes_are_as_typical_of_the_other_class_as_its_own_samples(class_pack):
    """Squared Mahalanobis distances of the carried codes of a class, mean D for samples of the target class itself."""
    labels = one_hot(range(3), 3)
    z = torch.randn(400, 16)
    with torch.no_grad():
        w = class_pack.generator.mapping(z, labels[0].expand(400, -1))
    means, (source, target) = class_pack.statistics["w_class_avg"], (class_covariance(class_pack, labels[c]) for c in (0, 2))
    carried = (w - means[0]) @ normal_transport(source, target)
    distances = ((carried @ torch.linalg.pinv(target)) * carried).sum(1)
    shifted = w - means[0]
    by_means = ((shifted @ torch.linalg.pinv(target)) * shifted).sum(1)
    assert float(distances.mean()) == pytest.approx(16, rel=0.1) and float(by_means.mean()) > 2 * 16


def test_a_photo_is_of_the_class_that_the_predictor_sees(class_pack, creature):
    """Without a class it was sampled with, the source is the mixture of the predictor's probabilities."""
    photo = dataclasses.replace(creature, settings={})
    with torch.inference_mode():
        seen = class_pack.class_predictor.probabilities(to_tensor(photo.reconstruction.copy()))[0]
    centre = seen @ class_pack.statistics["w_class_avg"]
    frame = api.render(class_pack, photo, {}, object_edit=api.ObjectEdit(truncation=0.2))
    assert _near(frame.image, _painted(class_pack, centre + 0.2 * (_codes(photo) - centre)))


def test_shift_and_zoom_go_along_the_directions(class_pack, creature):
    directions = class_pack.steering.directions
    frame = api.render(class_pack, creature, {}, object_edit=api.ObjectEdit(shift=(0.1, -0.2), zoom=1.5))
    moved = _codes(creature) + 0.1 * directions[0] - 0.2 * directions[1] + np.log(1.5) * directions[2]
    assert _near(frame.image, _painted(class_pack, moved))


def test_the_order_is_truncation_class_attributes_shift(class_pack, creature):
    edit = api.ObjectEdit("bell", 0.7, (0.1, 0.0), 1.2, 0.5)
    frame = api.render(class_pack, creature, {"Male": 1.0}, object_edit=edit)
    codes = _codes(creature)
    for part in (api.ObjectEdit(truncation=0.5), api.ObjectEdit("bell", 0.7)):
        codes = retyped(class_pack, creature, codes, {}, part)
    with torch.inference_mode():
        codes = class_pack.edit_maps.edit(codes, {"Male": 1.0})
        codes = class_pack.steering.moved(codes, (0.1, 0.0), 1.2)
    assert _near(frame.image, _painted(class_pack, codes))


def test_the_read_out_is_the_predictors(class_pack, creature):
    frame = api.render(class_pack, creature, {}, object_edit=api.ObjectEdit("bell"))
    rows = api.report_classes(class_pack, creature, frame)
    assert [(row.id, row.name) for row in rows] == [("ball", "Ball"), ("box", "Box"), ("bell", "Bell")]
    with torch.inference_mode():
        for picture, said in ((creature.reconstruction, "before"), (frame.image, "after")):
            wanted = class_pack.class_predictor.probabilities(to_tensor(picture.copy()))[0].tolist()
            assert [getattr(row, said) for row in rows] == pytest.approx(wanted, abs=1e-6)
    assert sum(frame.classes.values()) == pytest.approx(1)


def test_a_pack_without_classes_has_no_read_out(tiny_pack):
    person = api.surprise(tiny_pack, 1)
    frame = api.render(tiny_pack, person, {"Male": 1.0})
    assert frame.classes == {} and api.report_classes(tiny_pack, person, frame) == []
    info = api.pack_info(tiny_pack)
    assert not info.class_readout and not info.finds_objects and info.steering is None


def test_the_facts_of_the_pack_say_what_can_be_asked(class_pack):
    info = api.pack_info(class_pack)
    assert info.class_readout and info.finds_objects and info.steering == api.SteeringInfo(0.2, 1.5)


def test_the_class_of_a_picture_is_told_before_any_inversion(class_pack):
    picture = api.Picture(np.full((40, 60, 3), 90, np.uint8), "grey", ())
    aligned = api.align(class_pack, picture, None)
    told = api.classes_of(class_pack, aligned)
    assert tuple(told) == TINY_CLASSES and sum(told.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"class": "cat"}, "no class 'cat'; its classes are ball, box, bell"),
        ({"class": 3}, "class=3"),
        ({"class": "bell", "class_alpha": 1.5}, "class_alpha=1.5: use 0 to 1"),
        ({"class": "bell", "class_alpha": float("nan")}, "class_alpha=nan"),
        ({"shift": [0.3, 0]}, "shift=0.3,0: use -0.2 to 0.2"),
        ({"shift": 0.1}, "shift=0.1: two numbers"),
        ({"shift": ["a", 0]}, "shift=a: a finite number"),
        ({"zoom": 0}, "zoom=0"),
        ({"zoom": 1.6}, "zoom=1.6: use 0.667 to 1.5"),
        ({"zoom": True}, "zoom=True"),
        ({"truncation": -0.1}, "truncation=-0.1: use 0 to 1"),
        ({"turn": 1}, "expected a JSON object with some of class"),
        ([1], "expected a JSON object"),
    ],
)
def test_what_cannot_be_asked_is_told(class_pack, creature, edit, message):
    with pytest.raises(OptionError, match=message):
        api.render(class_pack, creature, {}, object_edit=api.ObjectEdit.from_json(edit))


def test_json_and_back(class_pack):
    for edit in (api.ObjectEdit(), api.ObjectEdit("bell", 0.4, (0.1, -0.2), 1.3, 0.6), api.ObjectEdit(zoom=0.8)):
        assert api.ObjectEdit.from_json(json.loads(json.dumps(edit.canonical()))) == edit


def test_a_pack_without_directions_says_how_to_make_them(tiny_pack):
    person = api.surprise(tiny_pack, 1)
    with pytest.raises(OptionError, match="train steering --pack tiny"):
        api.render(tiny_pack, person, {}, object_edit=api.ObjectEdit(zoom=1.1))
    with pytest.raises(OptionError, match="has no classes"):
        api.render(tiny_pack, person, {}, object_edit=api.ObjectEdit("bell"))


# ---- the commands -----------------------------------------------------------------------------------------------


def _run(capsys, *words: str) -> tuple[int, dict, str]:
    status = main([*words, "--json"])
    out, said = capsys.readouterr()
    return status, json.loads(out.splitlines()[-1]) if status == 0 else {}, said


def test_the_command_edits_the_object(class_pack, creature, tmp_path, capsys):
    creature.save(tmp_path / "it.safetensors")
    words = ("edit", str(tmp_path / "it.safetensors"), "--pack", "tiny", "--out", str(tmp_path / "out.png"))
    asked = ("--class", "bell@0.5", "--shift", "-0.1,0.05", "--zoom", "1.2", "--truncation", "0.8", "--set", "Male=1")
    status, facts, said = _run(capsys, *words, *asked)
    assert status == 0, said
    assert facts["object"] == {"class": "bell", "class_alpha": 0.5, "shift": [-0.1, 0.05], "zoom": 1.2, "truncation": 0.8}
    assert set(facts["classes_after"]) == set(TINY_CLASSES) == set(facts["classes_before"])
    frame = api.render(class_pack, creature, {"Male": 1.0}, object_edit=api.ObjectEdit("bell", 0.5, (-0.1, 0.05), 1.2, 0.8))
    assert np.array_equal(api.read_image(tmp_path / "out.png").pixels, frame.image)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--class", "cat"), "no class 'cat'"),
        (("--class", "bell@2"), "bell@2"),
        (("--shift", "0.1"), "expected two numbers"),
        (("--shift", "-0.9,0"), "shift=-0.9,0: use -0.2 to 0.2"),
        (("--zoom", "x"), "--zoom"),
        (("--truncation", "3"), "--truncation"),
    ],
)
def test_the_command_refuses_what_cannot_be_asked(class_pack, creature, tmp_path, capsys, asked, message):
    creature.save(tmp_path / "it.safetensors")
    words = ("edit", str(tmp_path / "it.safetensors"), "--pack", "tiny", "--out", str(tmp_path / "out.png"))
    status, _, said = _run(capsys, *words, *asked)
    assert status == 2 and message in said and "Traceback" not in said and not (tmp_path / "out.png").exists()


def test_the_training_command_writes_the_directions(class_packs_dir, tmp_path, monkeypatch, capsys):
    shutil.copytree(class_packs_dir / "tiny", tmp_path / "packs" / "tiny")
    monkeypatch.setenv(PACKS_VARIABLE, str(tmp_path / "packs"))
    words = ("train", "steering", "--pack", "tiny", "--seed", "3")
    monkeypatch.setattr(sys, "argv", ["engines", *words])
    status, facts, said = _run(capsys, *words, "--steps", "30", "--shift-most", "0.1", "--zoom-most", "1.2")
    assert status == 0, said
    assert set(facts["metrics"]["remaining_error"]) == {"shift_x", "shift_y", "zoom"}
    component = api.open_pack("tiny").manifest.components["steering"]
    assert component.provenance.command.startswith("python -m engines train steering") and component.provenance.seed == 3
    assert api.pack_info(api.open_pack("tiny")).steering == api.SteeringInfo(0.1, 1.2)
    # A random generator follows a zoom a little, not much; learned directions may not be worse than none.
    assert all(error < 1 for error in facts["metrics"]["remaining_error"].values())
    status, _, said = _run(capsys, *words, "--zoom-most", "0.5")
    assert status == 2 and "--zoom-most" in said
