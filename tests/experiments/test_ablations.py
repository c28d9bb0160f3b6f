"""Variants differ in one thing each; the command trains, judges and repeats itself on the tiny pack."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError, RunError
from engines.experiments import ablations
from engines.experiments.ablation_report import Confounding
from engines.experiments.ablations import Ground, train_variant
from engines.experiments.variants import BASE, VARIANTS, Variant, base_recipe, variants_of
from engines.training.family_run import gather
from engines.training.lw_map import LwOptions
from engines.training.runs import Run
from engines.training.statistics import latent_statistics
from tests.command_run import run_command
from tests.training.planted import predicted_codes


def _differences(variant: Variant, base: Variant) -> set[str]:
    a, b = variant.described(), base.described()
    return {key for key in a if a[key] != b[key]}


@pytest.mark.parametrize("setting", ["printed", "own"])
def test_every_variant_differs_from_the_base_in_one_thing(setting):
    variants = variants_of(base_recipe(setting, steps=None, dim=64))
    assert tuple(variants) == VARIANTS
    base = variants[BASE]
    assert base.described() == {"weighting": "target-matched", "lambda": 1.0, "early_stopping": "on", "cost": "Euclidean"}
    expected = {
        "weighting-printed": {"weighting"},
        "weighting-uniform": {"weighting"},
        "lambda-0": {"lambda"},
        "lambda-15": {"lambda"},
        "no-early-stopping": {"early_stopping"},
        "perceptual-cost": {"cost"},
    }
    assert {name: _differences(row, base) for name, row in variants.items() if name != BASE} == expected
    rest = [replace(row.recipe, weighting="", options=_plain(row.recipe.options)) for row in variants.values()]
    assert all(row == rest[0] for row in rest), "nothing else differs"


def _plain(options: LwOptions) -> LwOptions:
    return replace(options, preservation=0.0, early_stopping=True)


def test_the_settings_are_the_papers_and_the_projects():
    printed, own = (base_recipe(setting, steps=None, dim=64) for setting in ("printed", "own"))
    assert (printed.options.learning_rate, printed.options.components, printed.options.map_components) == (1e-3, 0, 0)
    assert (printed.start, printed.options.rank, printed.options.own_units) == ("none", 64, False)
    assert (printed.options.steps, printed.options.batch) == (200, 384), "those of the published report"
    assert own.options == LwOptions()
    assert base_recipe("own", steps=7, dim=8).options.steps == 7 and base_recipe("own", steps=7, dim=8).options.rank == 8


def _ground(pack) -> Ground:
    train, held_out = predicted_codes(pack, 300, 1), predicted_codes(pack, 120, 2)
    material = gather(pack, train, held_out, ("Smiling",), seed=0, change=0.8, certainty=0.0)
    return Ground(material, latent_statistics(pack.generator.mapping.w_avg, train.codes, rank=32), None, {})


def test_a_variant_is_trained_as_it_says(tiny_pack, tmp_path):
    """Lambda 0 and early stopping off, seen in what training reports and in the maps themselves."""
    ground = _ground(tiny_pack)
    base = base_recipe("own", steps=12, dim=16)
    rows = variants_of(replace(base, options=replace(base.options, components=8, rank=4, batch=64, check_steps=4)))
    maps, trainings = {}, {}
    for name in (BASE, "lambda-15", "no-early-stopping"):
        run = Run.open(tmp_path / name, {}, resume=False)
        maps[name], trainings[name] = train_variant(rows[name], ground, run, minutes=None, progress=lambda record: None)
    assert maps[BASE].attributes == ("Smiling",)
    assert not torch.equal(maps[BASE].bias, maps["lambda-15"].bias)
    assert trainings["no-early-stopping"].steps == trainings["no-early-stopping"].best_step == 12
    assert trainings[BASE].best_step <= trainings[BASE].steps <= 12
    assert trainings[BASE].scale > 0 and trainings[BASE].seconds > 0


def test_what_goes_with_an_attribute_is_counted():
    """Beard comes with Male alone, 30 with and 10 without it; of the four combinations of Male and Hat beside Beard,
    those without Male are on the side without Beard only."""
    from engines.training.codes import CodeSet

    male = np.repeat([True, True, False, False], [30, 10, 20, 20])
    beard = np.repeat([True, False, False, False], [30, 10, 20, 20])
    hat = np.arange(80) % 2 == 0
    labels = np.stack([beard, male, hat], 1)
    train = CodeSet(torch.zeros(80, 1, 1), labels, ("Beard", "Male", "Hat"), "none")
    found = ablations._confounding(train, "Beard")
    assert isinstance(found, Confounding)
    gamma = np.abs(np.corrcoef(labels.T.astype(float)))[0]
    assert dict(found.by) == pytest.approx({"Hat": gamma[2]}), "Male is implied by Beard, and so is no confounder"
    assert found.missing == 0
    labels[0, 1] = labels[1, 1] = False
    beardless_women = ablations._confounding(replace(train, labels=labels), "Beard")
    assert dict(beardless_women.by).keys() == {"Male", "Hat"}


def _run(*words: str, **given):
    return run_command(ablations, *words, **given)


@pytest.mark.train
def test_the_command_from_pictures_to_report(tmp_path, tiny_pack):
    words = ("--variants", "lambda-0,perceptual-cost", "--setting", "own", "--steps", "4", "--attributes", "Smiling")
    words += (
        "--n",
        "6",
        "--per-attribute",
        "2",
        "--sweep",
        "2",
        "--pictures",
        "32",
        "--metric-codes",
        "16",
        "--processes",
        "1",
    )
    result = _run(*words, "--run", str(tmp_path / "runs"), out=tmp_path / "one")
    assert list(result["variants"]) == [BASE, "lambda-0", "perceptual-cost"]
    keys = {"target_change", "attribute_preservation", "confounder_preservation", "identity", "counterfactual_distance"}
    for figures in result["variants"].values():
        assert keys | {"unedited_distance", "steps", "seconds", "over_strengths"} <= set(figures)
    assert result["variants"][BASE]["identity_less_first"] == 0
    assert set(result["cost_agreement"]) == {"Euclidean", "perceptual"}
    assert {row["alpha"] for row in result["rows"]} == {1.0}
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"report.md", "table.csv", "curves.csv", "curves.png", "variants.png", "result.json"} <= names
    with (tmp_path / "one" / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["variant"] for row in rows} == set(result["variants"])
    # A finished run is not trained again, and gives the same figures; without --resume it is not overwritten.
    again = _run(*words, "--run", str(tmp_path / "runs"), "--resume", out=tmp_path / "two")
    for name, figures in result["variants"].items():
        assert {k: v for k, v in again["variants"][name].items() if k != "seconds"} == {
            k: v for k, v in figures.items() if k != "seconds"
        }
    with pytest.raises(RunError, match="already holds a run"):
        _run(*words, "--run", str(tmp_path / "runs"), out=tmp_path / "three")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--variants", "lambda-3"), "--variants lambda-3: name some of base, weighting-printed"),
        (("--steps", "0"), "--steps 0"),
        (("--minutes", "0"), "--minutes 0"),
        (("--pictures", "2"), "--pictures and --metric-codes"),
        (("--attributes", "Smile"), "--attributes Smile: pack tiny has edits for"),
    ],
)
def test_bad_options_are_named(tmp_path, tiny_pack, words, message):
    with pytest.raises(OptionError, match=message):
        _run(*words, out=tmp_path)
    assert not list(tmp_path.iterdir())
