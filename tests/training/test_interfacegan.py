"""InterFaceGAN: normals against planted hyperplanes, projections against linear algebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.core.rng import numpy_generator
from engines.data.registry import DATA_SETS
from engines.training import interfacegan
from engines.training.interfacegan import InterFaceGanFit, hyperplane_normal, projected_out
from engines.training.pack_definitions import DEFINITIONS
from tests.command_run import run_command
from tests.tiny_pack import TINY_ATTRIBUTES
from tests.training.planted import material

pytest.importorskip("sklearn", reason="pip install -r requirements-train.txt")


def test_the_normal_is_the_planted_one():
    draw = numpy_generator(1)
    truth = draw.standard_normal(8)
    truth /= np.linalg.norm(truth)
    codes = draw.standard_normal((3000, 8))
    normal = hyperplane_normal(codes, codes @ truth > 0.2, cost=1.0, iterations=1000, seed=0)
    assert np.linalg.norm(normal) == pytest.approx(1)
    assert normal @ truth > 0.99


def test_projection_leaves_what_no_condition_sees():
    """Against the projector written with the pseudo-inverse."""
    draw = numpy_generator(2)
    normal, conditions = draw.standard_normal(7), draw.standard_normal((3, 7))
    left = projected_out(normal, conditions)
    assert np.linalg.norm(left) == pytest.approx(1)
    np.testing.assert_allclose(conditions @ left, 0, atol=1e-9)
    wanted = normal - conditions.T @ np.linalg.pinv(conditions.T) @ normal
    np.testing.assert_allclose(left, wanted / np.linalg.norm(wanted), atol=1e-9)
    np.testing.assert_allclose(projected_out(normal, conditions[:0]), normal / np.linalg.norm(normal))
    with pytest.raises(OptionError, match="name fewer"):
        projected_out(conditions[0] + conditions[1], conditions)


def test_a_fitted_direction_separates_and_keeps_its_conditions(tiny_pack):
    found = material(tiny_pack, "Smiling")
    plain = InterFaceGanFit(found, 0, cost=0.1, codes=200)
    family = plain.start().requires_grad_(False)
    figures = plain.fit(family, "Smiling", None, lambda step, loss: None)
    flat, has = found.train.codes.flatten(1).numpy(), found.train.column("Smiling")
    along = flat @ family.bias[0].flatten().numpy()
    assert along[has].mean() > along[~has].mean() and figures["separation"] > 0
    conditioned = InterFaceGanFit(found, ("Male", "Smiling"), cost=0.1, codes=200)
    figures = conditioned.fit(family, "Smiling", None, lambda step, loss: None)
    assert figures["conditions"] == ["Male"]
    male = conditioned._normal(found.train.attributes.index("Male"))
    assert abs(male @ family.bias[0].flatten().numpy()) < 1e-4


def test_unknown_conditions_and_constant_attributes_are_named(tiny_pack):
    found = material(tiny_pack, "Smiling")
    with pytest.raises(OptionError, match="--condition Hat"):
        InterFaceGanFit(found, ("Hat",), cost=0.1, codes=200)
    found.train.labels[:, found.train.attributes.index("Smiling")] = True
    fit = InterFaceGanFit(found, 0, cost=0.1, codes=200)
    with pytest.raises(OptionError, match="Every picture has Smiling"):
        fit.fit(fit.start(), "Smiling", None, lambda step, loss: None)


def test_unknown_conditions_are_refused_before_anything_is_rendered(tiny_pack, monkeypatch):
    monkeypatch.setitem(DATA_SETS, "tiny", replace(DATA_SETS["faces"], name="tiny", attributes=TINY_ATTRIBUTES))
    monkeypatch.setitem(DEFINITIONS, "tiny", replace(DEFINITIONS["faces"], id="tiny", data="tiny"))
    monkeypatch.setattr(interfacegan, "run_family", None)
    with pytest.raises(OptionError, match="--condition Hat: known are Eyeglasses, Smiling, Male, Beard"):
        run_command(interfacegan, "--condition", "Male,Hat")
