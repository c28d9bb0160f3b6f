"""The whole run on the tiny pack: which maps are written, resumed and refused."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.core.paths import PACKS_VARIABLE
from engines.core.rng import torch_generator
from engines.packs.registry import open_pack
from engines.packs.write import write_component
from engines.training.calibration import answers
from engines.training.codes import CodeSet
from engines.training.lw import Recipe, add_arguments, recipe_of, train_maps
from engines.training.lw_map import LwOptions
from engines.training.runs import Run

RECIPE = Recipe(LwOptions(steps=20, batch=128, rank=4, components=8), weight_by=1, change=0.8)


def _code_set(pack, n: int, seed: int) -> CodeSet:
    """Codes of samples, labelled by what the image predictor sees; its median logit is the border, so that both sides occur."""
    w = pack.generator.mapping(torch.randn(n, pack.manifest.latent.z_dim, generator=torch_generator(seed)))
    codes = pack.generator.broadcast(w)
    with torch.inference_mode():
        logits = pack.attribute_predictor(pack.generator.synthesis(codes))
    labels = (logits > logits.median(0).values).numpy()
    return CodeSet(codes, labels, pack.attribute_predictor.attributes, "none")


def _train(pack, folder, chosen, *, recipe=RECIPE, resume=False):
    run = Run.open(folder, {}, resume=resume)
    train, held_out = _code_set(pack, 400, 1), _code_set(pack, 150, 2)
    return train_maps(pack, train, held_out, chosen, recipe, seed=0, training=run, progress=lambda record: None)


def _parsed(*words: str) -> Recipe:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return recipe_of(parser.parse_args(words))


def test_both_maps_of_an_attribute_move_codes_to_the_other_side(tiny_pack, tmp_path):
    """In the mean over new codes the logit of the attribute rises by adding and falls by removing."""
    maps, figures = _train(tiny_pack, tmp_path, ["Smiling"])
    assert set(figures) == {"Smiling/add", "Smiling/remove"}
    codes = _code_set(tiny_pack, 100, 3).codes
    k = tiny_pack.attribute_predictor.attributes.index("Smiling")

    def logit(alpha: float) -> float:
        with torch.inference_mode():
            images = tiny_pack.generator.synthesis(maps.edit(codes, {"Smiling": alpha}))
            return float(tiny_pack.attribute_predictor(images)[:, k].mean())

    assert logit(-1.0) < logit(0.0) < logit(1.0)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["direction"] for line in lines] == ["add", "remove"]
    assert (tmp_path / "Smiling.png").exists()


def test_attributes_not_chosen_keep_the_packs_maps(tiny_pack, tmp_path):
    maps, _ = _train(tiny_pack, tmp_path, ["Smiling"])
    k = maps.attributes.index("Smiling")
    others = [i for i in range(len(maps.attributes)) if i != k]
    for name, tensor in tiny_pack.edit_maps.state_dict().items():
        if name != "mean":
            assert torch.equal(maps.state_dict()[name][others], tensor[others]), name
            assert not torch.equal(maps.state_dict()[name][k], tensor[k]), name


def test_a_resumed_run_gives_the_maps_of_an_uninterrupted_one(tiny_pack, tmp_path):
    whole, _ = _train(tiny_pack, tmp_path / "whole", ["Smiling", "Male"])
    _train(tiny_pack, tmp_path / "parts", ["Smiling"])
    resumed, figures = _train(tiny_pack, tmp_path / "parts", ["Smiling", "Male"], resume=True)
    assert len(figures) == 4
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_another_rank_cannot_be_mixed_in(tiny_pack, tmp_path):
    recipe = replace(RECIPE, options=replace(RECIPE.options, rank=2))
    with pytest.raises(OptionError, match="'rank': 4"):
        _train(tiny_pack, tmp_path, ["Smiling"], recipe=recipe)


def test_maps_with_a_hidden_layer_are_stored_read_and_not_mixed_with_others(tiny_pack, tiny_packs_dir, tmp_path, monkeypatch):
    recipe = replace(RECIPE, options=replace(RECIPE.options, hidden=8))
    with pytest.raises(OptionError, match="'rank': 4"):
        _train(tiny_pack, tmp_path / "one", ["Smiling"], recipe=recipe)
    maps, figures = _train(tiny_pack, tmp_path / "all", list(tiny_pack.edit_maps.attributes), recipe=recipe)
    assert all(row["loss_best"] < row["loss_first"] or row["best_step"] == 0 for row in figures.values())
    folder = tmp_path / "packs" / "tiny"
    shutil.copytree(tiny_packs_dir / "tiny", folder)
    monkeypatch.setenv(PACKS_VARIABLE, str(folder.parent))
    source = tiny_pack.manifest.to_json()["components"]["edit_maps"]["provenance"]
    write_component(folder, "edit_maps", maps, maps.config_json(), source, half=True)
    pack, codes = open_pack("tiny"), _code_set(tiny_pack, 20, 3).codes
    torch.testing.assert_close(pack.edit_maps.edit(codes, {"Male": 1.0}), maps.edit(codes, {"Male": 1.0}), atol=0.02, rtol=0.02)
    again, _ = _train(pack, tmp_path / "again", ["Smiling"], recipe=recipe)
    k = again.attributes.index("Male")
    assert torch.equal(again.outwards[k], pack.edit_maps.outwards[k])
    with pytest.raises(OptionError, match="'hidden': 8"):
        _train(pack, tmp_path / "other", ["Smiling"])
    with pytest.raises(OptionError, match="--map-components of 1 or more"):
        _parsed("--hidden", "4", "--map-components", "0", "--rank", "1")
    for words in (("--decay", "0"), ("--decay", "1.1"), ("--patience", "0")):
        with pytest.raises(OptionError, match=words[0]):
            _parsed(*words)
    assert (_parsed("--decay", "0.2").options.decay, _parsed("--patience", "9").options.patience_checks) == (0.2, 9)
    with pytest.raises(OptionError, match="no --hidden units"):
        _parsed("--hidden", "4", "--affine")


def test_a_constant_attribute_cannot_be_learned(tiny_pack, tmp_path):
    train = _code_set(tiny_pack, 60, 1)
    labels = train.labels.copy()
    labels[:, train.attributes.index("Beard")] = False
    constant = replace(train, labels=labels)
    run = Run.open(tmp_path, {}, resume=False)
    with pytest.raises(OptionError, match="Every picture lacks Beard"):
        train_maps(tiny_pack, constant, constant, ["Beard"], RECIPE, seed=0, training=run, progress=lambda record: None)


def test_the_printed_setting_and_its_star():
    printed = _parsed("--paper", "--weighting", "printed", "--preservation-of", "Eyeglasses=15")
    assert (printed.options.components, printed.options.learning_rate, printed.options.input_noise) == (0, 1e-3, 0.0)
    assert (printed.start, printed.options.own_units, printed.options.calm) == ("none", False, 0.0)
    assert printed.options_for("Eyeglasses").preservation == 15 and printed.options_for("Male").preservation == 1
    star = _parsed("--star", "--preservation-of", "Eyeglasses=15")
    assert star.weighting == "uniform" and star.options_for("Eyeglasses").preservation == 0
    assert _parsed("--weight-by", "Male,Young").weight_by == ("Male", "Young")
    assert _parsed("--paper", "--rate", "0.01").options.learning_rate == 0.01
    with pytest.raises(OptionError, match="ATTRIBUTE=NUMBER"):
        _parsed("--preservation-of", "Eyeglasses")


def test_calibration_was_measured_with_the_stored_maps(tiny_pack, tmp_path):
    """The logged share of changed codes is what strength 1 of the finished maps does to the same held-out codes."""
    maps, figures = _train(tiny_pack, tmp_path, ["Male"])
    held_out = _code_set(tiny_pack, 150, 2).codes[: round(0.35 * 150)]
    synthesis, predictor = tiny_pack.generator.synthesis, tiny_pack.attribute_predictor
    k = predictor.attributes.index("Male")
    before = answers(held_out, synthesis, predictor)[:, k]
    without = before <= 0
    source = torch.from_numpy(np.flatnonzero(without)[:48] if without.any() else np.arange(len(before)))
    after = answers(maps.edit(held_out[source], {"Male": 1.0}), synthesis, predictor)[:, k]
    assert figures["Male/add"]["target_change"] == pytest.approx((after > 0).mean(), abs=0.05)


def test_a_starred_family_is_its_own(tiny_pack, tmp_path):
    """The pack has no LW*: maps that are not trained change nothing, whatever LW's own do."""
    run = Run.open(tmp_path, {}, resume=False)
    train, held_out = _code_set(tiny_pack, 400, 1), _code_set(tiny_pack, 150, 2)
    recipe = replace(RECIPE, weighting="uniform")
    maps, _ = train_maps(
        tiny_pack, train, held_out, ["Smiling"], recipe, seed=0, training=run, progress=lambda record: None, family="LW*"
    )
    assert not torch.equal(maps.edit(train.codes[:5], {"Smiling": 1.0}), train.codes[:5])
    assert torch.equal(maps.edit(train.codes[:5], {"Male": 1.0}), train.codes[:5])
    assert not torch.equal(tiny_pack.edit_maps.edit(train.codes[:5], {"Male": 1.0}), train.codes[:5])


def test_a_map_by_the_cost_between_pictures_lowers_that_cost_and_needs_fields(tiny_pack, tmp_path):
    codes = _train(tiny_pack, tmp_path / "codes", ["Smiling"])[0]
    options = replace(RECIPE.options, batch=48, steps=10)
    recipe = replace(RECIPE, options=options, start="none", cost="pictures", cells=2)
    pictures, figures = _train(tiny_pack, tmp_path / "pictures", ["Smiling"], recipe=recipe)
    assert all(row["loss_best"] < 0.99 * row["loss_first"] for row in figures.values())
    assert not torch.equal(codes.left, pictures.left)
    assert _parsed("--cost", "pictures", "--cells", "2").cells == 2
    with pytest.raises(OptionError, match="--cells 0"):
        _parsed("--cells", "0")
