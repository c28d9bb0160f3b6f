"""``train lw`` on a copy of the tiny pack, codes of samples in place of encoded pictures: what is written, resumed, refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, product
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.cli import train_lw
from engines.core.arguments import Parser
from engines.core.errors import OptionError
from engines.core.paths import PACKS_VARIABLE
from engines.data.registry import DATA_SETS
from engines.packs.load import Pack
from engines.packs.registry import open_pack
from engines.training import family_run, lw, lw_recipe
from engines.training.calibration import answers
from engines.training.codes import CodeSet
from engines.training.lw import add_arguments
from engines.training.lw_recipe import PAPER_STEPS, Recipe, recipe_of
from engines.training.pack_definitions import DEFINITIONS
from tests.command_run import run_command
from tests.tiny_pack import TINY_ATTRIBUTES
from tests.training.planted import predicted_codes

QUICK = ("--steps", "20", "--batch", "128", "--rank", "4", "--components", "8", "--weight-by", "1", "--change", "0.8")


class Home:
    """A copy of the tiny pack that trainings may write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers: Iterator[int] = count()

    def train(self, *words: str, name: str = "LW", run: str | None = None, **given):
        """The family as the pack has it after the command, and what the log says by ``attribute/direction``."""
        folder = self.folder / (run or f"run{next(self._numbers)}")
        run_command(lw, *words, "--run", str(folder), **given)
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        figures = {f"{line['attribute']}/{line['direction']}": line for line in lines if "direction" in line}
        return open_pack("tiny").family(name), figures

    def quick(self, attributes: str, *words: str, **given):
        return self.train(*QUICK, "--attributes", attributes, *words, **given)


def _codes(pack: Pack, split: str, n: int, **_) -> CodeSet:
    number, seed = {"train": (400, 1), "validation": (150, 2)}[split]
    return predicted_codes(pack, number, seed)


@pytest.fixture
def home(tiny_pack, tmp_path, monkeypatch) -> Home:
    shutil.copytree(tiny_pack.folder, tmp_path / "packs" / "tiny")
    monkeypatch.setenv(PACKS_VARIABLE, str(tmp_path / "packs"))
    monkeypatch.setitem(DATA_SETS, "tiny", replace(DATA_SETS["faces"], name="tiny", attributes=TINY_ATTRIBUTES))
    monkeypatch.setitem(DEFINITIONS, "tiny", replace(DEFINITIONS["faces"], id="tiny", data="tiny"))
    monkeypatch.setattr(family_run, "code_set", _codes)
    return Home(tmp_path)


def _parsed(*words: str, dim: int = 16) -> Recipe:
    parser = Parser()
    add_arguments(parser)
    return recipe_of(parser.parse_args(words), dim)


def test_both_maps_of_an_attribute_move_codes_to_the_other_side(tiny_pack, home):
    """In the mean over new codes the logit of the attribute rises by adding and falls by removing."""
    maps, figures = home.quick("Smiling", run="run")
    assert list(figures) == ["Smiling/add", "Smiling/remove"]
    codes = predicted_codes(tiny_pack, 100, 3).codes
    k = tiny_pack.attribute_predictor.attributes.index("Smiling")

    def logit(alpha: float) -> float:
        with torch.inference_mode():
            images = tiny_pack.generator.synthesis(maps.edit(codes, {"Smiling": alpha}))
            return float(tiny_pack.attribute_predictor(images)[:, k].mean())

    assert logit(-1.0) < logit(0.0) < logit(1.0)
    assert (home.folder / "run" / "Smiling.png").exists()


def test_attributes_not_chosen_keep_the_packs_maps(tiny_pack, home):
    """But for the half precision in which a component is written."""
    maps, _ = home.quick("Smiling")
    k = maps.attributes.index("Smiling")
    others = [i for i in range(len(maps.attributes)) if i != k]
    for name, tensor in tiny_pack.edit_maps.state_dict().items():
        if name != "mean":
            assert torch.equal(maps.state_dict()[name][others], tensor[others].half().float()), name
            assert not torch.allclose(maps.state_dict()[name][k], tensor[k], rtol=1e-2), name


def test_a_resumed_run_gives_the_maps_of_an_uninterrupted_one(home):
    class Unplugged(Exception):
        pass

    def pull_the_plug(record) -> None:
        if record.stage == "Fitting Male, 2 of 2":
            raise Unplugged

    whole, _ = home.quick("Smiling,Male")
    with pytest.raises(Unplugged):
        home.quick("Smiling,Male", run="cut", progress=pull_the_plug)
    resumed, figures = home.quick("Smiling,Male", "--resume", run="cut")
    assert list(figures) == [f"{a}/{d}" for a in ("Smiling", "Male") for d in ("add", "remove")]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_another_rank_cannot_be_mixed_in(home):
    with pytest.raises(OptionError, match="'rank': 4"):
        home.quick("Smiling", "--rank", "2")


