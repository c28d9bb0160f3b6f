"""`evaluate realism`: planted scores and shifts, and the command on a pack with a second family."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.core.paths import PACKS_VARIABLE
from engines.core.rng import numpy_generator
from engines.editing.edit_maps import EditMaps
from engines.evaluation import realism
from engines.evaluation.code_density import NormalDensity
from engines.evaluation.edit_verdicts import sources_of
from engines.evaluation.family_curves import EditCurve
from engines.evaluation.judges import Judges, sample_codes
from engines.evaluation.realism import RealCodes, Target, discriminator_scores, realism_curve, targets_of
from engines.evaluation.realism_report import comparable_rows
from engines.evaluation.setting import Subjects
from engines.imaging.convert import to_tensor
from tests.command_run import run_command
from tests.family_pack import FAMILY_ATTRIBUTES, pack_with_families


def _curve(family: str, change: list[float], outside: list[float], people: int = 40) -> EditCurve:
    """Shares of people in whom a thing happened, strength by strength; always the first ones."""
    table = {"target_change": change, "outside_normal": outside}
    names = ("norm_share", "outside_neighbours", "outside_discriminator", "attribute_preservation", "identity")
    values = {name: np.zeros((len(change), people)) for name in names}
    for name, shares in table.items():
        values[name] = np.array([np.arange(people) < share * people for share in shares], float)
    return EditCurve("A", "add", family, tuple(float(j) for j in range(len(change))), values)


def test_families_are_compared_where_they_change_as_much():
    """One family is strong at once and leaves the real codes there, the other needs twice the strength and does not."""
    curves = [_curve("LT*", [0, 0.9, 1.0], [0.05, 0.6, 0.9]), _curve("LW*", [0, 0.4, 0.8], [0.05, 0.05, 0.1])]
    first, second = comparable_rows(curves, 0.8, seed=0)
    assert (first["alpha"], first["outside_normal"], first["reached"]) == (1.0, 0.6, True)
    assert (second["alpha"], second["outside_normal"], second["reached"]) == (2.0, 0.1, True)
    assert second["outside_normal_less_first"] == pytest.approx(-0.5)
    low, high = second["outside_normal_less_first_interval"]
    assert low < -0.5 < high < 0, "half of forty people is a difference"


def test_a_family_that_never_changes_enough_is_shown_at_its_last_strength():
    row = comparable_rows([_curve("LT*", [0, 0.1, 0.3], [0, 0, 0])], 0.8, seed=0)[0]
    assert (row["alpha"], row["reached"]) == (2.0, False)


def _real(pack, codes: np.ndarray, limits: dict[str, float]) -> RealCodes:
    return RealCodes(NormalDensity(codes, 8), lambda c: -np.abs(c).reshape(len(c), -1).max(axis=1), None, limits, 2.0)


def test_a_planted_shift_has_its_norm_and_leaves_where_it_must(tiny_pack):
    """Eyeglasses moves every code by 3 along one coordinate: the norm is 3 alpha, and a limit of 2.5 on the largest coordinate
    is passed by exactly those codes whose coordinate was above 2.5 - 3 alpha."""
    judges = Judges(tiny_pack)
    codes = (numpy_generator(1).standard_normal((10, 8, 16)) * 0.3).astype(np.float32)
    maps = EditMaps(tiny_pack.attribute_predictor.attributes, 8, 16, rank=1).requires_grad_(False)
    maps.bias[0, 0, 2, 5] = 3.0
    real = _real(tiny_pack, codes, {"normal": -np.inf, "neighbours": -2.5, "discriminator": np.nan})
    pictures = judges.pictures(codes)
    labels = judges.probabilities(pictures) > 0.5
    sources = sources_of(judges, Subjects(pictures, labels, [None] * 10, pictures, "faces"), codes)
    target = Target("Eyeglasses", "add", "Eyeglasses", False, "Eyeglasses", True)
    chosen = np.array([0, 2, 3, 7])
    curve = realism_curve(judges, real, sources, maps, target, "LW", chosen, (0.5, 0.8))
    assert curve.alphas == (0.0, 0.5, 0.8)
    np.testing.assert_allclose(curve.values["norm"][:, chosen], np.array([[0.0], [1.5], [2.4]]).repeat(4, 1), rtol=1e-5)
    np.testing.assert_allclose(curve.values["norm_share"][2, chosen], 1.2, rtol=1e-5)
    for row, alpha in enumerate(curve.alphas):
        left = codes[chosen, 2, 5] + 3 * alpha > 2.5
        assert curve.values["outside_neighbours"][row, chosen].tolist() == left.astype(float).tolist()
    assert curve.values["outside_neighbours"][2, chosen].sum() > 0, "some codes do leave"
    assert (curve.values["outside_normal"][:, chosen] == 0).all()
    assert np.isnan(curve.values["outside_discriminator"]).all() and np.isnan(curve.values["norm"][:, 1]).all()
    assert (curve.values["attribute_preservation"][0, chosen] == 1).all(), "no edit keeps everything"
    judged = sources.probabilities[chosen, 0] <= 0.5
    assert (np.isfinite(curve.values["target_change"][1, chosen]) == judged).all()


def test_a_picture_has_one_score_whatever_stands_beside_it(tiny_pack):
    """Alone, the minibatch deviation is that of a batch of one."""
    scores = discriminator_scores(tiny_pack)
    pictures = Judges(tiny_pack).pictures(sample_codes(tiny_pack, 7, seed=3))
    together = scores(pictures)
    with torch.no_grad():
        alone = [float(tiny_pack.discriminator(to_tensor(picture[None]))) for picture in pictures]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    assert tiny_pack.discriminator.b4.group != 1, "the pack's own network is left as it is"
    assert together.std() > 0


def test_a_step_between_levels_starts_at_one_and_ends_at_the_other():
    pack = SimpleNamespace(
        id="digits",
        attribute_predictor=SimpleNamespace(attributes=("One", "Two", "Beard")),
        manifest=SimpleNamespace(level_steps={"Two": "One"}),
    )
    family = SimpleNamespace(attributes=("Two", "Beard"))
    assert targets_of(pack, {"LT*": family}, None) == [
        Target("Two", "add", "One", True, "Two", True),
        Target("Two", "remove", "Two", True, "One", True),
        Target("Beard", "add", "Beard", False, "Beard", True),
        Target("Beard", "remove", "Beard", True, "Beard", False),
    ]
    assert len(targets_of(pack, {"LT*": family}, "Beard")) == 2
    with pytest.raises(OptionError, match="--attributes One: name some of Two, Beard"):
        targets_of(pack, {"LT*": family}, "One")
    with pytest.raises(OptionError, match="no attribute in common"):
        targets_of(pack, {"LT*": family, "LW*": SimpleNamespace(attributes=("One",))}, None)


def _run(*words: str, **given):
    return run_command(realism, *words, **given)


@pytest.mark.train
def test_the_command_on_codes_and_styles(tmp_path, tiny_pack, monkeypatch):
    """SeFa moves codes; StyleSpace moves styles alone, so that its codes stay where they are while its pictures may not."""
    folder = pack_with_families(tiny_pack.folder, tmp_path / "packs" / "tiny")
    monkeypatch.setenv(PACKS_VARIABLE, str(folder.parent))
    words = ("--families", "SeFa,StyleSpace", "--n", "20", "--fit", "20", "--per-attribute", "4", "--alphas", "1,8")
    result = _run(*words, out=tmp_path / "one")
    assert _run(*words, out=tmp_path / "two") == result
    for name in ("report.md", "table.csv", "curves.png", "strengths.png", "result.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert set(result["families"]) == {"SeFa", "StyleSpace"}
    rows = {(r["attribute"], r["direction"], r["family"], r["alpha"]): r for r in result["rows"]}
    assert {key[0] for key in rows} == {*FAMILY_ATTRIBUTES, "mean"}
    for (_, _, family, alpha), row in rows.items():
        if family == "StyleSpace" or alpha == 0:
            assert row["norm"] == 0
        else:
            assert row["norm"] > 0 and row["norm_low"] <= row["norm"] <= row["norm_high"]
    still = [rows["mean", "both", "StyleSpace", alpha] for alpha in (0, 1, 8)]
    assert len({row["outside_normal"] for row in still}) == 1
    assert len({row["discriminator_score"] for row in still}) == 3
    moved = rows["mean", "both", "SeFa", 8]
    assert moved["outside_normal"] == 1.0, "eight times a random shift is nowhere among real codes"
    with (tmp_path / "one" / "table.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--families", "LT*"), r"pack tiny has no family LT\*, it has LW; make it with: .* train lt --star"),
        (("--families", "LW,LW"), "name each family once"),
        (("--alphas", "1,0.5"), "growing numbers above 0"),
        (("--alphas", "nan"), "growing numbers above 0"),
        (("--share", "0.7"), "--share must lie between 0 and 0.5"),
        (("--fit", "10"), "at least 20"),
        (("--families", "LW", "--attributes", "Smile"), "--attributes Smile: name some of Eyeglasses"),
    ],
)
def test_bad_options_are_named(tmp_path, tiny_pack, words, message):
    with pytest.raises(OptionError, match=message):
        _run(*words, out=tmp_path)
    assert not list(tmp_path.iterdir())