def test_maps_with_a_hidden_layer_are_stored_read_and_not_mixed_with_others(tiny_pack, home):
    with pytest.raises(OptionError, match="'rank': 4"):
        home.quick("Smiling", "--hidden", "8")
    maps, figures = home.quick(",".join(TINY_ATTRIBUTES), "--hidden", "8")
    assert all(row["loss_best"] < row["loss_first"] or row["best_step"] == 0 for row in figures.values())
    again, _ = home.quick("Smiling", "--hidden", "8")
    k = again.attributes.index("Male")
    assert torch.equal(again.outwards[k], maps.outwards[k])
    with pytest.raises(OptionError, match="'hidden': 8"):
        home.quick("Smiling")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--hidden", "4", "--map-components", "0"), "--map-components of 1 or more"),
        (("--hidden", "4", "--affine"), "no --hidden units"),
        (("--decay", "0"), "--decay: 0 is out of range, use more than 0, and 1 at most"),
        (("--decay", "1.1"), "--decay: 1.1 is"),
        (("--patience", "0"), "--patience: 0 is"),
        (("--cells", "0"), "--cells: 0 is"),
        (("--batch", "-1"), "--batch: -1 is"),
        (("--rank", "13"), "--rank 13: a map of 12 components has a rank from 1 to 12"),
        (("--paper", "--rank", "17"), "--rank 17: a map of codes of 16 numbers a layer has a rank from 1 to 16"),
        (("--preservation-of", "Eyeglasses"), "ATTRIBUTE=NUMBER"),
        (("--preservation-of", "Eyeglasses=much"), "ATTRIBUTE=NUMBER"),
        (("--preservation-of", "Eyeglasses=-1"), "0 or more, got 'Eyeglasses=-1'"),
        (("--preservation-of", "Eyeglasses=nan"), "0 or more"),
        (("--star", "--preservation-of", "Eyeglasses=15"), r"LW\* \(--star\) has no attribute cost"),
    ],
)
def test_bad_options_are_named(words, message):
    with pytest.raises(OptionError, match=message):
        _parsed(*words)


def test_a_constant_attribute_cannot_be_learned(home, monkeypatch):
    def beardless(pack: Pack, split: str, n: int, **_) -> CodeSet:
        found = _codes(pack, split, n)
        labels = found.labels.copy()
        labels[:, found.attributes.index("Beard")] = False
        return replace(found, labels=labels)

    monkeypatch.setattr(family_run, "code_set", beardless)
    with pytest.raises(OptionError, match="Every picture lacks Beard"):
        home.quick("Beard")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--weight-by", "Male,Hat,Cap"), "--weight-by Hat,Cap: there are labels of Eyeglasses, Smiling, Male, Beard"),
        (("--preservation-of", "Hat=15"), "--preservation-of Hat: maps are trained of Smiling"),
        (("--preservation-of", "Male=15"), "--preservation-of Male: maps are trained of Smiling"),
        (("--attributes", "Hat"), "--attributes Hat: known are Eyeglasses, Smiling, Male, Beard"),
    ],
)
def test_names_that_there_are_not_are_refused_before_anything_is_done(home, monkeypatch, words, message):
    monkeypatch.setattr(family_run, "code_set", None)
    with pytest.raises(OptionError, match=message):
        home.quick("Smiling", *words, run="none")
    assert not (home.folder / "none").exists()


def test_lambda_of_one_attribute_works(home):
    """A heavy lambda raises the loss that the same map starts at, for this attribute alone."""
    words = ("--steps", "1", "--start", "class-means")
    _, plain = home.quick("Smiling,Male", *words)
    _, heavy = home.quick("Smiling,Male", *words, "--preservation-of", "Smiling=1000")
    for direction in ("add", "remove"):
        assert heavy[f"Smiling/{direction}"]["loss_first"] > 1.5 * plain[f"Smiling/{direction}"]["loss_first"]
        assert heavy[f"Male/{direction}"]["loss_first"] == plain[f"Male/{direction}"]["loss_first"]


def test_affine_is_refused_for_an_attribute_of_ones_own(tiny_pack):
    with pytest.raises(OptionError, match="--affine is for the pack's own attributes"):
        run_command(train_lw, "--affine", "--labels", "labels.csv", "--images", ".")


def test_the_printed_setting_and_its_star():
    printed = _parsed("--paper", "--weighting", "printed", "--preservation-of", "Eyeglasses=15")
    assert (printed.options.components, printed.options.learning_rate, printed.options.input_noise) == (0, 1e-3, 0.0)
    assert (printed.start, printed.options.own_units, printed.options.calm) == ("none", False, 0.0)
    assert printed.options_for("Eyeglasses").preservation == 15 and printed.options_for("Male").preservation == 1
    star = _parsed("--star", "--preservation", "15")
    assert star.weighting == "uniform" and star.options_for("Eyeglasses").preservation == 0
    assert _parsed("--weight-by", "Male,Young").weight_by == ("Male", "Young")
    assert (_parsed("--decay", "0.2").options.decay, _parsed("--patience", "9").options.patience_checks) == (0.2, 9)


def test_the_printed_setting_has_whole_maps_whole_sides_and_steps_enough_where_nothing_else_is_said():
    for dim in (16, 512):
        options = _parsed("--paper", dim=dim).options
        assert (options.map_components, options.rank, options.batch, options.steps) == (0, dim, 0, PAPER_STEPS)
    words = ("--paper", "--rate", "0.01", "--rank", "3", "--batch", "40", "--steps", "7")
    options = _parsed(*words).options
    assert (options.learning_rate, options.rank, options.batch, options.steps) == (0.01, 3, 40, 7)
    assert _parsed("--paper", "--map-components", "8").options.rank == 8
    own = _parsed(dim=128).options
    assert (own.rank, own.batch, own.steps) == (12, 384, 40)
    assert _parsed(dim=8).options.rank == 8 and _parsed("--rank", "0", "--map-components", "10").options.rank == 10


def test_the_printed_setting_trains_and_says_how(home, monkeypatch):
    """Full matrices are no cut ones: of D = 16. The steps stand in the run's configuration too."""
    monkeypatch.setattr(lw_recipe, "PAPER_STEPS", 12)
    maps, figures = home.train("--paper", "--star", "--attributes", "Smiling", name="LW*", run="paper")
    assert maps.rank == 16
    assert all(row["steps"] == 12 and row["loss_best"] < row["loss_first"] for row in figures.values())
    config = json.loads((home.folder / "paper" / "config.json").read_text())
    assert config["steps"] == config["recipe"]["options"]["steps"] == 12 and config["recipe"]["options"]["batch"] == 0


def test_combinations_that_one_side_lacks_are_named_in_training_and_in_early_stopping(tiny_pack, home, monkeypatch):
    """Nobody in training smiles with a beard as a man, nobody held out without one as a woman; counted again in plain loops."""

    def without(pack: Pack, split: str, n: int, **_) -> CodeSet:
        found = _codes(pack, split, n)
        both = (found.column("Male") & found.column("Beard"), ~found.column("Male") & ~found.column("Beard"))
        return found.part(~(found.column("Smiling") & both[split == "validation"]))

    monkeypatch.setattr(family_run, "code_set", without)
    _, figures = home.quick("Smiling", "--weight-by", "Male,Beard")
    held_out = without(tiny_pack, "validation", 0)
    parts = {
        "missing_combinations": without(tiny_pack, "train", 0),
        "missing_combinations_held_out": held_out.part(slice(round(0.35 * len(held_out)), None)),
    }
    for key, codes in parts.items():
        for direction in ("add", "remove"):
            expected = []
            for male, beard in product((False, True), repeat=2):
                alike = (codes.column("Male") == male) & (codes.column("Beard") == beard)
                sides = [int((alike & (codes.column("Smiling") == smiling)).sum()) for smiling in (False, True)]
                if (sides[0] == 0) != (sides[1] == 0):
                    source, target = sides if direction == "add" else sides[::-1]
                    expected.append({"combination": {"Male": male, "Beard": beard}, "source": source, "target": target})
            assert expected and figures[f"Smiling/{direction}"][key] == expected


def test_calibration_was_measured_with_the_stored_maps(tiny_pack, home):
    """The logged share of changed codes is what strength 1 of the finished maps does to the same held-out codes."""
    maps, figures = home.quick("Male")
    held_out = predicted_codes(tiny_pack, 150, 2).codes[: round(0.35 * 150)]
    synthesis, predictor = tiny_pack.generator.synthesis, tiny_pack.attribute_predictor
    k = predictor.attributes.index("Male")
    before = answers(held_out, synthesis, predictor)[:, k]
    without = before <= 0
    source = torch.from_numpy(np.flatnonzero(without)[:48] if without.any() else np.arange(len(before)))
    after = answers(maps.edit(held_out[source], {"Male": 1.0}), synthesis, predictor)[:, k]
    assert figures["Male/add"]["target_change"] == pytest.approx((after > 0).mean(), abs=0.05)


def test_a_starred_family_is_its_own(tiny_pack, home):
    """The pack has no LW*: maps that are not trained change nothing, whatever LW's own do."""
    maps, _ = home.quick("Smiling", "--star", name="LW*")
    codes = predicted_codes(tiny_pack, 5, 1).codes
    assert not torch.equal(maps.edit(codes, {"Smiling": 1.0}), codes)
    assert torch.equal(maps.edit(codes, {"Male": 1.0}), codes)
    assert not torch.equal(tiny_pack.edit_maps.edit(codes, {"Male": 1.0}), codes)


def test_a_map_by_the_cost_between_pictures_lowers_that_cost_and_needs_fields(home):
    codes = home.quick("Smiling")[0]
    words = ("--batch", "48", "--steps", "10", "--start", "none", "--cost", "pictures", "--cells", "2")
    pictures, figures = home.quick("Smiling", *words)
    assert all(row["loss_best"] < 0.99 * row["loss_first"] for row in figures.values())
    assert not torch.equal(codes.left, pictures.left)
    assert _parsed("--cost", "pictures", "--cells", "2").cells == 2
